/** Pulls onto a real NTFS as Windows sees it: it folds case, and keeps names for devices. */
import { readFileSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { openReach } from '../../src/transfer/reach.js';
import { probeNames } from '../../src/transfer/plan/probe-names.js';
import { contextOf, requestOf } from '../helpers/engine.js';
import { mountNtfs } from '../helpers/ntfs.js';
import { ThereBed } from '../helpers/there.js';

const LONG_MS = 120_000;

let bed: ThereBed;
let disk: Awaited<ReturnType<typeof mountNtfs>>;

beforeAll(async () => {
  bed = await ThereBed.open('folding');
  disk = await mountNtfs();
}, LONG_MS);
afterAll(async () => {
  await bed.close();
  disk.unmount();
});

describe('a file system that folds names', () => {
  it('rule 22: what it folds and keeps is probed there, and the probe leaves nothing', async () => {
    const folder = join(disk.path, 'probe');
    await mkdir(folder);
    expect(await probeNames(folder)).toEqual({
      foldsCase: true,
      foldsWideCase: true,
      foldsUnicode: false,
      hasDeviceNames: true,
    });
    expect(await readdir(folder)).toEqual([]);
  });

  it('rule 22: two names that are one there fail both with exit 11, nothing is lost, the others come', async () => {
    const { from } = await bed.fresh({
      'Model.bin': 'upper',
      'model.bin': 'lower',
      'Data/a': '1',
      'data/b': '2',
      'É/x': '3',
      'é/x': '4',
      'good.bin': 'good',
    });
    const to = join(disk.path, 'twins');
    const result = await bed.pull(from, to);
    expect(result).toMatchObject({ ok: false, exitCode: 3, files: 1, filesFailed: 8 });
    const clashing = ['Data/a', 'Model.bin', 'data', 'data/b', 'model.bin', 'É/x', 'é', 'é/x'];
    const receipt = JSON.parse(readFileSync(join(to, '.waybill/receipt.partial.json'), 'utf8')) as {
      failures: { path: string; code: string }[];
    };
    expect(receipt.failures.map(({ path, code }) => `${code} ${path}`).sort()).toEqual(
      clashing.map((path) => `WB_NAME_COLLISION ${path}`).sort(),
    );
    expect((await readdir(to)).sort()).toEqual(['.waybill', 'good.bin']);
    const alone = { include: [], exclude: ['Model.bin', 'Data/', 'É/'] };
    const one = await bed.pull(from, to, { filters: alone });
    expect(one).toMatchObject({ ok: true, files: 4 });
    expect(readFileSync(join(to, 'model.bin'), 'utf8')).toBe('lower');
    const none = await bed.pull(from, join(disk.path, 'none'), {
      filters: { include: ['?odel.bin'], exclude: [] },
    });
    expect(none).toMatchObject({ ok: false, exitCode: 11, code: 'WB_NAME_COLLISION' });
  });

  it('rule 22: the whole plan comes before the first byte: the second name may be the last of the listing', async () => {
    const { from } = await bed.fresh({ a: 'a' });
    for (const [folder, needsWholePlan] of [
      [join(disk.path, 'plan'), true],
      [join(bed.root, 'plan'), false],
    ] as const) {
      const request = requestOf(from, folder);
      const resolved = await bed.engine.resolve({ request }, contextOf());
      const claim = { pullId: 'p', runId: `plan-${needsWholePlan}`, request, resolved };
      const claimed = await bed.engine.claim(claim, contextOf());
      expect(claimed).toMatchObject({ needsWholePlan });
      await bed.engine.release({ ref: claimed.ref });
    }
  });

  it('rule 23: .WAYBILL at the source does not reach the record, which is one name with it there', async () => {
    const { from } = await bed.fresh({ '.WAYBILL/owner.json': 'evil', '.WayBill/x': 'x', a: 'a' });
    const to = join(disk.path, 'record');
    expect(await bed.pull(from, to)).toMatchObject({ ok: true, files: 1, filesSkipped: 2 });
    expect((await readdir(join(to, '.waybill'))).sort()).toEqual([
      'destination.json',
      'manifest.ndjson',
      'receipt.json',
      'sha256sums',
    ]);
  });
});

describe('names that a destination keeps for devices, or does not take', () => {
  const NAMES = { 'con.txt': '1', 'src/AUX': '2', 'lpt1.a.b': '3', nul: '4', 'console.txt': '5' };

  it('rule 21: are refused with exit 11 where it has them, before a byte is fetched', async () => {
    const { from } = await bed.fresh(NAMES);
    const result = await bed.pull(from, join(disk.path, 'devices'));
    expect(result).toMatchObject({ ok: false, exitCode: 3, files: 1, filesFailed: 4 });
    for (const { path, code, message } of result.failures) {
      expect([code, message]).toEqual([
        'WB_UNSAFE_PATH',
        `the name ${JSON.stringify(path)} is refused: the destination keeps this name for a device`,
      ]);
    }
  });

  it('rule 21: are names as any other where it has none', async () => {
    const { from, to } = await bed.fresh(NAMES);
    expect(await bed.pull(from, to)).toMatchObject({ ok: true, files: 5 });
    expect(readFileSync(join(to, 'con.txt'), 'utf8')).toBe('1');
  });

  it('rule 21: a name that only its file system refuses is exit 11 for that file, and the others come', async () => {
    const { from } = await bed.fresh({
      'ab:c': '1',
      'trailing.': '2',
      'dir?/x': '3',
      'good.bin': 'g',
    });
    const to = join(disk.path, 'refused');
    const result = await bed.pull(from, to);
    expect(result).toMatchObject({ ok: false, exitCode: 3, files: 1, filesFailed: 3 });
    expect(result.failures.map(({ code }) => code)).toEqual(Array(3).fill('WB_UNSAFE_PATH'));
    expect(result.failures[0]?.message).toContain('does not take this name');
    expect((await readdir(to)).sort()).toEqual(['.waybill', 'good.bin']);
    const { from: empty } = await bed.fresh({ 'good.bin': 'g' });
    await mkdir(join(empty, 'no?where'));
    const folder = await bed.pull(empty, join(disk.path, 'folder'));
    expect(folder).toMatchObject({
      ok: false,
      exitCode: 3,
      files: 1,
      failures: [{ path: 'no?where', code: 'WB_UNSAFE_PATH' }],
    });
  });
});

/** A service with the API of S3 that lists what AWS lists: MinIO takes `a` and `a/b`, and then hides one of them. */
async function startS3(keys: readonly string[]): Promise<{ uri: string; server: Server }> {
  const bodyOf = (key: string): string => (key.endsWith('/') ? '' : key);
  const server = createServer(({ url = '', method }, response) => {
    const { pathname, searchParams } = new URL(url, 'http://s3');
    const key = decodeURIComponent(pathname.replace(/^\/models\/?/u, ''));
    const head = { 'x-amz-request-id': '1', ETag: '"v1"' };
    if (searchParams.has('list-type')) {
      const found = keys.filter((one) => one.startsWith(searchParams.get('prefix') ?? ''));
      const contents = found.map(
        (one) =>
          `<Contents><Key>${one}</Key><Size>${bodyOf(one).length}</Size><ETag>"v1"</ETag></Contents>`,
      );
      response.writeHead(200, head);
      response.end(`<ListBucketResult>${contents.join('')}</ListBucketResult>`);
      return;
    }
    const isThere = keys.includes(key);
    const body = isThere ? bodyOf(key) : '<Error><Code>NoSuchKey</Code></Error>';
    response.writeHead(isThere ? 200 : 404, { ...head, 'Content-Length': body.length });
    response.end(method === 'HEAD' ? undefined : body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { uri: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

it('rule 22: keys of S3 that are both file and folder fail both with exit 11, the others come', async () => {
  const names = ['a', 'a/b', 'a/c/d', 'b.txt', 'both', 'both/', 'empty/', 'good.bin'];
  const { uri, server } = await startS3(names.map((name) => `m/${name}`));
  const secrets = { AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE', AWS_SECRET_ACCESS_KEY: 'wJalrXUtnFEMI' };
  const own = await ThereBed.open('both', { reach: openReach(() => Promise.resolve(secrets)) });
  const settings = { AWS_ENDPOINT_URL: uri, AWS_REGION: 'us-east-1' };
  const source = { uri: 's3://models/m', settings, credentials: 'keys' };
  const to = join(own.root, 'to');
  try {
    const result = await own.pull(source.uri, to, { source });
    expect(result).toMatchObject({ ok: false, exitCode: 3, files: 2 });
    expect(result.failures.map(({ path, code }) => `${code} ${path}`).sort()).toEqual([
      'WB_NAME_COLLISION a',
      'WB_NAME_COLLISION a/b',
      'WB_NAME_COLLISION a/c/d',
      'WB_NAME_COLLISION both',
    ]);
    expect((await readdir(to)).sort()).toEqual(['.waybill', 'b.txt', 'good.bin']);
    const filters = { include: [], exclude: [], files: ['a'] };
    const alone = await own.pull(source.uri, to, { source, filters });
    expect(alone).toMatchObject({ ok: true, files: 1 });
    expect(readFileSync(join(to, 'a'), 'utf8')).toBe('m/a');
  } finally {
    await own.close();
    await new Promise((resolve) => server.close(resolve));
  }
});
