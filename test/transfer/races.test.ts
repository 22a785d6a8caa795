/** A file that somebody makes, edits or replaces while a pull runs is never lost (design 2). */
import { existsSync } from 'node:fs';
import {
  link,
  lstat,
  readdir,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ManifestEntry } from '../../src/manifest/index.js';
import { readLastManifest } from '../../src/transfer/last-manifest.js';
import { pruneFile } from '../../src/transfer/prune.js';
import { namesTaken, namesTaskOf, takeNames } from '../../src/transfer/thread/take-names.js';
import type { NameToTake } from '../../src/transfer/thread/tasks.js';
import { sealTree } from '../../src/transfer/seal-tree.js';
import { contextOf, engineOf, pullWith, requestOf } from '../helpers/engine.js';
import { put, text, ThereBed } from '../helpers/there.js';

let bed: ThereBed;

beforeAll(async () => {
  bed = await ThereBed.open('races');
});
afterAll(() => bed.close());

describe('a file that somebody touches while the pull runs', () => {
  it('design 2: one that was made between plan and publish is not overwritten under update', async () => {
    const { from, to } = await bed.fresh({ mine: 'theirs', other: 'o' });
    const { fetch, seal } = await bed.planned(from, to);
    await put(to, { mine: 'mine' });
    expect(await fetch()).toEqual([
      'WB_CONFLICT: mine was made by somebody else while the pull ran, and is left as it is',
    ]);
    expect(await text(join(to, 'mine'))).toBe('mine');
    const result = await seal();
    expect(result).toMatchObject({ ok: false, exitCode: 3, filesFetched: 1, filesFailed: 1 });
    expect(existsSync(join(to, '.waybill/receipt.json'))).toBe(false);
    await expect(bed.pull(from, to)).rejects.toMatchObject({ exitCode: 9 });
    await rm(join(to, 'mine'));
    expect(await bed.pull(from, to)).toMatchObject({ ok: true });
  });

  it.each([
    ['in place, with the same size and time', 'edited'],
    ['by an editor that renames a new file over it', 'saved'],
    ['by a link', 'linked'],
  ] as const)(
    'design 2: one that Waybill wrote and that is changed %s between plan and publish is not lost',
    async (_how, kind) => {
      const { from, to } = await bed.fresh({ model: 'one' });
      await bed.pull(from, to);
      await put(from, { model: 'two' });
      const { fetch } = await bed.planned(from, to);
      const model = join(to, 'model');
      const before = await stat(model);
      if (kind === 'edited') {
        await writeFile(model, 'own');
        await utimes(model, before.atime, before.mtime);
      } else {
        await writeFile(join(to, 'new'), 'own');
        if (kind === 'saved') await rename(join(to, 'new'), model);
        else {
          await rm(model);
          await symlink('new', model);
        }
      }
      expect(await fetch()).toEqual([
        'WB_CONFLICT: model was changed while the pull ran, and is left as it is',
      ]);
      expect(await text(model)).toBe('own');
      expect((await lstat(model)).isSymbolicLink()).toBe(kind === 'linked');
    },
  );

  it('design 2: overwrite replaces also what came in between, skip and fail do not', async () => {
    for (const ifExists of ['overwrite', 'skip', 'fail'] as const) {
      const { from, to } = await bed.fresh({ model: 'theirs' });
      const { fetch } = await bed.planned(from, to, { ifExists });
      await put(to, { model: 'mine' });
      expect((await fetch()).length).toBe(ifExists === 'overwrite' ? 0 : 1);
      expect(await text(join(to, 'model'))).toBe(ifExists === 'overwrite' ? 'theirs' : 'mine');
    }
  });

  it('rule 19: a file that is edited before the seal makes no receipt, fetched or kept', async () => {
    const { from, to } = await bed.fresh({ kept: 'k', fetched: 'f' });
    await sealTree(from, { waybill: 'test' });
    await bed.pull(from, to);
    await rm(join(to, 'fetched'));
    const { fetch, seal } = await bed.planned(from, to);
    await fetch();
    await writeFile(join(to, 'kept'), 'K');
    await writeFile(join(to, 'fetched'), 'F');
    const result = await seal();
    expect(result.failures.map(({ path, code }) => `${path} ${code}`).sort()).toEqual([
      'fetched WB_LOCAL_DAMAGE',
      'kept WB_LOCAL_DAMAGE',
    ]);
    expect(existsSync(join(to, '.waybill/receipt.json'))).toBe(false);
  });

  it('a file is ours after a kill between its two names, and is replaced when the source has another', async () => {
    const { from, to } = await bed.fresh({ model: 'one' });
    const { ref, fetch } = await bed.planned(from, to);
    await fetch();
    const folder = join(ref.recordDir, 'journal');
    const journal = join(folder, (await readdir(folder))[0] ?? '');
    const lines = (await text(journal)).split('\n');
    await writeFile(
      journal,
      lines.filter((line) => !/"kind":"(fetched|durable)"/.test(line)).join('\n'),
    );
    const [, name = ''] = /"partialName":"([^"]+)"/.exec(lines.join('')) ?? [];
    await link(join(to, 'model'), join(ref.recordDir, 'partial', name));
    const again = engineOf();
    await again.fetchUnit({ ref, page: 0, unit: 0 }, contextOf());
    expect((await stat(join(to, 'model'))).nlink).toBe(1);
    expect(await again.seal({ ref }, contextOf())).toMatchObject({ ok: true, bytesFetched: 0 });
    await put(from, { model: 'two' });
    expect(await pullWith(again, requestOf(from, to))).toMatchObject({ ok: true });
    expect(await text(join(to, 'model'))).toBe('two');
    await again.close();
  });

  it('rule 13: what another process has published for the same unit is taken as it is', async () => {
    const { from, to } = await bed.fresh({ model: 'one' });
    const { ref, fetch, seal } = await bed.planned(from, to);
    const other = engineOf();
    // This engine has read the journal already, the other one writes to it afterwards.
    await bed.engine.nameUnits({ ref, page: 0, from: 0 });
    await other.fetchUnit({ ref, page: 0, unit: 0 }, contextOf());
    const { ino } = await stat(join(to, 'model'));
    expect(await fetch()).toEqual([]);
    expect((await stat(join(to, 'model'))).ino).toBe(ino);
    expect(await seal()).toMatchObject({ ok: true, filesFetched: 1 });
    await other.close();
  });

  it.each([
    ['saved anew', true],
    ['edited in place', false],
  ] as const)('design 2: one that is %s between hash and removal is not lost', async (_, isNew) => {
    const { from, to } = await bed.fresh({ goes: 'old' });
    await bed.pull(from, to);
    const last = await readLastManifest(join(to, '.waybill'));
    const entry = (await last.get('goes')) as ManifestEntry;
    const hashFile = async (path: string): Promise<string> => {
      const sha256 = createHash('sha256')
        .update(await readFile(path))
        .digest('hex');
      const edited = isNew ? join(to, 'new') : join(to, 'goes');
      await writeFile(edited, 'own');
      if (isNew) await rename(edited, join(to, 'goes'));
      return sha256;
    };
    const context = {
      filesRoot: to,
      partialDir: join(to, '.waybill/partial'),
      hashFile,
      pool: {
        takeNames: async (names: readonly NameToTake[]) =>
          namesTaken(names.length, await takeNames(namesTaskOf(names))),
      },
    };
    expect(await pruneFile(context, entry)).toBe(false);
    expect(await text(join(to, 'goes'))).toBe('own');
    expect(await readdir(context.partialDir)).toEqual([]);
  });
});
