/** How fast a pull goes: what was asked for, and what is changed while bytes are in flight. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { serveFile, startCutServer, type CutServer } from '../helpers/cut-server.js';
import { openWaybill, type WaybillBed } from '../helpers/waybill.js';

const LONG_MS = 300_000;
const MiB = 1024 * 1024;
/** What sockets and streams hold before the first chunk is waited for. */
const BUFFERS = 24 * MiB;

let bed: WaybillBed;
let server: CutServer;
const model = randomBytes(48 * MiB);
let count = 0;
let destination: string;
let path: string;

beforeAll(async () => {
  bed = openWaybill();
  server = await startCutServer();
  expect((await bed.run(['up', '--json'])).exitCode).toBe(0);
}, LONG_MS);

afterAll(async () => {
  await server.stop();
  await bed.close();
}, LONG_MS);

beforeEach(() => {
  count += 1;
  path = `/${count}/model.bin`;
  destination = join(bed.dir, `pull-${count}`, 'model.bin');
  server.serve(path, serveFile(model, { etag: '"v1"' }));
});

async function detach(...flags: readonly string[]): Promise<string> {
  const run = await bed.run(['pull', `${server.url}${path}`, destination, '--detach', ...flags]);
  expect(run.exitCode).toBe(0);
  return run.stdout.trim();
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await sleep(50);
}

async function limitsOf(id: string): Promise<unknown> {
  const { result } = await bed.run(['status', id, '--json']);
  return (result['progress'] as { limits?: unknown } | undefined)?.limits;
}

describe('waybill pull --max-bandwidth', () => {
  it(
    'brings no more than it allows, over all connections together',
    async () => {
      const startedAt = performance.now();
      const args = ['pull', `${server.url}${path}`, destination, '--max-bandwidth', '12MiB/s'];
      const pulling = bed.start(args);
      let isOver = false;
      void pulling.done.then(() => (isOver = true));
      while (!isOver) {
        const allowed = ((performance.now() - startedAt) / 1_000) * 12 * MiB;
        expect(server.bytesServed(path)).toBeLessThan(allowed + BUFFERS);
        await sleep(100);
      }
      expect(await pulling.done).toMatchObject({ exitCode: 0 });
      // The last byte cannot have come before its time.
      expect(performance.now() - startedAt).toBeGreaterThan((48 / 12 - 0.5) * 1_000);
      expect(readFileSync(destination).equals(model)).toBe(true);
    },
    LONG_MS,
  );
});

describe('waybill tune', () => {
  it(
    'lifts the limit of a running pull while its file is in flight: the same requests go on, faster',
    async () => {
      const id = await detach('--max-bandwidth', '64KiB/s');
      await until(() => server.requestsOf(path).length >= 4);
      expect(await limitsOf(id)).toEqual({ maxBytesPerSecond: 64 * 1024 });
      const { length: requests } = server.requestsOf(path);
      const tuned = await bed.run(['tune', '--max-bandwidth', 'never', '--json']);
      expect(tuned).toMatchObject({ exitCode: 0, result: { pullId: id, did: 'tune' } });
      // At 64 KiB a second it would take twelve minutes.
      expect(await bed.run(['watch', id])).toMatchObject({ exitCode: 0 });
      expect(server.requestsOf(path).length).toBe(requests);
      expect(readFileSync(destination).equals(model)).toBe(true);
    },
    LONG_MS,
  );

  it(
    'takes connections away from a running pull, and says in its status what holds',
    async () => {
      const names = Array.from({ length: 60 }, (_, index) => `f${index}.bin`);
      const links = names.map((name) => `<a href="${name}">${name}</a> 64K`).join('\n');
      const html = `<html><title>Index of /${count}/</title><body><h1>Index of /${count}/</h1><pre>${links}</pre></body></html>`;
      server.serve(`/${count}/`, { headers: { 'Content-Type': 'text/html' }, body: html });
      let open = 0;
      let isTuned = false;
      let mostAfter = 0;
      for (const name of names) {
        const body = randomBytes(48 * 1024);
        server.serve(`/${count}/${name}`, (request) => {
          if (request.method === 'GET') open = server.openConnections();
          if (isTuned) mostAfter = Math.max(mostAfter, open);
          return { ...serveFile(body, { etag: '"v"' })(request), bytesPerSecond: 64 * 1024 };
        });
      }
      const to = join(bed.dir, `tree-${count}`);
      const source = `${server.url}/${count}/`;
      const run = await bed.run(['pull', source, to, '--detach', '--concurrency', '12']);
      const id = run.stdout.trim();
      await until(() => open >= 4);
      expect((await bed.run(['tune', id, '--concurrency', '2'])).exitCode).toBe(0);
      await until(() => server.openConnections() <= 2);
      isTuned = true;
      expect(await limitsOf(id)).toMatchObject({ concurrency: 2 });
      expect((await bed.run(['status', id])).stdout).toContain('at most 2 connections');
      const before = server.requests.length;
      await until(() => server.requests.length > before + 6);
      isTuned = false;
      expect(mostAfter).toBeLessThanOrEqual(2);
      expect((await bed.run(['tune', to, '--concurrency', '16'])).exitCode).toBe(0);
      expect(await bed.run(['watch', id])).toMatchObject({ exitCode: 0 });
      expect(readdirSync(to).filter((name) => name.endsWith('.bin'))).toHaveLength(60);
    },
    LONG_MS,
  );

  it(
    'sends no more requests than --requests-per-second allows',
    async () => {
      const times: number[] = [];
      const names = Array.from({ length: 40 }, (_, index) => `f${index}.bin`);
      server.serve(`/${count}/`, {
        headers: { 'Content-Type': 'text/html' },
        body: `<html><title>Index of /</title><body><pre>${names.map((name) => `<a href="${name}">${name}</a>`).join('\n')}</pre></body></html>`,
      });
      for (const name of names) {
        server.serve(`/${count}/${name}`, (request) => {
          times.push(performance.now());
          return serveFile(Buffer.from(name), { etag: '"v"' })(request);
        });
      }
      const to = join(bed.dir, `tree-${count}`);
      const source = `${server.url}/${count}/`;
      const args = ['pull', source, to, '--requests-per-second', '10'];
      expect(await bed.run(args)).toMatchObject({ exitCode: 0 });
      expect(times.length).toBeGreaterThanOrEqual(40);
      const tookMs = (times.at(-1) ?? 0) - (times[0] ?? 0);
      // A fifth of a second may be caught up.
      expect(tookMs).toBeGreaterThan(((times.length - 1) / 10 - 0.5) * 1_000);
    },
    LONG_MS,
  );

  it.each([
    [['tune'], 'tune what?'],
    [['tune', '--max-bandwidth', '20'], 'is no rate'],
    [['tune', '--max-bandwidth', '0MiB/s'], 'is no rate'],
    [['tune', '--requests-per-second', 'many'], 'is no number of requests'],
    [['pull', 'https://h.example/f', 'f', '--max-bandwidth', 'fast'], 'is no rate'],
    [['pull', 'https://h.example/f', 'f', '--concurrency', '0'], 'concurrency'],
    [['pull', 'https://h.example/f', 'f', '--requests-per-second', '-1'], 'requests-per-second'],
  ])(
    'refuses %j as a usage error',
    async (args, why) => {
      const { exitCode, stderr } = await bed.run(args);
      expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: expect.stringContaining(why) });
    },
    LONG_MS,
  );

  it(
    'of a pull that has ended says so',
    async () => {
      const id = await detach();
      expect(await bed.run(['watch', id])).toMatchObject({ exitCode: 0 });
      const late = await bed.run(['tune', id, '--concurrency', '2']);
      expect(late).toMatchObject({ exitCode: 2 });
      expect(late.stderr).toContain('nothing to tune');
    },
    LONG_MS,
  );
});
