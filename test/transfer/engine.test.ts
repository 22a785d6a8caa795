import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import {
  appendFile,
  mkdir,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { TransferEngine } from '../../src/transfer/api.js';
import { sealTree } from '../../src/transfer/seal-tree.js';
import { contextOf, engineOf, pullWith, requestOf, scratch } from '../helpers/engine.js';

const OLD = new Date('2024-01-02T03:04:05.500Z');

async function put(root: string, files: Record<string, string | Buffer>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    const absolute = join(root, path);
    await mkdir(join(absolute, '..'), { recursive: true });
    await writeFile(absolute, content);
    await utimes(absolute, OLD, OLD);
  }
}

const sha256 = (content: string | Buffer): string =>
  createHash('sha256').update(content).digest('hex');

describe('the transfer engine on a tree on disk', () => {
  let engine: TransferEngine;
  let root: string;
  let source: string;
  let next = 0;

  const fresh = async (files: Record<string, string | Buffer>): Promise<[string, string]> => {
    next += 1;
    source = join(root, `source-${next}`);
    await mkdir(source);
    await put(source, files);
    return [source, join(root, `destination-${next}`)];
  };

  beforeAll(async () => {
    root = await scratch('engine');
    engine = engineOf();
  });

  afterAll(async () => {
    await engine.close();
    await rm(root, { recursive: true, force: true });
  });

  it('brings the same bytes, names, times and empty folders, and sha256sum agrees', async () => {
    const [from, to] = await fresh({ 'a/b.txt': 'b', 'new\nline': 'n', empty: '', '.dot': 'd' });
    await mkdir(join(from, 'void'));
    const result = await pullWith(engine, requestOf(from, to));
    expect(result).toMatchObject({ ok: true, files: 4, filesFetched: 4, levels: { size: 4 } });
    expect((await stat(join(to, 'a/b.txt'))).mtimeMs).toBe(OLD.getTime());
    expect(await readdir(join(to, 'void'))).toEqual([]);
    execFileSync('sha256sum', ['--strict', '--quiet', '-c', '.waybill/SHA256SUMS'], { cwd: to });
  });

  it('leaves only the record behind, and rule 20: a seal that runs twice answers the same', async () => {
    const [from, to] = await fresh({ one: '1' });
    const request = requestOf(from, to);
    const context = contextOf();
    const resolved = await engine.resolve({ request }, context);
    const { ref } = await engine.claim({ pullId: 'p', runId: 'seal', request, resolved }, context);
    await engine.planPage({ ref, page: 0 }, context);
    await engine.fetchUnit({ ref, page: 0, unit: 0 }, context);
    const first = await engine.seal({ ref }, context);
    expect(await engine.seal({ ref }, context)).toEqual(first);
    expect((await readdir(join(to, '.waybill'))).sort()).toEqual([
      'SHA256SUMS',
      'destination.json',
      'manifest.ndjson',
      'receipt.json',
    ]);
  });

  it('rule 6: a destination with a living owner is refused, and its ancestor too', async () => {
    const [from, to] = await fresh({ one: '1' });
    const request = requestOf(from, to);
    const context = contextOf();
    const resolved = await engine.resolve({ request }, context);
    await engine.claim({ pullId: 'mine', runId: 'r', request, resolved }, context);
    const other = engineOf({ ask: () => Promise.resolve('open') });
    const claim = { pullId: 'other', runId: 'x', request, resolved };
    await expect(other.claim(claim, context)).rejects.toMatchObject({
      code: 'WB_DESTINATION_OWNED',
    });
    const inside = requestOf(from, join(to, 'sub'));
    await expect(other.claim({ ...claim, request: inside }, context)).rejects.toMatchObject({
      code: 'WB_DESTINATION_OWNED',
      exitCode: 9,
    });
  });

  it('rule 6: an owner whose engine cannot be asked needs --take-over', async () => {
    const [from, to] = await fresh({ one: '1' });
    const request = requestOf(from, to);
    const context = contextOf();
    const resolved = await engine.resolve({ request }, context);
    await engine.claim({ pullId: 'mine', runId: 'r', request, resolved }, context);
    const other = engineOf({ engineId: 'another' });
    const claim = { pullId: 'other', runId: 'x', request, resolved };
    await expect(other.claim(claim, context)).rejects.toThrow(/--take-over/);
    const taken = await other.claim({ ...claim, request: { ...request, takeOver: true } }, context);
    expect(taken.ref.epoch).toBe(2);
  });

  it('rule 7: an activity that finds another folder touches nothing', async () => {
    const [from, to] = await fresh({ one: '1' });
    const request = requestOf(from, to);
    const context = contextOf();
    const resolved = await engine.resolve({ request }, context);
    const { ref } = await engine.claim({ pullId: 'p', runId: 'gone', request, resolved }, context);
    await rm(to, { recursive: true });
    await expect(engine.planPage({ ref, page: 0 }, context)).rejects.toMatchObject({
      code: 'WB_DESTINATION_NOT_HERE',
    });
    expect(existsSync(to)).toBe(false);
  });

  it('refuses a file that Waybill did not write, and touches nothing', async () => {
    const [from, to] = await fresh({ one: 'new', two: '2' });
    await put(to, { one: 'mine' });
    await expect(pullWith(engine, requestOf(from, to))).rejects.toMatchObject({
      code: 'WB_CONFLICT',
      message: expect.stringContaining('one (Waybill did not write it)'),
    });
    expect(await readFile(join(to, 'one'), 'utf8')).toBe('mine');
    expect(await readdir(to)).toEqual(['one']);
  });

  it('refuses a file that was edited since, and replaces one that was not', async () => {
    const [from, to] = await fresh({ edited: 'e', kept: 'k' });
    await pullWith(engine, requestOf(from, to));
    await put(from, { kept: 'k2' });
    expect(await pullWith(engine, requestOf(from, to))).toMatchObject({ ok: true });
    expect(await readFile(join(to, 'kept'), 'utf8')).toBe('k2');
    await appendFile(join(to, 'edited'), '!');
    await expect(pullWith(engine, requestOf(from, to))).rejects.toMatchObject({
      message: expect.stringContaining('it was changed since Waybill wrote it'),
    });
    expect(await readFile(join(to, 'edited'), 'utf8')).toBe('e!');
  });

  it('--if-exists overwrite replaces, skip keeps, fail refuses', async () => {
    const [from, to] = await fresh({ one: 'new' });
    await put(to, { one: 'mine' });
    const fail = pullWith(engine, requestOf(from, to, { ifExists: 'fail' }));
    await expect(fail).rejects.toMatchObject({ exitCode: 9 });
    const skipped = await pullWith(engine, requestOf(from, to, { ifExists: 'skip' }));
    expect(skipped).toMatchObject({ ok: true, filesSkipped: 1, filesFetched: 0 });
    expect(await readFile(join(to, 'one'), 'utf8')).toBe('mine');
    await pullWith(engine, requestOf(from, to, { ifExists: 'overwrite' }));
    expect(await readFile(join(to, 'one'), 'utf8')).toBe('new');
  });

  it('--if-exists overwrite --checksum repairs a flipped bit, and fetches nothing else again', async () => {
    const [from, to] = await fresh({ good: 'good', bad: 'bad!' });
    await sealTree(from, { waybill: 'test' });
    await pullWith(engine, requestOf(from, to));
    await put(to, { bad: 'bAd!' });
    const repair = requestOf(from, to, { ifExists: 'overwrite', checksum: true });
    const repaired = await pullWith(engine, repair);
    expect(repaired).toMatchObject({ ok: true, filesKept: 1, filesFetched: 1 });
    expect(await readFile(join(to, 'bad'), 'utf8')).toBe('bad!');
  });

  it('reports files that the source no longer has, and --prune removes those that are unchanged', async () => {
    const [from, to] = await fresh({ stays: '1', goes: '2', 'deep/goes': '3' });
    await pullWith(engine, requestOf(from, to));
    await rm(join(from, 'goes'));
    await rm(join(from, 'deep'), { recursive: true });
    expect(await pullWith(engine, requestOf(from, to))).toMatchObject({ filesStale: 2, files: 1 });
    await writeFile(join(to, 'goes'), 'edited');
    const pruned = await pullWith(engine, requestOf(from, to, { prune: true }));
    expect(pruned).toMatchObject({ filesStale: 1 });
    expect((await readdir(to)).sort()).toEqual(['.waybill', 'goes', 'stays']);
  });

  it('refuses another source in a sealed destination without --replace-source', async () => {
    const [from, to] = await fresh({ one: '1' });
    await pullWith(engine, requestOf(from, to));
    const [other] = await fresh({ one: '2' });
    await expect(pullWith(engine, requestOf(other, to))).rejects.toMatchObject({ exitCode: 9 });
    const replaced = await pullWith(engine, requestOf(other, to, { replaceSource: true }));
    expect(replaced.ok).toBe(true);
    expect(await readFile(join(to, 'one'), 'utf8')).toBe('2');
  });

  it('a caller’s digest lifts a file to level digest; a wrong one publishes nothing (exit 6)', async () => {
    const [from, to] = await fresh({ model: 'weights' });
    const file = join(from, 'model');
    const good = { kind: 'digest' as const, sha256: sha256('weights') };
    const right = await pullWith(engine, requestOf(file, join(to, 'm'), { expect: good }));
    expect(right.levels).toEqual({ digest: 1 });
    const bad = { kind: 'digest' as const, sha256: sha256('other') };
    const wrong = await pullWith(engine, requestOf(file, join(to, 'w'), { expect: bad }));
    expect(wrong).toMatchObject({ ok: false, exitCode: 6, code: 'WB_DIGEST_MISMATCH' });
    expect(wrong.failures[0]?.message).toContain(bad.sha256);
    expect(wrong.failures[0]?.message).toContain(good.sha256);
    expect(existsSync(join(to, 'w'))).toBe(false);
  });

  it('rule 23 and 33: a sealed source is proven to level published; its record is not copied', async () => {
    const [from, to] = await fresh({ 'a.bin': 'a', 'b/c.bin': 'c' });
    await sealTree(from, { waybill: 'test' });
    const result = await pullWith(engine, requestOf(from, to, { requireLevel: 'published' }));
    expect(result).toMatchObject({ ok: true, levels: { published: 2 } });
    expect(result.filesSkipped).toBe(3);
    expect(existsSync(join(to, '.waybill/seal.json'))).toBe(false);
  });

  it('a file that the seal lists and the source lacks is an integrity failure, as is a changed one', async () => {
    const [from, to] = await fresh({ 'a.bin': 'a', 'b.bin': 'b', 'c.bin': 'c' });
    await sealTree(from, { waybill: 'test' });
    await rm(join(from, 'a.bin'));
    await put(from, { 'b.bin': 'X' });
    const result = await pullWith(engine, requestOf(from, to));
    expect(result).toMatchObject({ ok: false, exitCode: 3, filesFailed: 2, filesFetched: 1 });
    expect(result.failures.map((failure) => failure.code).sort()).toEqual([
      'WB_DIGEST_MISMATCH',
      'WB_MISSING_FILE',
    ]);
    expect(existsSync(join(to, '.waybill/receipt.json'))).toBe(false);
    expect(existsSync(join(to, '.waybill/receipt.partial.json'))).toBe(true);
    expect(existsSync(join(to, 'b.bin'))).toBe(false);
  });

  it('rule 25: a SHA256SUMS at the source raises the level; a mismatch in it only warns', async () => {
    const sums = `${sha256('a')}  a\n${sha256('z')}  b\n`;
    const [from, to] = await fresh({ a: 'a', b: 'b', SHA256SUMS: sums });
    const result = await pullWith(engine, requestOf(from, to));
    expect(result).toMatchObject({ ok: true, levels: { published: 1, size: 2 } });
    expect(result.warnings.join('\n')).toContain(sha256('z'));
    const list = { kind: 'list' as const, location: join(from, 'SHA256SUMS') };
    const strict = await pullWith(engine, requestOf(from, `${to}-strict`, { expect: list }));
    expect(strict).toMatchObject({ ok: false, filesFailed: 1 });
  });

  it('--require fails closed: what is proven less is not published', async () => {
    const [from, to] = await fresh({ one: '1' });
    const result = await pullWith(engine, requestOf(from, to, { requireLevel: 'provider' }));
    expect(result).toMatchObject({ ok: false, exitCode: 6, code: 'WB_LEVEL_TOO_LOW' });
    expect(existsSync(join(to, 'one'))).toBe(false);
  });

  it('filters by name at any depth, by folder and by path; nothing left is exit 4', async () => {
    const [from, to] = await fresh({
      'a.txt': 'a',
      'd/b.txt': 'b',
      'd/.c.txt': 'c',
      'e/x.bin': 'x',
    });
    const filters = { include: ['*.txt', 'e/'], exclude: ['d/.c.txt'] };
    const result = await pullWith(engine, requestOf(from, to, { filters }));
    expect(result.files).toBe(3);
    expect((await readdir(join(to, 'd'))).sort()).toEqual(['b.txt']);
    const nothing = requestOf(from, `${to}-2`, { filters: { include: ['*.none'], exclude: [] } });
    await expect(pullWith(engine, nothing)).rejects.toMatchObject({ exitCode: 4 });
    expect(existsSync(`${to}-2`)).toBe(false);
  });

  it('rule 19: the old receipt goes before the first new byte is seen', async () => {
    const [from, to] = await fresh({ one: '1', two: '2' });
    await pullWith(engine, requestOf(from, to));
    await put(from, { one: '10', two: '20' });
    const request = requestOf(from, to);
    const context = contextOf();
    const resolved = await engine.resolve({ request }, context);
    const { ref } = await engine.claim({ pullId: 'p', runId: 'again', request, resolved }, context);
    await engine.planPage({ ref, page: 0 }, context);
    expect(existsSync(join(to, '.waybill/receipt.json'))).toBe(true);
    await engine.fetchUnit({ ref, page: 0, unit: 0 }, context);
    expect(existsSync(join(to, '.waybill/receipt.json'))).toBe(false);
    expect(existsSync(join(to, '.waybill/previous/receipt.json'))).toBe(true);
  });

  it('rule 21: a link at the destination that leads out is not followed', async () => {
    const [from, to] = await fresh({ 'sub/file': 'x', other: 'o' });
    await mkdir(join(root, 'outside'), { recursive: true });
    await mkdir(to);
    await symlink(join(root, 'outside'), join(to, 'sub'));
    const result = await pullWith(engine, requestOf(from, to));
    // The folder and the file in it.
    expect(result).toMatchObject({ ok: false, filesFailed: 2, filesFetched: 1 });
    expect(result.failures.map(({ code }) => code)).toEqual(['WB_UNSAFE_PATH', 'WB_UNSAFE_PATH']);
    expect(await readdir(join(root, 'outside'))).toEqual([]);
  });

  it('--max-files and --max-bytes are limits on the plan (exit 14)', async () => {
    const [from, to] = await fresh({ one: '1', two: '22' });
    for (const changes of [{ maxFiles: 1 }, { maxBytes: 2 }]) {
      await expect(pullWith(engine, requestOf(from, to, changes))).rejects.toMatchObject({
        exitCode: 14,
      });
    }
    expect(existsSync(to)).toBe(false);
  });
});
