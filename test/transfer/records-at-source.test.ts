/** Folders called `.waybill` at a source: its own record, one that was published too early, and look-alikes (rule 23). */
import { mkdir, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { PullRequest, PullResult } from '../../src/model/pull.js';
import { openReach } from '../../src/transfer/reach.js';
import { sealTree } from '../../src/transfer/seal-tree.js';
import { pullWith, requestOf } from '../helpers/engine.js';
import { startMinio, type Minio } from '../helpers/minio.js';
import { startPythonServer, type WebServer } from '../stores/http/servers.js';
import { keysOf } from '../stores/s3/testbed.js';
import { put, ThereBed, type Files } from '../helpers/there.js';

const LONG_MS = 120_000;

let bed: ThereBed;
/** nginx leaves names with a dot in front out of its indexes, this one lists them. */
let web: WebServer;
let minio: Minio;
let shared: string;
let next = 0;

beforeAll(async () => {
  bed = await ThereBed.open('records', {
    reach: openReach(() => Promise.resolve(keysOf(minio))),
  });
  shared = join(bed.root, 'shared');
  await mkdir(shared);
  web = await startPythonServer({ root: shared });
  minio = await startMinio();
  await minio.createBucket('models');
}, LONG_MS);
afterAll(async () => {
  await web.stop();
  await minio.stop();
  await bed.close();
}, LONG_MS);

type Where = 'a local folder' | 'an index over HTTP' | 'S3';

/** The same folder in each kind of store. */
async function publish(where: Where, dir: string): Promise<string> {
  if (where === 'an index over HTTP')
    return `http://127.0.0.1:${web.port}/${dir.slice(shared.length + 1)}/`;
  if (where === 'a local folder') return dir;
  const prefix = dir.slice(shared.length + 1);
  await minio.putTree('models', prefix, dir);
  return `s3://models/${prefix}`;
}

async function treeOf(files: Files): Promise<string> {
  const dir = join(shared, `tree-${(next += 1)}`);
  await put(dir, files);
  return dir;
}

function pull(uri: string, to: string, changes: Partial<PullRequest> = {}): Promise<PullResult> {
  const source = uri.startsWith('s3:')
    ? { uri, settings: { AWS_ENDPOINT_URL: minio.endpoint }, credentials: 'keys' }
    : { uri, settings: {} };
  return pullWith(bed.engine, requestOf(uri, to, { source, ...changes }));
}

describe.each<Where>(['a local folder', 'an index over HTTP', 'S3'])('%s', (where) => {
  it.each([
    [
      'what an unfinished pull leaves',
      { 'owner.json': '{}', 'pull.json': '{}' },
      /without a SHA256SUMS/,
    ],
    ['a receipt without sums', { 'receipt.json': '{}' }, /without a SHA256SUMS/],
    ['sums without seal and receipt', { SHA256SUMS: '' }, /neither seal nor receipt/],
  ])(
    'rule 23: a .waybill with %s is an error, and nothing is fetched',
    async (_, record, says) => {
      const files = Object.entries(record).map(([name, text]) => [`.waybill/${name}`, text]);
      const dir = await treeOf({ 'a.bin': 'a', ...Object.fromEntries(files) });
      const to = join(bed.root, `early-${next}`);
      await expect(pull(await publish(where, dir), to)).rejects.toMatchObject({
        code: 'WB_MISSING_FILE',
        exitCode: 6,
        scope: 'source',
        message: expect.stringMatching(says),
      });
      expect((await readdir(to).catch(() => [])).filter((name) => name !== '.waybill')).toEqual([]);
    },
    LONG_MS,
  );

  it(
    'rule 23: .waybill in any case at any depth is never written, and the receipt counts and names it',
    async () => {
      const dir = await treeOf({ 'a.bin': 'a', 'deep/b.bin': 'b' });
      await sealTree(dir, { waybill: 'test' });
      await put(dir, {
        '.WayBill/owner.json': 'evil',
        'deep/.WAYBILL/destination.json': 'evil',
        'deep/er/.waybill': 'a file of that name',
        '.wayb\u0131ll/x': 'dotless',
        '.waybills': 'another name',
      });
      const to = join(bed.root, `any-case-${next}`);
      const result = await pull(await publish(where, dir), to);
      expect(result).toMatchObject({ ok: true, files: 3, levels: { published: 2 } });
      const receipt = JSON.parse(await readFile(join(to, '.waybill/receipt.json'), 'utf8')) as {
        skipped: { records: { count: number; first: string[] } };
      };
      const { count, first } = receipt.skipped.records;
      expect([...first].sort()).toEqual([
        '.WayBill/owner.json',
        '.waybill/SHA256SUMS',
        '.waybill/manifest.ndjson',
        '.waybill/seal.json',
        '.wayb\u0131ll/x',
        'deep/.WAYBILL/destination.json',
        'deep/er/.waybill',
      ]);
      expect([count, result.filesSkipped]).toEqual([7, 7]);
      expect((await readdir(to)).sort()).toEqual(['.waybill', '.waybills', 'a.bin', 'deep']);
      expect((await readdir(join(to, 'deep'))).sort()).toEqual(
        where === 'S3' ? ['b.bin'] : ['b.bin', 'er'],
      );
    },
    LONG_MS,
  );

  it(
    'rule 23: a file that the manifest lists and the source lacks is an integrity failure (exit 6 where nothing else is)',
    async () => {
      const dir = await treeOf({ 'a.bin': 'a', 'b.bin': 'b' });
      await sealTree(dir, { waybill: 'test' });
      await rm(join(dir, 'b.bin'));
      const uri = await publish(where, dir);
      const missing = {
        path: 'b.bin',
        code: 'WB_MISSING_FILE',
        message: 'b.bin is listed (seal at the source) and is not at the source',
      };
      const some = await pull(uri, join(bed.root, `lacks-${next}`));
      expect(some).toMatchObject({ ok: false, exitCode: 3, files: 1, failures: [missing] });
      const only = { include: ['b.bin'], exclude: [] };
      const none = await pull(uri, join(bed.root, `lacks-all-${next}`), { filters: only });
      expect(none).toMatchObject({ ok: false, exitCode: 6, failures: [missing] });
    },
    LONG_MS,
  );
});

it('rule 23: a seal that is no JSON is damage at the source, and not on this disk', async () => {
  const dir = await treeOf({ 'a.bin': 'a' });
  await sealTree(dir, { waybill: 'test' });
  await writeFile(join(dir, '.waybill/seal.json'), '{');
  await expect(pull(dir, join(bed.root, 'damaged'))).rejects.toMatchObject({
    code: 'WB_DIGEST_MISMATCH',
    exitCode: 6,
    scope: 'source',
    message: expect.stringContaining('.waybill/seal.json at the source is not JSON'),
  });
});

it('rule 23: a name at the destination that leads to the record folder is refused, also where it appears late', async () => {
  const { from, to } = await bed.fresh({ 'alias/owner.json': 'evil', 'good.bin': 'g' });
  await mkdir(join(to, '.waybill'), { recursive: true });
  await symlink('.waybill', join(to, 'alias'));
  const early = await bed.pull(from, to);
  expect(early).toMatchObject({
    exitCode: 3,
    files: 1,
    failures: [
      { path: 'alias', code: 'WB_UNSAFE_PATH' },
      { path: 'alias/owner.json', code: 'WB_UNSAFE_PATH' },
    ],
  });
  const { from: source, to: late } = await bed.fresh({ 'alias/owner.json': 'evil', g: 'g' });
  const planned = await bed.planned(source, late);
  await symlink('.waybill', join(late, 'alias'));
  expect(await planned.fetch()).toEqual([expect.stringMatching(/^WB_UNSAFE_PATH: .*records$/)]);
  expect(await planned.seal()).toMatchObject({ exitCode: 3, files: 1 });
});
