/** What is already at the destination: design 2, `--if-exists`, `--checksum`, `--prune`, `--replace-source`. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import {
  appendFile,
  mkdir,
  readdir,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { OldTruth } from '../../src/transfer/old-truth.js';
import { sealTree } from '../../src/transfer/seal-tree.js';
import { verifyTree } from '../../src/transfer/verify.js';
import { contextOf, engineOf, pullWith, requestOf } from '../helpers/engine.js';
import { put, text, ThereBed } from '../helpers/there.js';
import { digestsOfTree } from '../helpers/tree.js';

let bed: ThereBed;

beforeAll(async () => {
  bed = await ThereBed.open('there');
});
afterAll(() => bed.close());

const recordOf = (to: string): Promise<Map<string, string>> => digestsOfTree(`${to}/.waybill`);

describe('conflicts', () => {
  it('design 2: the first names are listed, and nothing is touched (exit 9)', async () => {
    const names = Array.from({ length: 13 }, (_, index) => `f${String(index).padStart(2, '0')}`);
    const files = Object.fromEntries(names.map((name) => [name, `new ${name}`]));
    const { from, to } = await bed.fresh({ ...files, ours: '1' });
    await bed.pull(from, to, { filters: { include: ['ours'], exclude: [] } });
    await put(to, Object.fromEntries(names.map((name) => [name, `my ${name}`])));
    await put(from, { ours: '2', fresh: 'x' });
    const [before, record] = [await digestsOfTree(to), await recordOf(to)];
    const failed = bed.pull(from, to);
    await expect(failed).rejects.toMatchObject({ exitCode: 9, code: 'WB_CONFLICT' });
    const { message } = (await failed.catch((error: unknown) => error)) as Error;
    for (const name of names.slice(0, 10)) expect(message).toContain(`${name} (Waybill did not`);
    expect(message).toContain('13 files');
    expect(message).toContain('and 3 more');
    expect(await digestsOfTree(to)).toEqual(before);
    for (const name of ['receipt.json', 'manifest.ndjson', 'SHA256SUMS']) {
      expect((await recordOf(to)).get(name)).toBe(record.get(name));
    }
  });

  it('design 2: fail refuses a destination that holds anything, and is no obstacle to itself', async () => {
    const { from, to } = await bed.fresh({ a: 'a' });
    await mkdir(to);
    await put(to, { '.hidden': '' });
    await expect(bed.pull(from, to, { ifExists: 'fail' })).rejects.toMatchObject({ exitCode: 9 });
    expect(await readdir(to)).toEqual(['.hidden']);
    await rm(join(to, '.hidden'));
    await mkdir(join(to, 'empty'));
    await expect(bed.pull(from, to, { ifExists: 'fail' })).rejects.toMatchObject({ exitCode: 9 });
    await rm(to, { recursive: true });
    // Interrupted after its first file, it goes on.
    await put(from, { b: 'b' });
    const { ref } = await bed.planned(from, to, { ifExists: 'fail' });
    await bed.engine.fetchUnit({ ref, page: 0, unit: 0 }, contextOf());
    await bed.engine.release({ ref });
    expect(await bed.pull(from, to, { ifExists: 'fail' })).toMatchObject({ ok: true, files: 2 });
    // A sealed tree, or what an update has left, is something.
    await expect(bed.pull(from, to, { ifExists: 'fail' })).rejects.toMatchObject({ exitCode: 9 });
    const file = requestOf(join(from, 'a'), join(to, 'b'), { ifExists: 'fail' });
    await expect(pullWith(bed.engine, file)).rejects.toMatchObject({ exitCode: 9 });
  });

  it('a file in the place of a folder, and a folder in the place of a file, are conflicts before a byte is fetched', async () => {
    const { from, to } = await bed.fresh({ 'a/b/c': 'c', d: 'd' });
    await mkdir(join(from, 'void'));
    await put(to, { a: 'a file', 'd/e': 'below', void: 'a file' });
    const before = await digestsOfTree(to);
    const failed = await bed.pull(from, to).catch((error: unknown) => error as Error);
    expect(failed).toMatchObject({ exitCode: 9 });
    const { message } = failed as Error;
    expect(message).toContain('a/b/c (a file is in the place of its folder)');
    expect(message).toContain('d (a folder or a link is in its place)');
    expect(message).toContain('void (a file is in the place of a folder)');
    expect(await digestsOfTree(to)).toEqual(before);
  });

  it('design 2: a different source into a sealed destination is one, unless --replace-source', async () => {
    const { from, to } = await bed.fresh({ a: 'a', only: 'here' });
    await bed.pull(from, to);
    const { from: other } = await bed.fresh({ a: 'b' });
    await expect(bed.pull(other, to)).rejects.toMatchObject({
      exitCode: 9,
      message: expect.stringContaining('--replace-source'),
    });
    expect(await bed.pull(`${from}/`, to)).toMatchObject({ ok: true });
    // Also while the record of the first source lies aside (rule 19).
    await new OldTruth(join(to, '.waybill')).setAside();
    await expect(bed.pull(other, to)).rejects.toMatchObject({ exitCode: 9 });
    const replaced = await bed.pull(other, to, { replaceSource: true });
    expect(replaced).toMatchObject({ ok: true, files: 1, filesStale: 1 });
    expect([await text(join(to, 'a')), await text(join(to, 'only'))]).toEqual(['b', 'here']);
  });
});

describe('--checksum', () => {
  it('design 2: hashes instead of comparing times: a touched file is kept, an edited one is a conflict', async () => {
    const { from, to } = await bed.fresh({ model: 'bytes', other: 'o' });
    await sealTree(from, { waybill: 'test' });
    await bed.pull(from, to);
    await utimes(join(to, 'model'), 1, 1);
    await put(from, { other: 'p' });
    await sealTree(from, { waybill: 'test' });
    await rm(join(from, '.waybill'), { recursive: true });
    await expect(bed.pull(from, to)).rejects.toMatchObject({
      message: expect.stringMatching(/it was changed since[^]*--checksum/),
    });
    expect(await bed.pull(from, to, { checksum: true })).toMatchObject({ ok: true });
    await put(to, { model: 'BYTES' });
    const edited = bed.pull(from, to, { checksum: true });
    await expect(edited).rejects.toMatchObject({ exitCode: 9 });
    expect(await text(join(to, 'model'))).toBe('BYTES');
  });
});

describe('everything in place', () => {
  it('design 4: a SHA256SUMS that was removed or edited comes back', async () => {
    const { from, to } = await bed.fresh({ a: '1', 'b/c': '2' });
    await sealTree(from, { waybill: 'test' });
    await bed.pull(from, to);
    const sums = join(to, '.waybill/SHA256SUMS');
    const before = await text(sums);
    await rm(sums);
    expect(await bed.pull(from, to)).toMatchObject({ ok: true, filesKept: 2 });
    expect(await text(sums)).toBe(before);
    await appendFile(sums, 'more');
    expect(await bed.pull(from, to)).toMatchObject({ ok: true, filesKept: 2 });
    expect(await text(sums)).toBe(before);
    expect(await verifyTree(to)).toMatchObject({ ok: true });
  });
});

describe('files that the source no longer has', () => {
  it('design 2: are kept, reported as stale and still known; one that comes back is not stale', async () => {
    const { from, to } = await bed.fresh({ stays: '1', goes: '2' });
    await sealTree(from, { waybill: 'test' });
    await bed.pull(from, to);
    await rename(join(from, 'goes'), join(bed.root, 'goes'));
    await sealTree(from, { waybill: 'test' });
    expect(await bed.pull(from, to)).toMatchObject({ filesStale: 1, files: 1 });
    expect(await text(join(to, '.waybill/SHA256SUMS'))).not.toContain('goes');
    expect(await verifyTree(to)).toMatchObject({ ok: true, counts: { stale: 1, extra: 0 } });
    await rename(join(bed.root, 'goes'), join(from, 'goes'));
    await sealTree(from, { waybill: 'test' });
    const back = await bed.pull(from, to);
    expect(back).toMatchObject({ filesStale: 0, files: 2, bytesFetched: 0, filesKept: 2 });
    expect(await text(join(to, '.waybill/SHA256SUMS'))).toContain('goes');
  });

  it('design 2: what the filters leave out is not stale, stays known, and --prune spares it', async () => {
    const { from, to } = await bed.fresh({ 'a.bin': '1', 'b.txt': '2', 'c.bin': '3' });
    await sealTree(from, { waybill: 'test' });
    await bed.pull(from, to);
    await rename(join(from, 'c.bin'), join(bed.root, 'c.bin'));
    await rename(join(from, 'b.txt'), join(bed.root, 'b.txt'));
    await sealTree(from, { waybill: 'test' });
    const filters = { include: ['*.bin'], exclude: [] };
    for (const prune of [false, true]) {
      const part = await bed.pull(from, to, { filters, prune });
      expect(part).toMatchObject({ ok: true, files: 1, filesKept: 1, filesStale: 1 });
      const found = await verifyTree(to);
      expect(found).toMatchObject({ ok: true, counts: { stale: 1, extra: 0 } });
      expect(found.findings.map(({ path }) => path)).toEqual(['c.bin']);
      expect(await readdir(to)).toEqual(expect.arrayContaining(['a.bin', 'b.txt', 'c.bin']));
    }
    // Asked for again it is known: edited by nobody, it may be replaced, and gone at the source it is stale.
    const all = await bed.pull(from, to);
    expect(all).toMatchObject({ ok: true, files: 1, filesStale: 2 });
    expect(await verifyTree(to)).toMatchObject({ counts: { stale: 2, extra: 0 } });
    await put(from, { 'b.txt': 'new' });
    await sealTree(from, { waybill: 'test' });
    const again = await bed.pull(from, to, { filters: { include: ['b.txt'], exclude: [] } });
    expect(again).toMatchObject({ ok: true, files: 1, filesFetched: 1, filesStale: 0 });
    const whole = await bed.pull(from, to, { prune: true });
    expect(whole).toMatchObject({ ok: true, files: 2, filesFetched: 0, filesKept: 2 });
    expect((await readdir(to)).sort()).toEqual(['.waybill', 'a.bin', 'b.txt']);
  });

  it('design 2: --prune removes what still hashes to the manifest, and nothing that Waybill did not write', async () => {
    const { from, to } = await bed.fresh({
      stays: '1',
      'deep/er/goes': '2',
      edited: '3',
      adopted: '4',
    });
    await sealTree(from, { waybill: 'test' });
    // It was there before, with the right bytes: kept, and not written by Waybill.
    await put(to, { adopted: '4', foreign: 'f' });
    await bed.pull(from, to);
    for (const name of ['deep', 'edited', 'adopted', '.waybill']) {
      await rm(join(from, name), { recursive: true });
    }
    await put(to, { edited: 'my own' });
    const pruned = await bed.pull(from, to, { prune: true });
    expect(pruned).toMatchObject({ ok: true, files: 1, filesStale: 2 });
    expect((await readdir(to)).sort()).toEqual([
      '.waybill',
      'adopted',
      'edited',
      'foreign',
      'stays',
    ]);
    const receipt = JSON.parse(await text(join(to, '.waybill/receipt.json'))) as object;
    expect(receipt).toMatchObject({
      pruned: { count: 1, first: ['deep/er/goes'] },
      stale: { count: 2, first: ['adopted', 'edited'] },
    });
  });

  it('design 2: --prune removes nothing after a filtered listing, or where a file failed', async () => {
    const { from, to } = await bed.fresh({ stays: '1', goes: '2', fails: '3' });
    await bed.pull(from, to);
    await rm(join(from, 'goes'));
    const filters = { include: ['stays'], exclude: [] };
    await bed.pull(from, to, { prune: true, filters });
    expect(existsSync(join(to, 'goes'))).toBe(true);
    await rm(join(from, 'fails'));
    await symlink('/etc/hostname', join(from, 'fails'));
    expect(await bed.pull(from, to, { prune: true })).toMatchObject({ ok: false, filesFailed: 1 });
    expect(existsSync(join(to, 'goes'))).toBe(true);
    await rm(join(from, 'fails'));
    expect(await bed.pull(from, to, { prune: true })).toMatchObject({ ok: true, filesStale: 0 });
    expect((await readdir(to)).sort()).toEqual(['.waybill', 'stays']);
  });

  it('rule 21: --prune follows no link that leads out', async () => {
    const { from, to } = await bed.fresh({ 'sub/goes': 'bytes', stays: '1' });
    await bed.pull(from, to);
    const outside = join(bed.root, 'outside-prune');
    await rename(join(to, 'sub'), outside);
    await symlink(outside, join(to, 'sub'));
    await rm(join(from, 'sub'), { recursive: true });
    await bed.pull(from, to, { prune: true });
    expect(await readdir(outside)).toEqual(['goes']);
  });

  it('what an interrupted pull brought and the source has dropped since is stale, not a stranger', async () => {
    const { from, to } = await bed.fresh({ first: '1', second: '2' });
    const { ref } = await bed.planned(from, to);
    await bed.engine.fetchUnit({ ref, page: 0, unit: 0 }, contextOf());
    await bed.engine.release({ ref });
    const [brought = ''] = (await readdir(to)).filter((name) => name !== '.waybill');
    await rm(join(from, brought));
    expect(await bed.pull(from, to)).toMatchObject({ ok: true, files: 1, filesStale: 1 });
    expect(await verifyTree(to)).toMatchObject({ ok: true, counts: { extra: 0, stale: 1 } });
  });
});

describe('a tree that Waybill did not write', () => {
  it('design 2: a manifest of waybill seal at the destination makes no file Waybill’s own', async () => {
    const { from, to } = await bed.fresh({ model: 'theirs' });
    await put(to, { model: 'mine!!', gone: 'kept' });
    await sealTree(to, { waybill: 'test' });
    for (const changes of [{}, { checksum: true }]) {
      await expect(bed.pull(from, to, changes)).rejects.toMatchObject({
        message: expect.stringContaining('model (Waybill did not write it)'),
      });
    }
    await bed.pull(from, to, { ifExists: 'overwrite', prune: true });
    expect(await text(join(to, 'gone'))).toBe('kept');
  });

  it('design 2: one that had the right bytes is kept, and a conflict once the source has others', async () => {
    const { from, to } = await bed.fresh({ model: 'same' });
    await sealTree(from, { waybill: 'test' });
    await put(to, { model: 'same' });
    expect(await bed.pull(from, to)).toMatchObject({ ok: true, filesKept: 1, bytesFetched: 0 });
    await put(from, { model: 'next' });
    await rm(join(from, '.waybill'), { recursive: true });
    await expect(bed.pull(from, to)).rejects.toMatchObject({ exitCode: 9 });
    expect(await text(join(to, 'model'))).toBe('same');
  });

  it('design 2: skip leaves a file that Waybill wrote, and still knows that it did', async () => {
    const { from, to } = await bed.fresh({ model: 'one' });
    await bed.pull(from, to);
    await put(from, { model: 'two' });
    const skipped = await bed.pull(from, to, { ifExists: 'skip' });
    expect(skipped).toMatchObject({ ok: true, filesSkipped: 1, filesStale: 0 });
    expect(await text(join(to, 'model'))).toBe('one');
    expect(await bed.pull(from, to)).toMatchObject({ ok: true, filesFetched: 1 });
    expect(await text(join(to, 'model'))).toBe('two');
  });
});

describe('rule 19: the record of the last pull', () => {
  it('rule 19: lies aside after a kill before the first new byte; the next pull knows what Waybill wrote', async () => {
    const { from, to } = await bed.fresh({ a: '1', b: '2' });
    await bed.pull(from, to);
    await put(from, { a: '11' });
    await rm(join(from, 'b'));
    await bed.planned(from, to);
    await new OldTruth(join(to, '.waybill')).setAside();
    expect((await readdir(join(to, '.waybill/previous'))).sort()).toEqual([
      'SHA256SUMS',
      'manifest.ndjson',
      'receipt.json',
    ]);
    await expect(verifyTree(to)).rejects.toThrow(/has not finished/);
    const again = engineOf();
    const result = await pullWith(again, requestOf(from, to, { prune: true }));
    expect(result).toMatchObject({ ok: true, filesFetched: 1, filesStale: 0 });
    expect(await text(join(to, 'a'))).toBe('11');
    expect((await readdir(to)).sort()).toEqual(['.waybill', 'a']);
    expect(await verifyTree(to)).toMatchObject({ ok: true });
    await again.close();
  });

  it('rule 19: a kill between two of its files loses neither of them', async () => {
    const { from, to } = await bed.fresh({ a: '1' });
    await bed.pull(from, to);
    const record = join(to, '.waybill');
    await mkdir(join(record, 'previous'));
    await rename(join(record, 'receipt.json'), join(record, 'previous/receipt.json'));
    await expect(verifyTree(to)).rejects.toMatchObject({ code: 'WB_NOT_FOUND' });
    await put(from, { a: '22' });
    expect(await bed.pull(from, to)).toMatchObject({ ok: true, filesFetched: 1 });
  });

  it('a pull that finds everything in place leaves the lists as they are, and its receipt tells of it', async () => {
    const { from, to } = await bed.fresh({ a: '1' });
    await sealTree(from, { waybill: 'test' });
    await pullWith(bed.engine, requestOf(from, to), 'first run');
    const record = join(to, '.waybill');
    const before = await stat(join(record, 'manifest.ndjson'));
    await pullWith(bed.engine, requestOf(from, to), 'second run');
    expect((await stat(join(record, 'manifest.ndjson'))).ino).toBe(before.ino);
    expect(JSON.parse(await text(join(record, 'receipt.json')))).toMatchObject({
      counts: { files: 1, filesFetched: 0, filesKept: 1 },
      bytesFetched: 0,
      pull: { runId: 'second run' },
    });
    execFileSync('sha256sum', ['--strict', '--quiet', '-c', '.waybill/SHA256SUMS'], { cwd: to });
  });
});

it('an edit is a conflict however it was made: the ctime cannot be set back', async () => {
  const { from, to } = await bed.fresh({ model: 'one' });
  await bed.pull(from, to);
  await put(from, { model: 'two' });
  const model = join(to, 'model');
  const { atime, mtime } = await stat(model);
  await appendFile(model, '!');
  await writeFile(model, 'own');
  await utimes(model, atime, mtime);
  await expect(bed.pull(from, to)).rejects.toMatchObject({ exitCode: 9 });
  expect(await text(model)).toBe('own');
});
