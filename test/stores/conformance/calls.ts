/** The contract in small: calls of every kind on the tree of the suite, each of which tells right from wrong by itself. */
import { expect } from '@jest/globals';
import { WaybillError } from '../../../src/model/errors.js';
import { compareByBytes } from '../../../src/model/object-path.js';
import type { Store } from '../../../src/stores/store.js';
import { expectSameBytes, filePaths, listAll, readAll } from './expectations.js';
import { servedPin, servesRanges } from './testbed.js';
import type { StoreTraits } from './testbed.js';
import { below, contentOf, manyPath } from './tree.js';

const MEDIUM = 'reads/medium.bin';

export interface Call {
  readonly title: string;
  readonly moves?: 'more than a cut lets through';
  /** Rejects with the store's error, or with that of an expectation where the answer is wrong. */
  isRight(store: Store): Promise<unknown>;
}

/** What a store with these traits can be asked. */
export function callsOf(traits: StoreTraits, manyFiles: number): readonly Call[] {
  const { knowsSizes, canList } = traits.capabilities;
  return [
    {
      title: 'stat of a file',
      isRight: async (store) => {
        const entry = await store.stat(MEDIUM);
        expect(entry).toMatchObject({ path: MEDIUM, kind: 'file' });
        if (knowsSizes) expect(entry.sizeBytes).toBe(300_000);
      },
    },
    { title: 'stat of nothing', isRight: (store) => notFound(store.stat('basic/absent.txt')) },
    {
      title: 'read whole',
      moves: 'more than a cut lets through',
      isRight: async (store) => expectSameBytes(await readAll(store, MEDIUM), contentOf(MEDIUM)),
    },
    ...['reads/empty.bin', 'reads/one.bin'].map((path) => ({
      title: `read ${path}`,
      isRight: async (store: Store) => {
        expectSameBytes(await readAll(store, path), contentOf(path));
      },
    })),
    { title: 'read in one piece', isRight: readsInOnePiece },
    { title: 'read nothing', isRight: (store) => notFound(store.openRead('reads/absent.bin')) },
    ...(servesRanges(traits) ? [{ title: 'read a range', isRight: readsRange }] : []),
    ...(servedPin(traits) === 'none'
      ? []
      : [{ title: 'read a pinned file', isRight: readsPinned }]),
    ...(canList ? listings(manyFiles) : []),
  ];
}

function listings(manyFiles: number): Call[] {
  const many = Array.from({ length: manyFiles }, (_, index) => manyPath(index));
  return [
    {
      title: 'stat of a folder',
      isRight: async (store) => {
        expect(await store.stat('basic/nested')).toMatchObject({ kind: 'directory' });
      },
    },
    {
      title: 'list of many files',
      isRight: async (store) => {
        expect(filePaths(await listAll(store, 'many', true))).toEqual(many);
      },
    },
    {
      title: 'list of a tree',
      isRight: async (store) => {
        const expected = below('basic').map((path) => `basic/${path}`);
        expect(filePaths(await listAll(store, 'basic', true))).toEqual(
          expected.sort(compareByBytes),
        );
      },
    },
    {
      title: 'list of one level',
      isRight: async (store) => {
        const entries = await listAll(store, 'basic/nested', false);
        expect(entries.map(({ path, kind }) => [path, kind])).toEqual([
          ['basic/nested/deeper', 'directory'],
          ['basic/nested/one.txt', 'file'],
        ]);
      },
    },
    {
      title: 'list of nothing',
      isRight: (store) => notFound(listAll(store, 'basic/absent', true)),
    },
  ];
}

/** Fails as a missing file does; another error of the store goes on. */
async function notFound(asked: Promise<unknown>): Promise<void> {
  const error: unknown = await asked.then(
    () => new Error('found what is not there'),
    (reason: unknown) => reason,
  );
  if (error instanceof WaybillError && error.code === 'WB_NOT_FOUND') return;
  throw error;
}

async function readsInOnePiece(store: Store): Promise<void> {
  const opened = await store.openRead(MEDIUM, { collect: { maxBytes: 1_000_000 } });
  const chunks: Buffer[] = [];
  if (opened.bytes === undefined) {
    for await (const chunk of opened.body) chunks.push(Buffer.from(chunk as Uint8Array));
  }
  expectSameBytes(opened.bytes ?? Buffer.concat(chunks), contentOf(MEDIUM));
}

async function readsRange(store: Store): Promise<void> {
  const range = { offsetBytes: 100_000, lengthBytes: 150_000 };
  expectSameBytes(
    await readAll(store, MEDIUM, range),
    contentOf(MEDIUM).subarray(100_000, 250_000),
  );
}

async function readsPinned(store: Store): Promise<void> {
  const path = 'basic/hello.txt';
  const { pin } = await store.stat(path);
  expectSameBytes(await readAll(store, path, pin === undefined ? {} : { pin }), contentOf(path));
}
