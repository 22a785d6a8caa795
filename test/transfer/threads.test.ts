/** The threads: how much they take, and how it is spread over them. */
import { createHash } from 'node:crypto';
import { mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ThreadPool } from '../../src/transfer/pool.js';
import { spread, type LoadBalancer } from '../../src/transfer/spread.js';
import { Cell } from '../../src/transfer/thread/cell.js';
import { Pace } from '../../src/transfer/thread/pace.js';
import type {
  FetchRangeOutcome,
  FollowOutcome,
  HashExtentsOutcome,
} from '../../src/transfer/thread/tasks.js';
import { scratch } from '../helpers/engine.js';
import { startFaultFs, type FaultFs } from '../helpers/faultfs.js';
import { until } from '../helpers/until.js';

const LONG_MS = 60_000;
const BODY = Buffer.alloc(9_000, 3);
const SHA256 = createHash('sha256').update(BODY).digest('hex');
const FETCHES = new URL('../../src/thread.js', import.meta.url);

describe('which thread gets a task', () => {
  const task = (name: string): Parameters<LoadBalancer>[0] =>
    ({ name }) as Parameters<LoadBalancer>[0];
  const busy = (...usages: number[]): Parameters<LoadBalancer>[1] =>
    usages.map((currentUsage) => ({ currentUsage })) as unknown as Parameters<LoadBalancer>[1];
  const startsAt = (name: string): number => (name === 'follow' ? 1 : 5);
  const balance = spread({ threads: 3, mostTasks: 10, startsAt });

  it.each([
    ['the first starts one', 'follow', [], undefined],
    ['one that idles takes it', 'follow', [4, 0], 1],
    ['a heavy one gets a thread of its own', 'follow', [1], undefined],
    ['a light one does not', 'look', [4], 0],
    ['but where all that run have enough', 'look', [5, 5], undefined],
    ['with all threads there the least busy takes it', 'follow', [3, 2, 5], 1],
    ['none takes more than it may', 'look', [10, 10], undefined],
  ] as const)('%s', (_, name, usages, index) => {
    const threads = busy(...usages);
    expect(balance(task(name), threads)).toBe(index === undefined ? null : threads[index]);
  });
});

describe('rule 27: much at once', () => {
  let dir: string;
  let disk: FaultFs;

  beforeAll(async () => {
    dir = await scratch('hashers');
    disk = await startFaultFs();
  });
  afterAll(async () => {
    await disk.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  const follow = (pool: ThreadPool, cell: Cell, partialPath: string): Promise<FollowOutcome> =>
    pool.follow({ cell: cell.memory, partialPath, sizeBytes: BODY.length, digests: [] });

  it(
    'a hash never waits for that of another file, however many of them wait for their bytes',
    async () => {
      const pool = new ThreadPool(FETCHES, 2);
      const waiting = Array.from({ length: 150 }, (_, index) => {
        const path = join(dir, `waiting-${index}`);
        writeFileSync(path, '');
        truncateSync(path, BODY.length);
        const cell = new Cell();
        return { cell, hashing: follow(pool, cell, path) };
      });
      try {
        const path = join(dir, 'there');
        writeFileSync(path, BODY);
        const cell = new Cell();
        cell.frontier = BODY.length;
        expect(await follow(pool, cell, path)).toMatchObject({
          kind: 'hashed',
          digests: { sha256: SHA256 },
        });
      } finally {
        for (const { cell } of waiting) cell.stop();
      }
      const ends = await Promise.all(waiting.map(({ hashing }) => hashing));
      expect(ends.every(({ kind }) => kind === 'stopped')).toBe(true);
      await pool.close();
    },
    LONG_MS,
  );

  it(
    'a fetch never waits for those from a source that does not answer',
    async () => {
      const [silent, there] = [createServer(), createServer()];
      there.on('request', (_, response: ServerResponse) => {
        const range = `bytes 0-${BODY.length - 1}/${BODY.length}`;
        response.writeHead(206, { etag: '"v1"', 'content-range': range }).end(BODY);
      });
      const pool = new ThreadPool(FETCHES, 2);
      const fetch = async (
        server: Server,
        cell: Cell,
        name: string,
      ): Promise<FetchRangeOutcome> => {
        if (!server.listening) await once(server.listen(0, '127.0.0.1'), 'listening');
        const partialPath = join(dir, name);
        writeFileSync(partialPath, '');
        const pace = new Pace();
        pace.allow(1);
        const { port } = server.address() as AddressInfo;
        return pool.fetchRange({
          address: { uri: `http://127.0.0.1:${port}/model.bin`, settings: {}, secrets: {} },
          round: 'r',
          cell: cell.memory,
          pace: { id: String(port), memory: pace.memory },
          sourcePath: '',
          partialPath,
          sidecarPath: `${partialPath}.parts`,
          offsetBytes: 0,
          lengthBytes: BODY.length,
          recordBytes: 1_000,
          sizeBytes: BODY.length,
          movesFrontier: false,
        });
      };
      const cells = Array.from({ length: 150 }, () => new Cell());
      const waiting = cells.map((cell, index) => fetch(silent, cell, `silent-${index}`));
      try {
        await once(silent, 'request');
        expect(await fetch(there, new Cell(), 'quick')).toMatchObject({ kind: 'fetched' });
      } finally {
        for (const cell of cells) cell.stop();
      }
      expect((await Promise.all(waiting)).every(({ kind }) => kind === 'stopped')).toBe(true);
      await pool.close();
      for (const server of [silent, there]) {
        server.closeAllConnections();
        server.close();
      }
    },
    LONG_MS,
  );

  it(
    'with more cores a read that hangs keeps no other file from being hashed',
    async () => {
      const pool = new ThreadPool(FETCHES, 3);
      mkdirSync(join(disk.path, 'd'));
      for (const name of ['hangs', 'there']) writeFileSync(join(disk.path, 'd', name), BODY);
      await disk.fault({ kind: 'read', path: 'd/hangs', errno: 'HANG' });
      const hash = (name: string): Promise<HashExtentsOutcome> =>
        pool.hashExtents({
          cell: new Cell().memory,
          path: join(disk.path, 'd', name),
          extents: [{ offsetBytes: 0, lengthBytes: BODY.length }],
        });
      const hung = hash('hangs');
      await until('it hangs', async () => (await disk.status()).hanging > 0);
      expect(await hash('there')).toEqual({ kind: 'hashed', digests: [SHA256] });
      await disk.clear();
      expect(await hung).toEqual({ kind: 'hashed', digests: [SHA256] });
      await pool.close();
    },
    LONG_MS,
  );
});
