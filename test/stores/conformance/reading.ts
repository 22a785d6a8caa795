/** Cases of the suite: reading. */
import { describe, expect, it } from '@jest/globals';
import {
  expectSameBytes,
  expectTrueDigests,
  failureOf,
  readAll,
  withStore,
} from './expectations.js';
import type { Bench } from './expectations.js';
import { servedPin, servesRanges } from './testbed.js';
import type { StoreTraits } from './testbed.js';
import { contentOf, LARGE_BYTES } from './tree.js';

/** Every store. */
export function readCases(bench: Bench, traits: StoreTraits): void {
  describe('read', () => {
    it.each(['reads/empty.bin', 'reads/one.bin', 'reads/medium.bin', 'reads/large.bin'])(
      'reads %s whole, and announces what it gives',
      (path) =>
        withStore(bench, async (store) => {
          const opened = await store.openRead(path);
          const expected = contentOf(path);
          const chunks: Buffer[] = [];
          for await (const chunk of opened.body) chunks.push(Buffer.from(chunk as Uint8Array));
          expectSameBytes(Buffer.concat(chunks), expected);
          expect(opened.offsetBytes).toBe(0);
          if (opened.sizeBytes !== undefined) expect(opened.sizeBytes).toBe(expected.length);
          if (opened.ending === 'length') expect(opened.lengthBytes).toBe(expected.length);
          expectTrueDigests(opened.digests, expected);
        }),
    );

    it('carries no digest but those that it declares, and those are true', () =>
      withStore(bench, async (store) => {
        const declared = traits.capabilities.nativeDigests;
        const entry = await store.stat('basic/hello.txt');
        const opened = await store.openRead('basic/hello.txt');
        opened.body.destroy();
        for (const digests of [entry.digests, opened.digests]) {
          for (const name of Object.keys(digests ?? {})) expect(declared).toContain(name);
          expectTrueDigests(digests, contentOf('basic/hello.txt'));
        }
      }));

    it('says of a missing file that it is not there', () =>
      withStore(bench, async (store) => {
        const read = store.openRead('reads/absent.bin');
        const error = await failureOf(bench, ['WB_NOT_FOUND'], read);
        expect(error).toMatchObject({ operation: 'openRead', path: 'reads/absent.bin' });
      }));

    it('answers 8 readers at once', () =>
      withStore(bench, async (store) => {
        const paths = Array.from({ length: 8 }, (_, index) =>
          index % 2 === 0 ? 'reads/medium.bin' : 'basic/nested/one.txt',
        );
        const bodies = await Promise.all(paths.map((path) => readAll(store, path)));
        bodies.forEach((bytes, index) => expectSameBytes(bytes, contentOf(paths[index] ?? '')));
      }));

    it('gives the same pin on reading as on stat', () =>
      withStore(bench, async (store) => {
        const entry = await store.stat('reads/medium.bin');
        const options = entry.pin === undefined ? {} : { pin: entry.pin };
        const opened = await store.openRead('reads/medium.bin', options);
        opened.body.destroy();
        expect(opened.pin).toEqual(entry.pin);
      }));

    it('can be closed twice, with a body half read', async () => {
      const store = await bench().open();
      const opened = await store.openRead('reads/large.bin');
      opened.body.once('error', () => undefined);
      opened.body.destroy();
      await store.close();
      await store.close();
    });
  });
}

/** Stores that read parts of a file. */
export function rangeCases(bench: Bench): void {
  const path = 'reads/large.bin';
  const slice = (from: number, to: number): Buffer => contentOf(path).subarray(from, to);
  describe('read, a range', () => {
    it.each([
      ['in the middle', 5_000_001, 70_001],
      ['at the start', 0, 10],
      ['of the last byte', LARGE_BYTES - 1, 1],
      ['over a part boundary', 16 * 1024 * 1024 - 5, 10],
    ])('%s', (_, offsetBytes, lengthBytes) =>
      withStore(bench, async (store) => {
        const opened = await store.openRead(path, { offsetBytes, lengthBytes });
        expect(opened.offsetBytes).toBe(offsetBytes);
        expect(opened.lengthBytes).toBe(lengthBytes);
        if (opened.sizeBytes !== undefined) expect(opened.sizeBytes).toBe(LARGE_BYTES);
        const chunks: Buffer[] = [];
        for await (const chunk of opened.body) chunks.push(Buffer.from(chunk as Uint8Array));
        expectSameBytes(Buffer.concat(chunks), slice(offsetBytes, offsetBytes + lengthBytes));
      }),
    );

    it('to the end, without a length', () =>
      withStore(bench, async (store) => {
        const bytes = await readAll(store, path, { offsetBytes: LARGE_BYTES - 1_000 });
        expectSameBytes(bytes, slice(LARGE_BYTES - 1_000, LARGE_BYTES));
      }));

    it.each([
      ['at the size', LARGE_BYTES],
      ['past the size', LARGE_BYTES + 1_000],
    ])('that starts %s is refused', (_, offsetBytes) =>
      withStore(bench, async (store) => {
        const read = store.openRead(path, { offsetBytes, lengthBytes: 10 });
        const error = await failureOf(bench, ['WB_SIZE_MISMATCH'], read);
        expect(error).toMatchObject({ operation: 'openRead', path });
      }),
    );

    it('answers 8 ranges at once', () =>
      withStore(bench, async (store) => {
        const lengthBytes = 1_000_003;
        const offsets = Array.from({ length: 8 }, (_, index) => index * 2_000_000);
        const bodies = await Promise.all(
          offsets.map((offsetBytes) => readAll(store, path, { offsetBytes, lengthBytes })),
        );
        bodies.forEach((bytes, index) => {
          const from = offsets[index] ?? 0;
          expectSameBytes(bytes, slice(from, from + lengthBytes));
        });
      }));
  });
}

/** Stores whose files can be recognised again. */
export function pinCases(bench: Bench, traits: StoreTraits): void {
  const first = Buffer.from('the first version');
  // A weak pin sees no replacement of the same length within the same second.
  const second = Buffer.from(
    servedPin(traits) === 'weak' ? 'the second, which is longer' : 'a second version!',
  );
  describe('a file replaced between stat and read', () => {
    it('rule 12: is refused as changed', () =>
      withStore(bench, async (store) => {
        const path = 'replaced/file.bin';
        await bench().seed([{ path, bytes: first }]);
        const { pin } = await store.stat(path);
        if (pin === undefined) throw new Error('stat gave no pin');
        expectSameBytes(await readAll(store, path, { pin }), first);
        await bench().seed([{ path, bytes: second }]);
        const read = store.openRead(path, { pin });
        const error = await failureOf(bench, ['WB_SOURCE_CHANGED'], read);
        expect(error).toMatchObject({ operation: 'openRead', path });
        if (!servesRanges(traits)) return;
        const range = store.openRead(path, { pin, offsetBytes: 2, lengthBytes: 3 });
        await failureOf(bench, ['WB_SOURCE_CHANGED'], range);
      }));
  });
}
