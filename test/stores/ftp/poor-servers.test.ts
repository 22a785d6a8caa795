/** Servers that lack SIZE, MDTM, REST or MLSD, or list as Windows does: against one made by hand. */
import { afterEach, describe, expect, it } from '@jest/globals';
import { WaybillError } from '../../../src/model/errors.js';
import type { OpenObject, Store } from '../../../src/stores/store.js';
import { dosLine, startScripted, unixLine, type Script, type ScriptedServer } from './scripted.js';
import { openFtp } from './testbed.js';

const FILES = { '/models/a.bin': 'aaaaa', '/models/sub folder/b.bin': 'bb', '/top.txt': 'top' };
const stops: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

async function serve(
  script: Partial<Script> = {},
): Promise<{ store: Store; server: ScriptedServer }> {
  const server = await startScripted({ files: FILES, lacks: [], line: unixLine, ...script });
  const store = await openFtp(`ftp://127.0.0.1:${server.port}/`);
  stops.push(() => store.close(), server.stop);
  return { store, server };
}

async function textOf({ body }: OpenObject): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

async function listed(store: Store, prefix = ''): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const { path, kind, sizeBytes } of store.list(prefix, { recursive: true })) {
    found.push([path, kind, ...(sizeBytes === undefined ? [] : [sizeBytes])]);
  }
  return found;
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return error instanceof WaybillError ? error.code : String(error);
}

const TREE = [
  ['models', 'directory'],
  ['models/a.bin', 'file', 5],
  ['models/sub folder', 'directory'],
  ['models/sub folder/b.bin', 'file', 2],
  ['top.txt', 'file', 3],
];

describe('a listing', () => {
  it.each([
    ['of Windows, by a server that takes -a', { line: dosLine }],
    ['by one that looks for a file -a (550)', { listsLetter: '550 no such file' }],
    ['by one that calls it busy (450)', { line: dosLine, listsLetter: '450 cannot be listed' }],
    ['by one that takes no arguments (501)', { listsLetter: '501 no arguments' }],
  ])('%s', async (_how, script) => {
    const { store, server } = await serve(script);
    expect(await listed(store)).toEqual(TREE);
    expect(await listed(store, 'models/sub folder')).toEqual(TREE.slice(3, 4));
    // What it does not know is asked once, not in every folder.
    const letters = server.commands.filter((one) => one === 'LIST -a').length;
    expect(letters).toBe('listsLetter' in script ? 1 : 4);
  });
});

describe('a server without SIZE', () => {
  const without = { lacks: ['SIZE'] };

  it('gives files whose end is that of the connection, and says which are missing', async () => {
    const { store } = await serve(without);
    const opened = await store.openRead('models/a.bin');
    expect([opened.ending, opened.lengthBytes, opened.pin]).toEqual([
      'close',
      undefined,
      undefined,
    ]);
    expect(await textOf(opened)).toBe('aaaaa');
    expect(await store.stat('models/a.bin')).toMatchObject({ kind: 'file' });
    expect(await store.stat('models')).toMatchObject({ kind: 'directory' });
    expect(await codeOf(store.stat('absent'))).toBe('WB_NOT_FOUND');
    expect(await codeOf(store.openRead('absent'))).toBe('WB_NOT_FOUND');
  });
});

describe('a server without SIZE and MDTM', () => {
  const without = { lacks: ['SIZE', 'MDTM'], line: dosLine };

  it('gives files, folders and what is missing all the same', async () => {
    const { store } = await serve(without);
    expect(await store.stat('models/a.bin')).toMatchObject({ kind: 'file', sizeBytes: 5 });
    expect(await store.stat('models')).toMatchObject({ kind: 'directory' });
    expect(await codeOf(store.stat('models/absent'))).toBe('WB_NOT_FOUND');
    expect(await codeOf(store.openRead('models/absent'))).toBe('WB_NOT_FOUND');
    expect(await codeOf(listed(store, 'top.txt'))).toBe('WB_NOT_FOUND');
    const opened = await store.openRead('top.txt');
    expect([opened.ending, opened.pin]).toEqual(['close', undefined]);
    expect(await textOf(opened)).toBe('top');
  });
});

it('a server without REST gives a file from its beginning, and says so', async () => {
  const { store } = await serve({ lacks: ['REST'] });
  const opened = await store.openRead('models/a.bin', { offsetBytes: 2, lengthBytes: 2 });
  expect([opened.offsetBytes, opened.lengthBytes]).toEqual([0, 5]);
  expect(await textOf(opened)).toBe('aaaaa');
});

it('a server with all of it goes on in the middle', async () => {
  const { store } = await serve();
  const opened = await store.openRead('models/a.bin', { offsetBytes: 2 });
  expect([opened.offsetBytes, opened.lengthBytes]).toEqual([2, 3]);
  expect(await textOf(opened)).toBe('aaa');
});
