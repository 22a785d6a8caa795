/** A pull that is asked for again: at another pace, with other options, from elsewhere; and what pipelines ask beside. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { openWaybill, type WaybillBed, type WaybillRun } from '../helpers/waybill.js';
import { startSlowSource, type SlowSource } from './half-way.js';

const LONG_MS = 300_000;
const MiB = 1024 * 1024;

let source: SlowSource;
let bed: WaybillBed;
let count = 0;
let uri: string;
let destination: string;

beforeAll(async () => {
  source = await startSlowSource();
  bed = openWaybill();
  expect((await bed.run(['up', '--json'])).exitCode).toBe(0);
}, LONG_MS);

afterAll(async () => {
  await source.stop();
  await bed.close();
}, LONG_MS);

beforeEach(() => {
  source.slowDown();
  count += 1;
  uri = source.uri(`pull-${count}`);
  destination = join(bed.dir, `pull-${count}`, 'model.bin');
});

const pull = (...flags: readonly string[]): Promise<WaybillRun> =>
  bed.run(['pull', uri, destination, ...flags]);

async function statusOf(): Promise<{ runId: string; phase: string; limits?: unknown }> {
  const { result } = await bed.run(['status', destination, '--json']);
  const { runId, progress } = result as {
    runId: string;
    progress: { phase: string; limits?: unknown };
  };
  return { ...progress, runId };
}

describe('the same pull at another pace', () => {
  it(
    'is joined and tuned, which is said; a paused one goes on at the new pace',
    async () => {
      const first = await pull('--detach', '--max-bandwidth', '20MiB/s');
      expect(first.exitCode).toBe(0);
      await source.untilHalfWay(destination);
      const { runId, limits } = await statusOf();
      expect(limits).toEqual({ maxBytesPerSecond: 20 * MiB });
      const args = ['--requests-per-second', '50', '--concurrency', '3', '--give-up-after', '2h'];
      const second = await pull('--detach', ...args);
      expect({ exitCode: second.exitCode, stdout: second.stdout }).toEqual({
        exitCode: 0,
        stdout: first.stdout,
      });
      expect(second.stderr).toContain(
        'it was started with other limits; from now on: no limit of its bandwidth, ' +
          'at most 50 requests a second, at most 3 connections, an end when nothing moved for 2 h 00 min',
      );
      expect(await statusOf()).toMatchObject({
        runId,
        limits: { concurrency: 3, maxRequestsPerSecond: 50 },
      });
      expect((await bed.run(['pause', destination])).exitCode).toBe(0);
      const third = bed.start(['pull', uri, destination, '--json', '--max-bandwidth', '500MiB/s']);
      await third.untilOutput(/"text":"it was started with other limits/u);
      source.hurry();
      expect(await third.done).toMatchObject({ exitCode: 0, result: { ok: true } });
      expect((await statusOf()).runId).toBe(runId);
      source.expectWhole(destination);
    },
    LONG_MS,
  );

  it(
    'is not the same with options that change what is brought: exit 9 while it runs, and it goes on anew when it is paused',
    async () => {
      const id = (await pull('--detach')).stdout.trim();
      await source.untilHalfWay(destination);
      const other = await pull('--timeout', '2h');
      expect(other).toMatchObject({ exitCode: 9 });
      expect(other.stderr).toContain(
        `belongs to the pull ${id} (the same source with other options); ` +
          `wait for it: waybill watch ${id}, or give it up: waybill cancel ${id}`,
      );
      expect((await bed.run(['pause', id])).exitCode).toBe(0);
      source.hurry();
      expect(await pull('--timeout', '2h')).toMatchObject({ exitCode: 0 });
      source.expectWhole(destination);
    },
    LONG_MS,
  );
});

describe('another source into the destination of a paused pull', () => {
  it(
    'is told how to go on with that one and how to give it up; after that it has the place',
    async () => {
      const id = (await pull('--detach')).stdout.trim();
      await source.untilHalfWay(destination);
      expect((await bed.run(['pause', id])).exitCode).toBe(0);
      const other = ['pull', source.uri('other'), destination, '--json'];
      const refused = await bed.run(other);
      expect(refused).toMatchObject({ exitCode: 9, result: { code: 'WB_DESTINATION_OWNED' } });
      expect(refused.stderr).toContain(
        `it is paused; go on with it: waybill resume ${id}, ` +
          `or give it up: waybill cancel ${id}, then pull with --replace-source`,
      );
      expect(refused.stderr).not.toMatch(/wait for it: /u);
      expect((await bed.run(['cancel', id])).exitCode).toBe(0);
      expect((await bed.run(['watch', id])).exitCode).toBe(13);
      source.hurry();
      expect(await bed.run([...other, '--replace-source'])).toMatchObject({ exitCode: 0 });
      source.expectWhole(destination);
    },
    LONG_MS,
  );
});

describe('what a pipeline asks', () => {
  it(
    '-q --detach prints the destination and nothing else, which every command takes for the id',
    async () => {
      const started = await bed.run(['pull', '-q', uri, `pull-${count}/model.bin`, '--detach']);
      expect(started).toMatchObject({ exitCode: 0, stdout: `${destination}\n`, stderr: '' });
      source.hurry();
      const watched = await bed.run(['watch', '-q', started.stdout.trim()]);
      expect(watched).toMatchObject({ exitCode: 0, stdout: `${destination}\n`, stderr: '' });
    },
    LONG_MS,
  );

  it(
    '--receipt-out never hides why a pull failed, and is refused at once where it cannot be written',
    async () => {
      const place = join(bed.dir, `receipt-${count}.json`);
      const gone = await bed.run([
        ...['pull', '/no/such/source', destination, '--receipt-out', place, '--json'],
      ]);
      expect(gone).toMatchObject({ exitCode: 4, result: { code: 'WB_NOT_FOUND' } });
      expect(gone.stdout).toContain('not written, for the pull left no receipt');
      expect(existsSync(place)).toBe(false);
      const nowhere = await pull('--receipt-out', join(bed.dir, 'no-folder', 'receipt.json'));
      expect(nowhere).toMatchObject({ exitCode: 2 });
      expect(nowhere.stderr).toContain('--receipt-out');
      expect(source.bytesServed(`pull-${count}`)).toBe(0);
      source.hurry();
      expect(await pull('--receipt-out', place)).toMatchObject({ exitCode: 0 });
      expect(existsSync(place)).toBe(true);
    },
    LONG_MS,
  );

  it.each([
    ['--include', '--json'],
    ['--exclude', '-q'],
    ['--receipt-out', '--json'],
    ['--expect', '--json'],
    ['--connection', '--prune'],
  ])(
    '%s takes no option for its value: %s is a usage error',
    async (flag, option) => {
      const run = await pull(flag, option);
      expect(run).toMatchObject({ exitCode: 2 });
      expect(run.stderr).toContain(`${option} is an option itself, and ${flag} needs a value`);
      if (option === '--json') expect(run.result).toMatchObject({ code: 'WB_USAGE', ok: false });
    },
    LONG_MS,
  );
});
