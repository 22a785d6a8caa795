/** Temporal loses what it knew: its database, a history, or the way to go on with one. The destination's record stays. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Client, Connection } from '@temporalio/client';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { patchedBuild } from '../helpers/releases.js';
import { openWaybill, type RunningWaybill, type WaybillBed } from '../helpers/waybill.js';
import { startSlowSource, UNRECORDED_BYTES, type SlowSource } from './half-way.js';

const LONG_MS = 300_000;
const MiB = 1024 * 1024;

let source: SlowSource;
let bed: WaybillBed;
let count = 0;
let name: string;
let uri: string;
let destination: string;

beforeAll(async () => {
  source = await startSlowSource();
  bed = openWaybill();
}, LONG_MS);

afterAll(async () => {
  await source.stop();
  await bed.close();
}, LONG_MS);

beforeEach(() => {
  source.slowDown();
  count += 1;
  name = `pull-${count}`;
  uri = source.uri(name);
  destination = join(bed.dir, name, 'model.bin');
});

const databases = (): string[] =>
  readdirSync(bed.stateDir)
    .filter((file) => /^temporal-.*\.db(-wal|-shm)?$/u.test(file))
    .map((file) => join(bed.stateDir, file));

function loseDatabase(): void {
  expect(databases()).not.toEqual([]);
  for (const file of databases()) rmSync(file);
}

async function killTemporal(): Promise<void> {
  const { result } = await bed.run(['doctor', '--json']);
  const { temporal } = result['processes'] as { temporal: number };
  process.kill(temporal, 'SIGKILL');
}

async function withTemporal<T>(work: (client: Client) => Promise<T>): Promise<T> {
  const { result } = await bed.run(['up', '--json']);
  const connection = await Connection.connect({ address: String(result['address']) });
  try {
    return await work(new Client({ connection }));
  } finally {
    await connection.close();
  }
}

async function startHalfWay(main?: string): Promise<RunningWaybill> {
  const other = main === undefined ? {} : { main };
  const pulling = bed.start(['pull', uri, destination, '--json'], other);
  await source.untilHalfWay(destination);
  return pulling;
}

async function expectEnd(pulling: RunningWaybill): Promise<void> {
  const run = await pulling.done;
  expect(run).toMatchObject({ exitCode: 0, result: { ok: true } });
  source.expectWhole(destination);
}

/** From here on only what was not recorded comes again. */
function countTwice(): () => void {
  const before = source.bytesServed(name);
  return () =>
    expect(source.bytesServed(name) - before).toBeLessThanOrEqual(UNRECORDED_BYTES + MiB);
}

describe('a lost database', () => {
  it(
    'rule 5: deleted while a pull is stopped half-way: status and resume answer from the record, and only the rest is fetched',
    async () => {
      const pulling = await startHalfWay();
      pulling.signal('SIGINT');
      expect(await pulling.done).toMatchObject({ exitCode: 130 });
      expect(await bed.run(['down', '--force'])).toMatchObject({ exitCode: 0 });
      loseDatabase();
      const expectRest = countTwice();
      source.hurry();
      const { stdout } = await bed.run(['status', destination]);
      expect(stdout).toContain(`waybill resume ${destination}`);
      expect(await bed.run(['resume', destination])).toMatchObject({ exitCode: 0 });
      const watched = await bed.run(['watch', destination, '--json']);
      expect(watched).toMatchObject({ exitCode: 0, result: { ok: true } });
      source.expectWhole(destination);
      expectRest();
    },
    LONG_MS,
  );

  it(
    'rule 5: deleted while a pull runs in the background: it goes on by itself',
    async () => {
      const detached = await bed.run(['pull', uri, destination, '--detach']);
      expect(detached).toMatchObject({ exitCode: 0 });
      await source.untilHalfWay(destination);
      const seen = join(bed.stateDir, 'pulls.json');
      while (!existsSync(seen) || !readFileSync(seen, 'utf8').includes(destination))
        await sleep(50);
      loseDatabase();
      const expectRest = countTwice();
      await killTemporal();
      const log = join(bed.stateDir, 'worker.log');
      while (!readFileSync(log, 'utf8').includes('it was started again')) await sleep(50);
      source.hurry();
      while (!existsSync(destination)) await sleep(100);
      source.expectWhole(destination);
      expectRest();
      expect(await bed.run(['watch', destination])).toMatchObject({ exitCode: 0 });
    },
    LONG_MS,
  );

  it(
    'rule 5: replaced by garbage under a running command: moved aside, said, and the command ends well',
    async () => {
      const pulling = await startHalfWay();
      const [database = ''] = databases();
      loseDatabase();
      writeFileSync(database, Buffer.alloc(8 * 1024, 7));
      await killTemporal();
      // Whoever sees it first starts the pull again: the command, which says so, or the worker, in its log.
      const damaged = `${database}.damaged`;
      while (!existsSync(damaged) || !existsSync(database)) await sleep(50);
      source.hurry();
      await expectEnd(pulling);
      const log = readFileSync(join(bed.stateDir, 'service.log'), 'utf8');
      expect(log).toContain(`the database ${database} is damaged: moved aside`);
    },
    LONG_MS,
  );
});

describe('a lost history', () => {
  const forget = (workflowId: string): Promise<unknown> =>
    withTemporal(async ({ workflowService, workflow }) => {
      await workflowService.deleteWorkflowExecution({
        namespace: 'default',
        workflowExecution: { workflowId },
      });
      for (;;) {
        const isGone = await workflow
          .getHandle(workflowId)
          .describe()
          .then(
            () => false,
            () => true,
          );
        if (isGone) return;
        await sleep(50);
      }
    });

  it(
    'rule 5: expired: status, watch and the same command answer from the record, and nothing is fetched again',
    async () => {
      source.hurry();
      const first = await bed.run(['pull', uri, destination, '--json']);
      expect(first).toMatchObject({ exitCode: 0 });
      await forget(String(first.result['pullId']));
      const status = await bed.run(['status', destination, '--json']);
      expect(status).toMatchObject({ exitCode: 0, result: { state: 'done', from: 'record' } });
      expect(await bed.run(['watch', destination])).toMatchObject({ exitCode: 0 });
      const before = source.bytesServed(name);
      const again = await bed.run(['pull', uri, destination, '--json']);
      expect(again).toMatchObject({ exitCode: 0, result: { filesKept: 1, bytesFetched: 0 } });
      expect(source.bytesServed(name)).toBe(before);
    },
    LONG_MS,
  );

  it(
    'rule 5: deleted in Temporal under a running command: it goes on from the record',
    async () => {
      const pulling = await startHalfWay();
      const started = JSON.parse(pulling.stdout().split('\n')[0] ?? '') as { pullId: string };
      const expectRest = countTwice();
      source.hurry();
      await forget(started.pullId);
      await expectEnd(pulling);
      expectRest();
    },
    LONG_MS,
  );
});

describe('a history that cannot be gone on with', () => {
  it(
    'rule 5: a workflow of another shape is replaced by a new run, which goes on from the record',
    async () => {
      const folder = join(bed.dir, 'other-build');
      mkdirSync(folder);
      const other = await patchedBuild(folder, {
        'workflows/pull-run.js': (code) =>
          code.replace(
            'const resolved = await',
            'await condition(() => false, 1);\n    const resolved = await',
          ),
      });
      expect(await bed.run(['down', '--force'])).toMatchObject({ exitCode: 0 });
      const detached = await bed.run(['pull', uri, destination, '--detach'], { main: other });
      expect(detached).toMatchObject({ exitCode: 0 });
      await source.untilHalfWay(destination);
      expect(await bed.run(['down', '--force'], { main: other })).toMatchObject({ exitCode: 0 });
      const expectRest = countTwice();
      const pulling = bed.start(['pull', uri, destination, '--json']);
      await pulling.untilOutput(/"started"/u);
      source.hurry();
      await expectEnd(pulling);
      expectRest();
      const causes = await withTemporal(async ({ workflow }) => {
        // Temporal's list comes a moment after what it lists.
        for (;;) {
          const ends: string[] = [];
          for await (const run of workflow.list()) {
            if (run.workflowId === detached.stdout.trim()) ends.push(run.status.name);
          }
          if (ends.length > 1 && !ends.includes('RUNNING')) return ends.sort();
          await sleep(100);
        }
      });
      // On a busy machine the service and the command may both have replaced it.
      expect([...new Set(causes)]).toEqual(['COMPLETED', 'TERMINATED']);
      expect(causes.filter((cause) => cause === 'COMPLETED')).toHaveLength(1);
    },
    LONG_MS,
  );
});
