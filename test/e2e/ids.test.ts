/** Which pull a command means, what it answers when Temporal has forgotten it, and what `watch` ends with. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { serveFile, startCutServer, type CutServer } from '../helpers/cut-server.js';
import { freePort } from '../helpers/ports.js';
import { openWaybill, type WaybillBed, type WaybillRun } from '../helpers/waybill.js';
import { startSlowSource, type SlowSource } from './half-way.js';

const LONG_MS = 300_000;

let source: SlowSource;
let server: CutServer;
let bed: WaybillBed;
let count = 0;

beforeAll(async () => {
  [source, server] = await Promise.all([startSlowSource(), startCutServer()]);
  bed = openWaybill();
  expect((await bed.run(['up', '--json'])).exitCode).toBe(0);
}, LONG_MS);

afterAll(async () => {
  await Promise.all([source.stop(), server.stop()]);
  await bed.close();
}, LONG_MS);

beforeEach(() => {
  source.slowDown();
  count += 1;
});

/** Starts a pull in the background; gives its id. */
async function detach(...args: readonly string[]): Promise<string> {
  const run = await bed.run(['pull', ...args, '--detach']);
  expect([run.exitCode, run.stderr]).toEqual([0, expect.any(String)]);
  return run.stdout.trim();
}

async function phaseOf(wanted: string): Promise<unknown> {
  const { result } = await bed.run(['status', wanted, '--json']);
  return (result['progress'] as { phase?: string } | undefined)?.phase;
}

async function untilPaused(wanted: string): Promise<void> {
  while ((await phaseOf(wanted)) !== 'paused') await sleep(100);
}

async function idOf(...args: readonly string[]): Promise<unknown> {
  const { exitCode, result } = await bed.run([...args, '--json']);
  expect([args, exitCode]).toEqual([args, 0]);
  return result['pullId'];
}

const FAST = ['--max-bandwidth', 'never'];
const VERBS = [
  ['status'],
  ['watch'],
  ['pause'],
  ['resume'],
  ['cancel'],
  ['retry'],
  ['tune', ...FAST],
];

describe('a pull is meant', () => {
  it(
    'by its id, a prefix that no other has, its path, a file in its folder, or nothing for the latest',
    async () => {
      const alpha = join(bed.dir, 'here', 'alpha');
      const first = await detach(source.uri('alpha'), alpha);
      await source.untilHalfWay(alpha);
      const second = await detach(source.uri('alpine'), 'there/alpine/');
      const inside = join(bed.dir, 'there', 'alpine', 'model.bin');
      await source.untilHalfWay(inside);
      expect([first, second]).toEqual([
        expect.stringMatching(/^alpha-/u),
        expect.stringMatching(/^alpine-/u),
      ]);
      const refused = await Promise.all(
        VERBS.map(async ([verb = '', ...more]) => bed.run([verb, 'alp', ...more, '--json'])),
      );
      for (const run of refused) {
        expect(run).toMatchObject({ exitCode: 2, result: { code: 'WB_USAGE', ok: false } });
        expect(run.result['message']).toContain('alp fits several pulls: ');
        for (const id of [first, second]) expect(run.result['message']).toContain(id);
      }
      expect(await idOf('pause', 'alph')).toBe(first);
      await untilPaused(first);
      expect(await idOf('status', alpha)).toBe(first);
      expect(await idOf('tune', first.slice(0, -2), ...FAST)).toBe(first);
      expect(await idOf('resume', 'here/alpha')).toBe(first);
      for (const verb of ['status', 'retry']) expect(await idOf(verb)).toBe(second);
      for (const path of [inside, dirname(inside)]) {
        expect(await idOf('tune', path, ...FAST)).toBe(second);
      }
      expect(await idOf('cancel')).toBe(second);
      expect((await bed.run(['watch', 'alpi'])).exitCode).toBe(13);
      source.hurry();
      expect((await bed.run(['watch', first])).exitCode).toBe(0);
      source.expectWhole(alpha);
      const late = await bed.run(['retry', first]);
      expect([late.exitCode, late.stderr]).toEqual([
        2,
        expect.stringContaining('has ended (done)'),
      ]);
    },
    LONG_MS,
  );

  it(
    'when Temporal has forgotten it, by its path: the record of the destination answers, and it goes on from there',
    async () => {
      const place = join(bed.dir, `forgotten-${count}`);
      const id = await detach(source.uri('forgotten'), place);
      await source.untilHalfWay(place);
      expect(await idOf('pause', id)).toBe(id);
      await untilPaused(id);
      expect((await bed.run(['down', '--force'])).exitCode).toBe(0);
      for (const name of readdirSync(bed.stateDir)) {
        if (/^temporal-.*\.db(-wal|-shm)?$/u.test(name)) rmSync(join(bed.stateDir, name));
      }
      const told = await bed.run(['status', place, '--json']);
      expect(told).toMatchObject({ exitCode: 0, result: { state: 'unknown', from: 'record' } });
      // A script that waits for the files must not go on.
      const watched = await bed.run(['watch', place]);
      expect(watched).toMatchObject({ exitCode: 4 });
      expect(watched.stderr).toContain(`waybill resume ${place}`);
      for (const [verb = '', ...more] of [['pause'], ['cancel'], ['tune', ...FAST]]) {
        const run = await bed.run([verb, place, ...more, '--json']);
        expect(run).toMatchObject({ exitCode: 4, result: { code: 'WB_NOT_FOUND' } });
        expect(run.stderr).toContain(`waybill resume ${place}`);
      }
      expect(await idOf('retry', place)).toBe(id);
      source.hurry();
      expect((await bed.run(['watch', id])).exitCode).toBe(0);
      source.expectWhole(place);
    },
    LONG_MS,
  );
});

describe('waybill retry', () => {
  it(
    'goes on with a partial pull once its source is mended, and ends it',
    async () => {
      const root = `/tree-${count}/`;
      const links = ['a.bin', 'b.bin'].map((name) => `<a href="${name}">${name}</a>`).join('\n');
      server.serve(root, {
        headers: { 'Content-Type': 'text/html' },
        body: `<html><title>Index of ${root}</title><body><pre>${links}</pre></body></html>`,
      });
      server.serve(`${root}a.bin`, serveFile(Buffer.from('a'), { etag: '"a"' }));
      server.serve(`${root}b.bin`, { status: 404 });
      const place = join(bed.dir, `tree-${count}`);
      const partial = await bed.run(['pull', server.url + root, place]);
      expect(partial).toMatchObject({ exitCode: 3 });
      expect((await bed.run(['watch', place])).exitCode).toBe(3);
      const asked = server.requestsOf(`${root}a.bin`).filter(({ method }) => method === 'GET');
      server.serve(`${root}b.bin`, serveFile(Buffer.from('b'), { etag: '"b"' }));
      expect((await bed.run(['retry', place])).exitCode).toBe(0);
      expect((await bed.run(['watch', place])).exitCode).toBe(0);
      expect((await bed.run(['verify', place])).exitCode).toBe(0);
      const again = server.requestsOf(`${root}a.bin`).filter(({ method }) => method === 'GET');
      expect(again.length).toBe(asked.length);
    },
    LONG_MS,
  );
});

describe('waybill watch', () => {
  it(
    'ends with the exit code of the pull, whatever that is',
    async () => {
      const path = (name: string): string => `${server.url}/codes/${name}`;
      server.serve('/codes/good.bin', serveFile(Buffer.from('good'), { etag: '"1"' }));
      server.serve('/codes/secret.bin', { status: 401 });
      const mine = join(bed.dir, 'mine.bin');
      writeFileSync(mine, 'my own file');
      mkdirSync(join(bed.dir, 'codes'));
      const nobody = `http://127.0.0.1:${await freePort()}/x.bin`;
      const rows: [code: number, source: string, place: string, ...flags: string[]][] = [
        [0, path('good.bin'), 'codes/good.bin'],
        [4, path('gone.bin'), 'codes/gone.bin'],
        [5, path('secret.bin'), 'codes/secret.bin'],
        [6, path('good.bin'), 'codes/bad.bin', '--expect', `sha256:${'0'.repeat(64)}`],
        [9, path('good.bin'), mine],
        [12, nobody, 'codes/nobody.bin', '--give-up-after', '1s'],
        [14, path('good.bin'), 'codes/large.bin', '--max-bytes', '1'],
      ];
      const watched = await Promise.all(
        rows.map(async ([, ...args]): Promise<WaybillRun> => {
          const id = await detach(...args);
          return bed.run(['watch', id, '--json']);
        }),
      );
      expect(watched.map(({ exitCode }) => exitCode)).toEqual(rows.map(([code]) => code));
      expect(watched.map(({ result }) => result['exitCode'])).toEqual(rows.map(([code]) => code));
    },
    LONG_MS,
  );
});
