/** Twenty commands at once, from two shells, on a machine on which nothing runs yet. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { serveFile, startCutServer } from '../helpers/cut-server.js';
import { commandLinesWith } from '../helpers/processes.js';
import { openWaybill, type WaybillBed } from '../helpers/waybill.js';

const LONG_MS = 600_000;
const EACH = 10;

/** Each has six units under way at once: together more than a worker takes without waiting. */
const LARGE_PULLS = 5;
const LARGE_FILES = 6;
const LARGE_BYTES = 32 * 1024 * 1024;
const UNITS_WITHOUT_WAITING = 24;

let bed: WaybillBed;
let source: Server;

beforeAll(async () => {
  bed = openWaybill();
  // Gives to each shell what is its own, and nothing to anybody else.
  source = createServer((request, response) => {
    const [, shell = ''] = /^\/(\w+)\//.exec(request.url ?? '') ?? [];
    if (request.headers.authorization !== `Bearer token-of-${shell}`) {
      response.writeHead(401).end();
      return;
    }
    const body = `${request.url ?? ''} for ${shell}`;
    response.writeHead(200, { 'content-length': body.length, etag: '"1"' });
    response.end(request.method === 'HEAD' ? undefined : body);
  });
  source.listen(0, '127.0.0.1');
  await once(source, 'listening');
}, LONG_MS);

afterAll(async () => {
  source.close();
  await bed.close();
}, LONG_MS);

/** The processes whose command lines name the state folder, by what they are. */
function processes(): Record<string, number> {
  const counts = { service: 0, temporal: 0, worker: 0 };
  for (const line of commandLinesWith(bed.stateDir)) {
    if (line.includes('service-main.js')) counts.service += 1;
    else if (line.includes('start-dev')) counts.temporal += 1;
    else if (line.includes('worker.js')) counts.worker += 1;
  }
  return counts;
}

describe('rule 8: ten commands of each of two shells at once', () => {
  it(
    'end well, through one service, one Temporal and one worker, and each shell gets what is its own',
    async () => {
      const { port } = source.address() as AddressInfo;
      const commands = Array.from({ length: 2 * EACH }, async (_, index) => {
        const shell = index % 2 === 0 ? 'first' : 'second';
        const path = `/${shell}/${index}.bin`;
        const args = ['pull', `http://127.0.0.1:${port}${path}`, join(bed.dir, `${index}.bin`)];
        const env = { WAYBILL_HTTP_TOKEN: `token-of-${shell}` };
        const { exitCode, stdout, stderr } = await bed.run(args, { env, timeoutMs: LONG_MS });
        expect([index, exitCode, exitCode === 0 ? '' : stdout + stderr]).toEqual([index, 0, '']);
        expect(readFileSync(join(bed.dir, `${index}.bin`), 'utf8')).toBe(`${path} for ${shell}`);
      });
      await Promise.all(commands);
      expect(processes()).toEqual({ service: 1, temporal: 1, worker: 1 });
    },
    LONG_MS,
  );
});

describe('rule 7: a shell that sees another file system than the service', () => {
  it(
    'is not told that its model is there',
    async () => {
      const { port } = source.address() as AddressInfo;
      const own = join(bed.dir, 'private');
      mkdirSync(own);
      const script = 'mount -t tmpfs tmpfs "$0"; exec "$@"';
      const { exitCode, result } = await bed.run(
        ['pull', `http://127.0.0.1:${port}/first/w.bin`, join(own, 'w.bin'), '--json'],
        {
          env: { WAYBILL_HTTP_TOKEN: 'token-of-first' },
          runner: ['unshare', '--mount', 'sh', '-euc', script, own],
        },
      );
      expect([exitCode, result['code']]).toEqual([10, 'WB_DESTINATION_NOT_HERE']);
      expect(result['message']).toMatch(/another mount namespace.*WAYBILL_STATE_DIR/);
    },
    LONG_MS,
  );
});

/** Units that the worker has begun. */
async function underWay(pulls: readonly string[]): Promise<number> {
  let units = 0;
  for (const name of pulls) {
    const { result } = await bed.run(['status', join(bed.dir, name), '--json']);
    units += (result['inFlight'] as readonly unknown[]).length;
  }
  return units;
}

describe('five pulls of large files over a line on which next to nothing comes', () => {
  it(
    'are no wall for a small one',
    async () => {
      const slow = await startCutServer();
      const names = Array.from({ length: LARGE_FILES }, (_, index) => `part-${index}.bin`);
      const links = names.map((name) => `<a href="${name}">${name}</a>`).join('\n');
      const page = `<html><title>Index of /</title><pre>${links}</pre></html>`;
      const large = serveFile(Buffer.alloc(LARGE_BYTES), { etag: '"1"', bytesPerSecond: 1 });
      slow.serveRest((request) => {
        if (request.path.endsWith('.bin')) return large(request);
        if (!request.path.endsWith('/')) return { status: 404 };
        return { headers: { 'Content-Type': 'text/html' }, body: page };
      });
      const pulls = Array.from({ length: LARGE_PULLS }, (_, index) => `large-${index}`);
      try {
        for (const name of pulls) {
          const args = ['pull', `${slow.url}/${name}/`, join(bed.dir, name), '--detach'];
          expect((await bed.run(args)).exitCode).toBe(0);
        }
        while ((await underWay(pulls)) < UNITS_WITHOUT_WAITING) await sleep(200);
        const small = join(bed.dir, 'small.txt');
        writeFileSync(small, 'a word');
        const { exitCode } = await bed.run(['pull', small, join(bed.dir, 'brought.txt')]);
        expect([exitCode, readFileSync(join(bed.dir, 'brought.txt'), 'utf8')]).toEqual([
          0,
          'a word',
        ]);
        expect(await underWay(pulls)).toBeGreaterThanOrEqual(UNITS_WITHOUT_WAITING);
      } finally {
        for (const name of pulls) await bed.run(['cancel', join(bed.dir, name)]);
        await slow.stop();
      }
    },
    LONG_MS,
  );
});
