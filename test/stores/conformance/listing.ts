/** Cases of the suite: stat, list, names. */
import { describe, expect, it } from '@jest/globals';
import { compareByBytes } from '../../../src/model/object-path.js';
import { failureOf, filePaths, listAll, readAll, withStore } from './expectations.js';
import type { Bench } from './expectations.js';
import { servedPin } from './testbed.js';
import type { StoreTraits } from './testbed.js';
import { below, contentOf, manyPath } from './tree.js';

/** Every store. */
export function statCases(bench: Bench, traits: StoreTraits): void {
  const { knowsSizes, canList } = traits.capabilities;
  const pin = servedPin(traits);
  describe('stat', () => {
    it('describes a file', () =>
      withStore(bench, async (store) => {
        const entry = await store.stat('basic/hello.txt');
        expect(entry).toMatchObject({ path: 'basic/hello.txt', kind: 'file' });
        if (knowsSizes) expect(entry.sizeBytes).toBe(5);
        if (pin === 'strong' || pin === 'weak') expect(entry.pin?.strength).toBe(pin);
        if (entry.modifiedAt !== undefined) {
          expect(new Date(entry.modifiedAt).toISOString().slice(0, 19)).toBe(
            entry.modifiedAt.slice(0, 19),
          );
        }
      }));

    it('gives the same pin for an unchanged file, and another for a replaced one', () =>
      withStore(bench, async (store) => {
        const path = 'stat/replaced.txt';
        await bench().seed([{ path, bytes: Buffer.from('first') }]);
        const first = await store.stat(path);
        expect((await store.stat(path)).pin).toEqual(first.pin);
        await bench().seed([{ path, bytes: Buffer.from('the second') }]);
        const second = await store.stat(path);
        if (first.pin !== undefined) expect(second.pin).not.toEqual(first.pin);
      }));

    it('says of a missing path that it is not there', () =>
      withStore(bench, async (store) => {
        const error = await failureOf(bench, ['WB_NOT_FOUND'], store.stat('basic/absent.txt'));
        expect(error).toMatchObject({ operation: 'stat', path: 'basic/absent.txt' });
        expect(error.store).toBe(store.name);
      }));

    it('describes the root as a file where the source is a single file', () =>
      withStore(
        bench,
        async (store) => {
          expect(await store.stat('')).toMatchObject({ path: '', kind: 'file' });
          expect((await readAll(store, '')).toString()).toBe('hello');
        },
        { at: 'basic/hello.txt' },
      ));

    if (!canList) return;

    it('describes a folder, with and without a slash at its end', () =>
      withStore(bench, async (store) => {
        for (const path of ['basic/nested', 'basic/nested/']) {
          expect(await store.stat(path)).toMatchObject({ path: 'basic/nested', kind: 'directory' });
        }
      }));

    it('describes the root of a tree as a folder', async () => {
      for (const at of ['basic', 'basic/']) {
        await withStore(
          bench,
          async (store) => {
            expect(await store.stat('')).toMatchObject({ path: '', kind: 'directory' });
          },
          { at },
        );
      }
    });

    it('says of a missing root that it is not there', () =>
      withStore(
        bench,
        async (store) => {
          await failureOf(bench, ['WB_NOT_FOUND'], store.stat(''));
          await failureOf(bench, ['WB_NOT_FOUND'], listAll(store, '', true));
        },
        { at: 'no/such/place' },
      ));
  });
}

/** Stores that can list. */
export function listCases(bench: Bench, traits: StoreTraits): void {
  describe('list', () => {
    it('lists one level of the root', () =>
      withStore(
        bench,
        async (store) => {
          const entries = await listAll(store, '', false);
          expect(entries.map((entry) => [entry.path, entry.kind])).toEqual([
            ['hello.txt', 'file'],
            ['nested', 'directory'],
            ['nested.txt', 'file'],
          ]);
        },
        { at: 'basic' },
      ));

    it('lists one level of a nested folder, with paths from the root', () =>
      withStore(bench, async (store) => {
        const entries = await listAll(store, 'basic/nested', false);
        expect(entries.map((entry) => [entry.path, entry.kind])).toEqual([
          ['basic/nested/deeper', 'directory'],
          ['basic/nested/one.txt', 'file'],
        ]);
      }));

    it('lists everything below the root', async () => {
      for (const at of ['basic', 'basic/']) {
        await withStore(
          bench,
          async (store) => {
            const entries = await listAll(store, '', true);
            expect(filePaths(entries)).toEqual(below('basic').sort(compareByBytes));
          },
          { at },
        );
      }
    });

    it('takes a prefix with a slash at its end for the same folder', () =>
      withStore(bench, async (store) => {
        expect(await listAll(store, 'basic/nested/', true)).toEqual(
          await listAll(store, 'basic/nested', true),
        );
      }));

    it('never lists the prefix itself, nor anything outside it', () =>
      withStore(bench, async (store) => {
        for (const recursive of [true, false]) {
          for (const { path } of await listAll(store, 'basic', recursive)) {
            expect(path.startsWith('basic/')).toBe(true);
            expect(path.endsWith('/')).toBe(false);
            expect(path.split('/')).not.toContain('..');
            expect(path.split('/')).not.toContain('.');
            expect(path.split('/')).not.toContain('');
          }
        }
      }));

    it('answers in the listing what stat answers', () =>
      withStore(bench, async (store) => {
        const entries = await listAll(store, 'basic', true);
        for (const entry of entries.filter(({ kind }) => kind === 'file')) {
          const stat = await store.stat(entry.path);
          expect(stat.kind).toBe('file');
          if (entry.sizeBytes !== undefined) expect(stat.sizeBytes).toBe(entry.sizeBytes);
          if (entry.pin !== undefined) expect(stat.pin).toEqual(entry.pin);
          if (traits.capabilities.knowsSizes) {
            expect(entry.sizeBytes).toBe(contentOf(entry.path).length);
          }
        }
      }));

    it('says of a missing prefix that it is not there', () =>
      withStore(bench, async (store) => {
        const listing = listAll(store, 'basic/absent', true);
        const error = await failureOf(bench, ['WB_NOT_FOUND'], listing);
        expect(error).toMatchObject({ operation: 'list', path: 'basic/absent' });
      }));

    if (traits.hasEmptyFolders === true) {
      it('knows an empty folder', () =>
        withStore(bench, async (store) => {
          await bench().seed([{ path: 'hollow/empty', folder: true }]);
          expect(await listAll(store, 'hollow', true)).toEqual([
            expect.objectContaining({ path: 'hollow/empty', kind: 'directory' }),
          ]);
          expect(await listAll(store, 'hollow/empty', true)).toEqual([]);
          expect(await store.stat('hollow/empty')).toMatchObject({ kind: 'directory' });
        }));
    }
  });
}

/** Listings of more than one page. */
export function pagingCases(bench: Bench, traits: StoreTraits, manyFiles: number): void {
  describe('a listing of more than one page', () => {
    it('has every file once, and in order where the store says so', () =>
      withStore(bench, async (store) => {
        const paths: string[] = [];
        for await (const entry of store.list('many', { recursive: true })) paths.push(entry.path);
        const expected = Array.from({ length: manyFiles }, (_, index) => manyPath(index));
        if (!traits.capabilities.listsInOrder) paths.sort(compareByBytes);
        expect(paths).toEqual(expected);
      }));

    it('has every file once on one level', () =>
      withStore(bench, async (store) => {
        const entries = await listAll(store, 'many', false);
        expect(new Set(filePaths(entries)).size).toBe(manyFiles);
        expect(entries).toHaveLength(manyFiles);
      }));

    it('ends when the caller stops listening, or aborts', () =>
      withStore(bench, async (store) => {
        for await (const entry of store.list('many', { recursive: true })) {
          expect(entry.path).toBe(manyPath(0));
          break;
        }
        const reason = new Error('enough');
        const signal = AbortSignal.abort(reason);
        const listing = store.list('many', { recursive: true, signal })[Symbol.asyncIterator]();
        await expect(listing.next()).rejects.toBe(reason);
      }));
  });
}

/** Names that break naive encoders. */
export function nameCases(
  bench: Bench,
  traits: StoreTraits,
  names: readonly (readonly [string, string])[],
): void {
  describe('names', () => {
    if (traits.capabilities.canList) {
      it('lists every awkward name as it is', () =>
        withStore(bench, async (store) => {
          const expected = names.map(([, name]) => `names/${name}`).sort(compareByBytes);
          expect(filePaths(await listAll(store, 'names', true))).toEqual(expected);
          expect(filePaths(await listAll(store, 'names', false))).toEqual(expected);
        }));
    }
    it.each(names)('reads a name with %s', (_, name) =>
      withStore(bench, async (store) => {
        const path = `names/${name}`;
        expect((await readAll(store, path)).toString()).toBe(`named ${name}`);
        expect(await store.stat(path)).toMatchObject({ path, kind: 'file' });
      }),
    );
  });
}
