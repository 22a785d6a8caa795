/** Sizes around the edges of parts, holes, empty files and folders, times and modes: the same from every store. */
import { HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { createHash } from 'node:crypto';
import { chmod, mkdir, open, readdir, readFile, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { PullResult } from '../../src/model/pull.js';
import { PART_BYTES } from '../../src/transfer/fetch-large.js';
import { LARGE_FROM_BYTES } from '../../src/transfer/plan/units.js';
import { openReach } from '../../src/transfer/reach.js';
import { pullWith, requestOf } from '../helpers/engine.js';
import { startMinio, type Minio } from '../helpers/minio.js';
import { startNginx, type Nginx } from '../helpers/nginx.js';
import { put, ThereBed } from '../helpers/there.js';
import { digestsOfTree, expectedDigests, writeTree } from '../helpers/tree.js';
import { keysOf } from '../stores/s3/testbed.js';

const LONG_MS = 300_000;
const MiB = 1024 * 1024;
const OLD = new Date('2024-01-02T03:04:05.000Z');

const SIZES = [
  ...[0, 1, 2, MiB - 1, MiB, MiB + 1],
  ...[PART_BYTES - 1, PART_BYTES, PART_BYTES + 1],
  ...[LARGE_FROM_BYTES - 1, LARGE_FROM_BYTES, LARGE_FROM_BYTES + 1, 3 * PART_BYTES + 17],
];
const FILES = SIZES.map((sizeBytes) => ({ path: `size-${sizeBytes}.bin`, sizeBytes }));

let bed: ThereBed;
let nginx: Nginx;
let minio: Minio;
let shared: string;

beforeAll(async () => {
  bed = await ThereBed.open('sizes', { reach: openReach(() => Promise.resolve(keysOf(minio))) });
  shared = join(bed.root, 'shared');
  await writeTree(join(shared, 'sizes'), FILES);
  await put(join(shared, 'meta'), { 'run.sh': '#!/bin/sh\n', 'data.bin': 'x', 'deep/zero': '' });
  await chmod(join(shared, 'meta/run.sh'), 0o755);
  await mkdir(join(shared, 'meta/empty/er'), { recursive: true });
  for (const name of ['run.sh', 'data.bin', 'deep/zero']) {
    await utimes(join(shared, 'meta', name), OLD, OLD);
  }
  nginx = await startNginx({ root: shared });
  minio = await startMinio();
  await minio.createBucket('models');
  await minio.putTree('models', 'sizes', join(shared, 'sizes'));
  await minio.putTree('models', 'meta', join(shared, 'meta'));
  const empty = { Bucket: 'models', Key: 'meta/empty/er/', Body: Buffer.alloc(0) };
  await minio.client.send(new PutObjectCommand(empty));
}, LONG_MS);
afterAll(async () => {
  await nginx.stop();
  await minio.stop();
  await bed.close();
}, LONG_MS);

const STORES = ['a local folder', 'an index over HTTP', 'S3'] as const;

async function pull(where: (typeof STORES)[number], name: string, to: string): Promise<PullResult> {
  const uri = {
    'a local folder': join(shared, name),
    'an index over HTTP': `${nginx.url}/${name}/`,
    S3: `s3://models/${name}`,
  }[where];
  const settings = where === 'S3' ? { AWS_ENDPOINT_URL: minio.endpoint } : {};
  const source = { uri, settings, ...(where === 'S3' ? { credentials: 'keys' } : {}) };
  return pullWith(bed.engine, requestOf(uri, to, { source }));
}

describe.each(STORES)('%s', (where) => {
  it(
    'rule 10: files around the edges of parts arrive to the byte, empty ones too',
    async () => {
      const to = join(bed.root, 'sizes-here');
      const result = await pull(where, 'sizes', to);
      const bytes = SIZES.reduce((sum, size) => sum + size, 0);
      expect(result).toMatchObject({ ok: true, files: SIZES.length, bytes, bytesFetched: bytes });
      expect(await digestsOfTree(to)).toEqual(expectedDigests(FILES));
      await rm(to, { recursive: true });
    },
    LONG_MS,
  );

  it(
    'tells times, modes and empty folders, as far as it has them',
    async () => {
      const to = join(bed.root, `meta-${STORES.indexOf(where)}`);
      expect(await pull(where, 'meta', to)).toMatchObject({ ok: true, files: 3 });
      const head = new HeadObjectCommand({ Bucket: 'models', Key: 'meta/data.bin' });
      const modified = where === 'S3' ? (await minio.client.send(head)).LastModified : OLD;
      const found = await stat(join(to, 'data.bin'));
      expect(Math.floor(found.mtimeMs / 1000)).toBe(Math.floor((modified?.getTime() ?? 0) / 1000));
      expect(found.mode & 0o111).toBe(0);
      const isExecutable = ((await stat(join(to, 'run.sh'))).mode & 0o111) !== 0;
      expect(isExecutable).toBe(where === 'a local folder');
      expect((await stat(join(to, 'deep/zero'))).size).toBe(0);
      expect(await readdir(join(to, 'empty/er'))).toEqual([]);
    },
    LONG_MS,
  );
});

it(
  'a file with holes arrives with the same bytes: holes at its start, between data and at its end',
  async () => {
    const { from, to } = await bed.fresh({});
    const size = 3 * PART_BYTES + 5;
    const handle = await open(join(from, 'sparse.bin'), 'w');
    await handle.truncate(size);
    await handle.write(Buffer.from('middle'), 0, 6, PART_BYTES - 3);
    await handle.write(Buffer.from('late'), 0, 4, 2 * PART_BYTES + 100);
    await handle.close();
    expect((await stat(join(from, 'sparse.bin'))).blocks * 512).toBeLessThan(MiB);
    expect(await bed.pull(from, to)).toMatchObject({ ok: true, bytes: size });
    const digest = async (path: string): Promise<string> =>
      createHash('sha256')
        .update(await readFile(path))
        .digest('hex');
    expect(await digest(join(to, 'sparse.bin'))).toBe(await digest(join(from, 'sparse.bin')));
  },
  LONG_MS,
);
