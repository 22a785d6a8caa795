/** Several commands and one pull: joining, conflicts, the background, pausing, Ctrl-C, and what is said to scripts. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { WaybillClient } from '../../src/client.js';
import { readOrMakeKey } from '../../src/service/private-key.js';
import { serviceFiles } from '../../src/service/service-files.js';
import { openWaybill, type WaybillBed } from '../helpers/waybill.js';
import { MODEL_BYTES, startSlowSource, type SlowSource } from './half-way.js';

const LONG_MS = 300_000;

let bed: WaybillBed;
let server: SlowSource;
let name: string;
let source: string;
let count = 0;
let destination: string;

beforeAll(async () => {
  bed = openWaybill();
  server = await startSlowSource();
  const { exitCode } = await bed.run(['up', '--json']);
  expect(exitCode).toBe(0);
}, LONG_MS);

afterAll(async () => {
  await server.stop();
  await bed.close();
}, LONG_MS);

beforeEach(() => {
  server.slowDown();
  count += 1;
  name = `pull-${count}`;
  source = server.uri(name);
  destination = join(bed.dir, name, 'model.bin');
});

const untilBytesFlow = (): Promise<void> => server.untilHalfWay(destination);
const expectWhole = (): void => server.expectWhole(destination);

async function statusOf(id: string): Promise<Readonly<Record<string, unknown>>> {
  return (await bed.run(['status', id, '--json'])).result;
}

/** Waits until a pull is paused, and nothing of it is in flight any more. */
async function untilPaused(id: string): Promise<void> {
  for (;;) {
    const { progress, inFlight } = await statusOf(id);
    const isPaused = (progress as { phase?: string } | undefined)?.phase === 'paused';
    if (isPaused && (inFlight as readonly unknown[]).length === 0) return;
    await sleep(200);
  }
}

async function runsOf(pullId: string): Promise<number> {
  const { result } = await bed.run(['up', '--json']);
  const payloadKey = readOrMakeKey(serviceFiles(bed.stateDir).payloadKey);
  const client = await WaybillClient.connect({ address: String(result['address']), payloadKey });
  const runs = (await client.list()).filter((run) => run.pullId === pullId);
  await client.close();
  return runs.length;
}

/** Starts a pull in the background; gives its id. */
async function detach(): Promise<string> {
  const { exitCode, stdout } = await bed.run(['pull', source, destination, '--detach']);
  expect(exitCode).toBe(0);
  return stdout.trim();
}

describe('two commands for one destination', () => {
  it(
    'the same pull twice at once is one workflow run, and both commands end with it',
    async () => {
      const args = ['pull', source, destination, '--json'];
      const first = bed.start(args);
      const second = bed.start(args);
      await untilBytesFlow();
      await Promise.all([first.untilOutput(/"started"/u), second.untilOutput(/"started"/u)]);
      server.hurry();
      const runs = await Promise.all([first.done, second.done]);
      expect(runs.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
      const started = runs.map(({ events }) => events.find(({ type }) => type === 'started'));
      expect(started.map((event) => event?.['joined']).sort()).toEqual([false, true]);
      const pullId = String(started[0]?.['pullId']);
      expect(started[1]?.['pullId']).toBe(pullId);
      expect(runs[0]?.result['treeDigest']).toBe(runs[1]?.result['treeDigest']);
      expect(await runsOf(pullId)).toBe(1);
      expectWhole();
    },
    LONG_MS,
  );

  it(
    'rule 6: another source into a destination that is being written is exit 9, and harms nothing',
    async () => {
      const id = await detach();
      await untilBytesFlow();
      const other = server.uri('other');
      const { exitCode, result, stderr } = await bed.run(['pull', other, destination, '--json']);
      expect({ exitCode, ...result }).toMatchObject({ exitCode: 9, code: 'WB_DESTINATION_OWNED' });
      expect(stderr).toContain(`waybill cancel ${id}`);
      server.hurry();
      expect(await bed.run(['watch', id])).toMatchObject({ exitCode: 0 });
      expectWhole();
      expect(server.bytesServed('other')).toBe(0);
    },
    LONG_MS,
  );

  it(
    'another source into a sealed destination is a conflict until --replace-source is said',
    async () => {
      const trees = ['one', 'two'].map((name) => join(bed.dir, `tree-${name}`));
      for (const tree of trees) {
        mkdirSync(tree);
        writeFileSync(join(tree, 'a.txt'), tree);
      }
      const [one = '', two = ''] = trees;
      const place = join(bed.dir, 'sealed');
      expect(await bed.run(['pull', one, place])).toMatchObject({ exitCode: 0 });
      const { exitCode, result } = await bed.run(['pull', two, place, '--json']);
      expect(exitCode).toBe(9);
      expect(result['message']).toContain('--replace-source');
      expect(readFileSync(join(place, 'a.txt'), 'utf8')).toBe(one);
      const replaced = await bed.run(['pull', two, place, '--replace-source']);
      expect(replaced).toMatchObject({ exitCode: 0 });
      expect(readFileSync(join(place, 'a.txt'), 'utf8')).toBe(two);
    },
    LONG_MS,
  );
});

describe('a pull in the background', () => {
  it(
    'is started with --detach, which prints its id, and watch ends with its exit code',
    async () => {
      const id = await detach();
      expect(existsSync(destination)).toBe(false);
      server.hurry();
      const watched = await bed.run(['watch', id, '--json']);
      expect(watched).toMatchObject({ exitCode: 0 });
      expect(watched.result).toMatchObject({ type: 'result', ok: true, destination });
      expectWhole();
      const listed = await bed.run(['pulls', '-q']);
      expect(listed.stdout.split('\n')).toContain(id);
    },
    LONG_MS,
  );

  it(
    'is paused by its id, shown by a prefix, resumed by its path, retried and cancelled by nothing',
    async () => {
      const id = await detach();
      await untilBytesFlow();
      expect(await bed.run(['pause', id])).toMatchObject({ exitCode: 0 });
      await untilPaused(id.slice(0, -4));
      await server.expectStopped(name);
      const before = server.bytesServed(name);
      await untilPaused(id);
      expect(server.bytesServed(name)).toBe(before);
      expect(await bed.run(['resume', destination])).toMatchObject({ exitCode: 0 });
      while (server.bytesServed(name) === before) await sleep(50);
      const retried = await bed.run(['retry', '--json']);
      expect(retried).toMatchObject({ exitCode: 0, result: { pullId: id, did: 'retry' } });
      expect(await bed.run(['cancel'])).toMatchObject({ exitCode: 0 });
      expect(await bed.run(['watch', id])).toMatchObject({ exitCode: 13 });
      expect(existsSync(destination)).toBe(false);
      const late = await bed.run(['pause', id, '--json']);
      expect(late).toMatchObject({ exitCode: 2, result: { code: 'WB_USAGE' } });
      server.hurry();
      expect(await bed.run(['pull', source, destination])).toMatchObject({ exitCode: 0 });
      expectWhole();
    },
    LONG_MS,
  );

  it(
    'that nobody knows is exit 4, and says where all are listed',
    async () => {
      const { exitCode, result, stderr } = await bed.run(['status', 'nosuch', '--json']);
      expect({ exitCode, ...result }).toMatchObject({ exitCode: 4, code: 'WB_NOT_FOUND' });
      expect(stderr).toContain('waybill pulls');
    },
    LONG_MS,
  );
});

describe('Ctrl-C', () => {
  it.each([
    { signal: 'SIGINT', code: 130 },
    { signal: 'SIGTERM', code: 143 },
  ] as const)(
    'pauses the pull and exits with $code after $signal, and the same command goes on',
    async ({ signal, code }) => {
      const args = ['pull', source, destination];
      const pulling = bed.start([...args, '--json']);
      await untilBytesFlow();
      pulling.signal(signal);
      const stopped = await pulling.done;
      expect({ ...stopped.result, exitCode: stopped.exitCode }).toMatchObject({
        exitCode: code,
        code: 'WB_STOPPED',
        ok: false,
      });
      expect(stopped.result['message']).toContain(`waybill pull ${source}`);
      expect(existsSync(destination)).toBe(false);
      await server.expectStopped(name);
      const before = server.bytesServed(name);
      await untilPaused(destination);
      expect(server.bytesServed(name)).toBe(before);
      server.hurry();
      const again = await bed.run([...args, '--json']);
      expect(again).toMatchObject({ exitCode: 0 });
      expectWhole();
      const pullId = String(again.result['pullId']);
      expect(await runsOf(pullId)).toBe(1);
    },
    LONG_MS,
  );

  it(
    'in a command that joined only stops watching, and says so',
    async () => {
      const id = await detach();
      await untilBytesFlow();
      const joined = bed.start(['pull', source, destination]);
      await joined.untilOutput(/MiB|MB/u);
      joined.signal('SIGINT');
      const { exitCode, stderr } = await joined.done;
      expect(exitCode).toBe(130);
      expect(stderr).toContain('the pull goes on');
      server.hurry();
      expect(await bed.run(['watch', id])).toMatchObject({ exitCode: 0 });
    },
    LONG_MS,
  );
});

describe('what a script sees', () => {
  beforeEach(() => {
    server.hurry();
  });

  it(
    '--quiet prints the absolute destination and nothing else',
    async () => {
      const { exitCode, stdout, stderr } = await bed.run(['pull', '-q', source, 'quiet/model.bin']);
      expect({ exitCode, stdout, stderr }).toEqual({
        exitCode: 0,
        stdout: `${join(bed.dir, 'quiet/model.bin')}\n`,
        stderr: '',
      });
    },
    LONG_MS,
  );

  it.each([
    [['pull', '--json']],
    [['pull', 'x', '--nosuch', '--json']],
    [['pull', '', 'x', '--json']],
    [['pull', 's3://bucket/key', 's3://other/key', '--json']],
    [['status', '--json', '--nosuch']],
    [['nosuch', '--json']],
  ])(
    '--json ends with the result also for the usage error %j',
    async (args) => {
      const { exitCode, result } = await bed.run(args);
      expect({ exitCode, ...result }).toMatchObject({
        exitCode: 2,
        type: 'result',
        ok: false,
        failures: [],
      });
      expect(result['code']).toMatch(/^WB_(USAGE|UNSUPPORTED)$/u);
    },
    LONG_MS,
  );

  it(
    'rule 5: status answers from the destination when the history is gone',
    async () => {
      expect(await bed.run(['pull', source, destination])).toMatchObject({ exitCode: 0 });
      const other = openWaybill();
      try {
        const { exitCode, result } = await other.run(['status', destination, '--json']);
        expect({ exitCode, ...result }).toMatchObject({
          exitCode: 0,
          state: 'done',
          from: 'record',
          source,
          destination,
          result: { ok: true, files: 1, bytes: MODEL_BYTES },
        });
        const { stdout } = await other.run(['status', destination]);
        expect(stdout).toContain('Temporal no longer knows this pull');
        expect(stdout.trimEnd().split('\n').at(-1)).toContain('1 file');
        expect(await other.run(['watch', destination])).toMatchObject({ exitCode: 0 });
      } finally {
        await other.close();
      }
    },
    LONG_MS,
  );
});
