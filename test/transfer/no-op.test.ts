/** A pull that finds everything in place: it fetches nothing, and reads no file, neither here nor at the source. */
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { TransferEngine } from '../../src/transfer/api.js';
import { engineOf, pullWith, requestOf } from '../helpers/engine.js';
import { openReach } from '../../src/transfer/reach.js';
import { startAskedFor } from '../helpers/asked-for.js';
import { startMinio } from '../helpers/minio.js';
import { startNginx } from '../helpers/nginx.js';
import { treeFiles, writeTree } from '../helpers/tree.js';

const LONG_MS = 300_000;
const FILES = 10_000;
const SETTLED_MS = 2_100;

/** In memory, where the machine has it: ten thousand flushes are no part of this. */
const BASE = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

let engine: TransferEngine;
let root: string;

beforeAll(() => {
  engine = engineOf();
  root = mkdtempSync(join(BASE, 'waybill-no-op-'));
});
afterAll(async () => {
  await engine.close();
  await rm(root, { recursive: true, force: true });
});

const paths = Array.from({ length: FILES }, (_, index) => `d${index % 100}/f${index}`);

/** When each file was read last; a first read after a change shows on every mount but `noatime`. */
async function lastReads(folder: string, names = paths): Promise<readonly bigint[]> {
  return Promise.all(
    names.map(async (path) => (await stat(join(folder, path), { bigint: true })).atimeNs),
  );
}

/** Waits until nobody can change the files any more without its showing in their pins. */
async function settle(path: string): Promise<void> {
  for (;;) {
    const { ctimeMs } = await stat(path);
    if (Date.now() - ctimeMs > SETTLED_MS) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe('design 2: a no-op re-pull', () => {
  it(
    'design 2: of 10,000 files fetches 0 bytes and hashes nothing',
    async () => {
      const [from, to] = [join(root, 'from'), join(root, 'to')];
      for (let folder = 0; folder < 100; folder += 1) {
        await mkdir(join(from, `d${folder}`), { recursive: true });
      }
      await Promise.all(paths.map((path) => writeFile(join(from, path), path)));
      await settle(join(from, paths.at(-1) ?? ''));
      await pullWith(engine, requestOf(from, to));
      const before = [await lastReads(from), await lastReads(to)];
      const lists = (): Promise<unknown> =>
        Promise.all(
          ['SHA256SUMS', 'manifest.ndjson'].map((name) => stat(join(to, '.waybill', name))),
        ).then((found) => found.map(({ ino, mtimeMs, ctimeMs }) => [ino, mtimeMs, ctimeMs]));
      const listsBefore = await lists();
      const again = await pullWith(engine, requestOf(from, to));
      expect(again).toMatchObject({
        ok: true,
        files: FILES,
        filesKept: FILES,
        filesFetched: 0,
        bytesFetched: 0,
      });
      expect([await lastReads(from), await lastReads(to)]).toEqual(before);
      expect(await lists()).toEqual(listsBefore);
      // The proof is one: a file that is read shows it.
      await readFile(join(to, paths[0] ?? ''));
      expect((await lastReads(to))[0]).not.toBe(before[1]?.[0]);
    },
    LONG_MS,
  );

  it(
    'rule 12: a local file that changes is fetched again, though size and time are as before; the others stay',
    async () => {
      const [from, to] = [join(root, 'from-few'), join(root, 'to-few')];
      const files = ['same', 'bytes', 'mode'];
      await mkdir(from);
      for (const name of files) await writeFile(join(from, name), `one ${name}`);
      await settle(join(from, 'mode'));
      await pullWith(engine, requestOf(from, to));
      const { atime, mtime } = await stat(join(from, 'bytes'));
      await writeFile(join(from, 'bytes'), 'two bytes');
      await utimes(join(from, 'bytes'), atime, mtime);
      await chmod(join(from, 'mode'), 0o755);
      await settle(join(from, 'mode'));
      const again = await pullWith(engine, requestOf(from, to));
      expect(again).toMatchObject({ ok: true, filesKept: 1, filesFetched: 2 });
      expect(await readFile(join(to, 'bytes'), 'utf8')).toBe('two bytes');
      expect(await pullWith(engine, requestOf(from, to))).toMatchObject({ filesKept: 3 });
    },
    LONG_MS,
  );

  it(
    'rule 12: a local file that is younger than the tick of a clock is pinned weakly, and fetched again',
    async () => {
      const [from, to] = [join(root, 'from-young'), join(root, 'to-young')];
      await mkdir(from);
      await writeFile(join(from, 'young'), '1');
      await pullWith(engine, requestOf(from, to));
      const manifest = JSON.parse(await readFile(join(to, '.waybill/manifest.ndjson'), 'utf8')) as {
        pin: { strength: string };
      };
      const fetched = manifest.pin.strength === 'weak' ? 1 : 0;
      await settle(join(from, 'young'));
      const again = await pullWith(engine, requestOf(from, to));
      expect(again).toMatchObject({ ok: true, filesFetched: fetched });
      expect(await pullWith(engine, requestOf(from, to))).toMatchObject({ filesKept: 1 });
    },
    LONG_MS,
  );

  it(
    'design 2: from an nginx index, which has no pins, asks for each file and fetches none',
    async () => {
      const from = join(root, 'web');
      const files = treeFiles({ fileCount: 300, names: [] });
      const names = files.map(({ path }) => path);
      await writeTree(from, files);
      const nginx = await startNginx({ root: from });
      try {
        const to = join(root, 'from-web');
        await pullWith(engine, requestOf(`${nginx.url}/`, to));
        const before = nginx.accessLog().length;
        const read = await lastReads(to, names);
        const again = await pullWith(engine, requestOf(`${nginx.url}/`, to));
        expect(await lastReads(to, names)).toEqual(read);
        expect(again).toMatchObject({ ok: true, filesKept: 300, bytesFetched: 0 });
        const asked = nginx.accessLog().slice(before);
        const ofFiles = asked.filter(({ target }) => target.endsWith('.bin'));
        expect(ofFiles).toHaveLength(300);
        expect(new Set(ofFiles.map(({ method }) => method))).toEqual(new Set(['HEAD']));
        await writeFile(join(from, files[7]?.path ?? ''), 'another');
        const changed = await pullWith(engine, requestOf(`${nginx.url}/`, to));
        expect(changed).toMatchObject({ ok: true, filesFetched: 1, filesKept: 299 });
      } finally {
        await nginx.stop();
      }
    },
    LONG_MS,
  );

  it(
    'design 2: from S3 asks for the listing and for no object',
    async () => {
      const files = treeFiles({ fileCount: 1_100, names: [] });
      const names = files.map(({ path }) => path);
      const served = join(root, 'objects');
      await writeTree(served, files);
      const minio = await startMinio();
      const relay = await startAskedFor(minio.port);
      const secrets = {
        AWS_ACCESS_KEY_ID: minio.accessKeyId,
        AWS_SECRET_ACCESS_KEY: minio.secretAccessKey,
      };
      const own = engineOf({ reach: openReach(() => Promise.resolve(secrets)) });
      try {
        await minio.createBucket('no-op');
        await minio.putTree('no-op', 'tree', served);
        const to = join(root, 'from-s3');
        const source = {
          uri: 's3://no-op/tree/',
          settings: { AWS_ENDPOINT_URL: relay.url },
          credentials: 'keys',
        };
        const request = requestOf(source.uri, to, { source });
        expect(await pullWith(own, request)).toMatchObject({ ok: true, filesFetched: 1_100 });
        const before = relay.requests().length;
        const read = await lastReads(to, names);
        const again = await pullWith(own, request);
        expect(again).toMatchObject({ ok: true, filesKept: 1_100, bytesFetched: 0 });
        expect(await lastReads(to, names)).toEqual(read);
        const asked = relay.requests().slice(before);
        expect(asked.filter((line) => line.includes('continuation-token'))).toHaveLength(1);
        expect(asked.filter((line) => line.includes('.bin'))).toEqual([]);
        expect(relay.requests().filter((line) => line.includes('.bin'))).toHaveLength(1_100);
      } finally {
        await own.close();
        await relay.stop();
        await minio.stop();
      }
    },
    LONG_MS,
  );
});
