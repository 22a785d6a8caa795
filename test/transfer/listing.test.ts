/** A listing over a network that loses its connections: what was listed stays listed, within an attempt and from one to the next. */
import { createServer, request as ask, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { PullRequest } from '../../src/model/pull.js';
import type { PlannedPage, TransferEngine } from '../../src/transfer/api.js';
import { openReach } from '../../src/transfer/reach.js';
import { contextOf, engineOf, pullWith, requestOf, scratch } from '../helpers/engine.js';
import { startMinio, type Minio } from '../helpers/minio.js';
import { startNginx, type Nginx } from '../helpers/nginx.js';
import { startToxiproxy, type Toxiproxy } from '../helpers/toxiproxy.js';
import { treeFiles, writeTree, type TreeFile } from '../helpers/tree.js';

const LONG_MS = 300_000;
const S3_FILES = treeFiles({ fileCount: 4_500, names: [] });
const FOLDERS = 60;
const WEB_FILES: readonly TreeFile[] = Array.from({ length: FOLDERS }, (_, index) => ({
  path: `folder-${index}/file.bin`,
  sizeBytes: 10,
}));

let root: string;
let nginx: Nginx;
let minio: Minio;
let toxiproxy: Toxiproxy;
let engine: TransferEngine;

beforeAll(async () => {
  root = await scratch('listing');
  await Promise.all([
    writeTree(join(root, 'web'), WEB_FILES),
    writeTree(join(root, 's3'), S3_FILES),
  ]);
  [nginx, minio, toxiproxy] = await Promise.all([
    startNginx({ root: join(root, 'web') }),
    startMinio(),
    startToxiproxy(),
  ]);
  await minio.createBucket('listing');
  await minio.putTree('listing', 'tree', join(root, 's3'));
  const secrets = {
    AWS_ACCESS_KEY_ID: minio.accessKeyId,
    AWS_SECRET_ACCESS_KEY: minio.secretAccessKey,
  };
  engine = engineOf({ reach: openReach(() => Promise.resolve(secrets)) });
}, LONG_MS);

afterAll(async () => {
  await engine.close();
  await Promise.all([nginx.stop(), minio.stop(), toxiproxy.stop()]);
  await rm(root, { recursive: true, force: true });
}, LONG_MS);

/** A proxy before nginx that drops the connection of a request when it is told to. */
async function startDropping(
  isDropped: (path: string) => boolean,
): Promise<Server & { url: string }> {
  const server = createServer((incoming, outgoing) => {
    const path = incoming.url ?? '/';
    if (isDropped(path)) return void incoming.socket.destroy();
    const { method = 'GET', headers } = incoming;
    const upstream = ask(
      { host: '127.0.0.1', port: nginx.port, path, method, headers },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(outgoing);
      },
    );
    incoming.pipe(upstream);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return Object.assign(server, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  });
}

/** Plans and tells how many attempts it took; a failed one is followed by the next as Temporal does it. */
async function planAll(
  request: PullRequest,
): Promise<{ pages: PlannedPage[]; failures: string[]; release: () => Promise<unknown> }> {
  const resolved = await engine.resolve({ request }, contextOf());
  const claim = { pullId: 'pull', runId: `listing-${Math.random()}`, request, resolved };
  const { ref } = await engine.claim(claim, contextOf());
  const pages: PlannedPage[] = [];
  const failures: string[] = [];
  while (pages.at(-1)?.isLast !== true) {
    try {
      pages.push(await engine.planPage({ ref, page: pages.length }, contextOf()));
    } catch (error) {
      const { code, scope, retryable } = error as Record<string, unknown>;
      failures.push(`${String(code)} ${String(scope)} ${String(retryable)}`);
      if (failures.length > 20) throw error;
    }
  }
  return { pages, failures, release: () => engine.release({ ref }) };
}

const filesOf = (pages: readonly PlannedPage[]): number =>
  pages.reduce((sum, { files }) => sum + files, 0);

describe('a listing that is interrupted', () => {
  it(
    'goes on where it was: of a web server’s index no page is asked for again that has come',
    async () => {
      const came: string[] = [];
      const dropped = new Set<string>();
      // Every folder's page is lost three times in a row, which no attempt survives alone.
      const times = new Map<string, number>();
      const server = await startDropping((path) => {
        if (!path.startsWith('/folder-') || !path.endsWith('/')) return false;
        const count = (times.get(path) ?? 0) + 1;
        times.set(path, count);
        if (count <= 3 && Number(/\d+/u.exec(path)?.[0]) % 10 === 0) {
          dropped.add(path);
          return true;
        }
        came.push(path);
        return false;
      });
      try {
        const { pages, failures, release } = await planAll(
          requestOf(`${server.url}/`, join(root, 'to-web')),
        );
        expect(filesOf(pages)).toBe(FOLDERS);
        expect(dropped.size).toBe(FOLDERS / 10);
        expect(failures.length).toBeGreaterThan(0);
        expect(new Set(failures)).toEqual(new Set(['WB_UNAVAILABLE source true']));
        expect(came).toHaveLength(FOLDERS);
        await release();
      } finally {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
    },
    LONG_MS,
  );

  it(
    'ends although no connection to S3 lives for two pages (Toxiproxy)',
    async () => {
      const proxy = await toxiproxy.before(minio.port);
      const settings = { AWS_ENDPOINT_URL: `http://127.0.0.1:${proxy.port}` };
      const source = { uri: 's3://listing/tree/', settings, credentials: 'keys' };
      const request = requestOf(source.uri, join(root, 'to-s3'), { source });
      // A page of 1,000 keys is about 300 kB.
      await proxy.add('limit_data', { bytes: 450_000 });
      const { pages, failures, release } = await planAll(request);
      expect(filesOf(pages)).toBe(S3_FILES.length);
      expect(failures.length).toBeLessThan(3);
      await release();
    },
    LONG_MS,
  );

  it(
    'asks a server about each file once more where a connection was lost, and fetches nothing',
    async () => {
      const to = join(root, 'to-heads');
      let heads = 0;
      let isFlaky = false;
      const server = await startDropping((path) => {
        if (!isFlaky || !path.endsWith('.bin')) return false;
        heads += 1;
        return heads % 3 === 0;
      });
      try {
        const request = requestOf(`${server.url}/`, to);
        expect(await pullWith(engine, request)).toMatchObject({ ok: true, filesFetched: FOLDERS });
        isFlaky = true;
        const { pages, release } = await planAll(request);
        expect(pages.reduce((sum, { keptFiles }) => sum + keptFiles, 0)).toBe(FOLDERS);
        await release();
      } finally {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
    },
    LONG_MS,
  );

  it('is given up with its attempt when that is stopped, and starts anew', async () => {
    let isStuck = true;
    const controller = new AbortController();
    const server = await startDropping((path) => isStuck && path === '/folder-30/');
    try {
      const request = requestOf(`${server.url}/`, join(root, 'to-stopped'));
      const resolved = await engine.resolve({ request }, contextOf());
      const claim = { pullId: 'pull', runId: 'stopped', request, resolved };
      const { ref } = await engine.claim(claim, contextOf());
      const plan = (signal?: AbortSignal): Promise<PlannedPage> =>
        engine.planPage({ ref, page: 0 }, contextOf(signal));
      await expect(plan()).rejects.toMatchObject({ code: 'WB_UNAVAILABLE', scope: 'source' });
      controller.abort(new Error('paused'));
      await expect(plan(controller.signal)).rejects.toThrow('paused');
      isStuck = false;
      expect(await plan()).toMatchObject({ files: FOLDERS, isLast: true });
      await engine.release({ ref });
    } finally {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  });
});
