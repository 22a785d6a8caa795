/**
 * Records a history of every workflow type and course into test/histories/, for the replay test (rule 30). Run it
 * after a change of the workflows that is meant, on a clean build:
 *
 *     npm run build:all && node dist/test/workflows/lib/record-histories.js [COURSE ...]
 *
 * With names it records these courses and leaves the others as they are: histories of older code are worth keeping.
 */
import { Client, Connection, type WorkflowExecutionInfo } from '@temporalio/client';
import proto from '@temporalio/proto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WaybillError } from '../../../src/model/errors.js';
import type { PullRequest } from '../../../src/model/pull.js';
import type { Tuning } from '../../../src/workflows/messages.js';
import { newRequest, QUICK, startBench, until, type Bench } from './bench.js';
import type { RecordedHistory } from './recorded-history.js';
import { StandInEngine, workFor, type Script } from './stand-in-engine.js';
import { RECORDED_KEY } from './recorded-history.js';

const FOLDER = fileURLToPath(new URL('../../../../test/histories', import.meta.url));
const SHARDED: Partial<Tuning> = { ...QUICK, unitsInRoot: 1, unitsPerRun: 12, openShards: 2 };

/** One course that a pull can take. */
interface Course {
  readonly name: string;
  readonly script: Script;
  readonly tuning?: Partial<Tuning>;
  readonly request?: Partial<PullRequest>;
  readonly steer?: (bench: Bench, pullId: string, engine: StandInEngine) => Promise<void>;
  /** Its payloads are signed, as those of the local service are. */
  readonly isSigned?: true;
}

function courses(): Course[] {
  const state = { isDown: true, isSlow: true, plans: 0 };
  const failing = (): Promise<void> =>
    state.isDown
      ? Promise.reject(new WaybillError('WB_NO_SPACE', 'the disk is full'))
      : Promise.resolve();
  const slow: Script['unit'] = (_unit, _call, context) =>
    workFor(state.isSlow ? 60_000 : 5, context);
  const mend = async (bench: Bench, pullId: string): Promise<void> => {
    await until('it is blocked', async () => {
      return (await bench.client.status(pullId)).progress.phase === 'blocked';
    });
    state.isDown = false;
    await bench.client.retryNow(pullId);
  };
  const resumeBlocked = async (bench: Bench, pullId: string): Promise<void> => {
    await until('it is blocked', async () => {
      return (await bench.client.status(pullId)).progress.phase === 'blocked';
    });
    await bench.client.resume(pullId);
  };
  const pauseAndResume = async (
    bench: Bench,
    pullId: string,
    engine: StandInEngine,
  ): Promise<void> => {
    await until('units run', () => engine.running > 0);
    await bench.client.pause(pullId);
    await until('it stands', () => engine.running === 0);
    state.isSlow = false;
    await bench.client.resume(pullId);
  };
  return [
    { name: 'small', script: { pages: [5] } },
    { name: 'shards', script: { pages: [15, 15, 1] }, tuning: SHARDED },
    // Shards since they keep their totals in their memos.
    { name: 'totals-in-memos', script: { pages: [15, 15, 1] }, tuning: SHARDED },
    {
      name: 'failed-file',
      script: {
        pages: [3],
        expelled: (unit) => (unit.unit === 1 ? [2] : []),
        unit: (unit) =>
          unit.entry === undefined
            ? Promise.resolve()
            : Promise.reject(new WaybillError('WB_NOT_FOUND', 'it is gone', { path: 'gone.bin' })),
      },
    },
    { name: 'blocked', script: { pages: [8], unit: failing }, steer: mend },
    {
      name: 'paused',
      script: { pages: [8], unit: slow },
      steer: pauseAndResume,
    },
    {
      name: 'cancelled',
      script: { pages: [8], unit: (_unit, _call, context) => workFor(60_000, context) },
      steer: async (bench, pullId, engine) => {
        await until('units run', () => engine.running > 0);
        await bench.client.cancel(pullId);
      },
    },
    {
      name: 'gave-up',
      script: {
        pages: [1],
        resolve: () => Promise.reject(new WaybillError('WB_UNAVAILABLE', '503')),
      },
    },
    {
      name: 'full-disk-in-shards',
      tuning: SHARDED,
      script: {
        pages: [4, 4],
        unit: () => Promise.reject(new WaybillError('WB_NO_SPACE', 'the disk is full')),
      },
    },
    {
      name: 'paused-in-shards',
      tuning: SHARDED,
      script: {
        pages: [4, 4],
        unit: (_unit, call, context) => workFor(call === 1 ? 60_000 : 5, context),
      },
      steer: async (bench, pullId, engine) => {
        await until('units run', () => engine.running > 4);
        await bench.client.pause(pullId);
        await until('it stands', () => engine.running === 0);
        await bench.client.resume(pullId);
      },
    },
    {
      name: 'tuned',
      script: {
        pages: [8],
        unit: (_unit, call, context) => workFor(call === 1 ? 60_000 : 5, context),
      },
      steer: async (bench, pullId, engine) => {
        await until('units run', () => engine.running > 0);
        await bench.client.tune(pullId, { maxBytesPerSecond: 1_000 });
        await bench.client.tune(pullId, { maxBytesPerSecond: null, concurrency: 3 });
        await until('it was heard', () => engine.tuned.at(-1)?.concurrency === 3);
        await pauseAndResume(bench, pullId, engine);
      },
    },
    {
      name: 'signed',
      isSigned: true,
      tuning: SHARDED,
      script: {
        pages: [4, 4],
        unit: (unit, call, context) => workFor(unit.page === 0 && call === 1 ? 60_000 : 5, context),
      },
      steer: pauseAndResume,
    },
    {
      name: 'needs-credentials',
      script: {
        pages: [8],
        unit: (_unit, call) =>
          call === 1
            ? Promise.reject(new WaybillError('WB_UNAUTHENTICATED', 'needs credentials'))
            : Promise.resolve(),
      },
      steer: resumeBlocked,
    },
    {
      name: 'unmounted',
      script: {
        pages: [8],
        unit: (_unit, call) =>
          call === 1
            ? Promise.reject(
                new WaybillError('WB_DESTINATION_NOT_HERE', 'not mounted', { retryable: true }),
              )
            : Promise.resolve(),
      },
      steer: resumeBlocked,
    },
    {
      name: 'waits-for-room',
      script: {
        pages: [8],
        plan: () => {
          state.plans += 1;
          const error = new WaybillError('WB_NO_SPACE', 'promised', { retryAfterMs: 500 });
          return state.plans < 6 ? Promise.reject(error) : Promise.resolve();
        },
      },
    },
    {
      name: 'deadline',
      request: { timeoutMs: 1_500 },
      script: { pages: [3], unit: (_unit, _call, context) => workFor(60_000, context) },
    },
  ];
}

const eventName = (type: number | null | undefined): string =>
  proto.temporal.api.enums.v1.EventType[type ?? 0]?.replace('EVENT_TYPE_', '') ?? '';

async function save(
  client: Client,
  name: string,
  workflowId: string,
  runId: string,
): Promise<void> {
  const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
  const { History } = proto.temporal.api.history.v1;
  const recorded: RecordedHistory = {
    workflowId,
    types: (history.events ?? []).map((event) => eventName(event.eventType)),
    proto: Buffer.from(History.encode(history).finish()).toString('base64'),
  };
  const text = JSON.stringify(recorded, null, 1);
  writeFileSync(join(FOLDER, `${name}.json`), `${text}\n`);
}

async function record(bench: Bench, client: Client, course: Course): Promise<void> {
  const engine = new StandInEngine(course.script);
  const worker = await bench.startWorker(engine, 'recorder/worker');
  const request = newRequest({
    ...course.request,
    destination: { path: `/destination/${course.name}`, isFolder: false },
  });
  const tuning = course.tuning ?? QUICK;
  const { pullId, runId } = await bench.client.startPull(request, { tuning });
  await course.steer?.(bench, pullId, engine);
  await bench.client.result(pullId);
  await save(client, `pull-${course.name}`, pullId, runId);
  const shards: WorkflowExecutionInfo[] = [];
  const query = `WorkflowType = 'shard' AND WorkflowId STARTS_WITH '${pullId}/'`;
  await until('the shards are listed as closed', async () => {
    shards.length = 0;
    for await (const found of client.workflow.list({ query })) shards.push(found);
    return shards.every((found) => found.status.name !== 'RUNNING');
  });
  shards.sort((a, b) => a.startTime.getTime() - b.startTime.getTime());
  for (const [index, found] of shards.slice(0, 2).entries()) {
    await save(client, `shard-${course.name}-${index}`, found.workflowId, found.runId);
  }
  await worker.stop();
}

async function recordAll(wanted: readonly Course[], isSigned: boolean): Promise<void> {
  const some = wanted.filter((course) => (course.isSigned ?? false) === isSigned);
  if (some.length === 0) return;
  const bench = await startBench({
    clientIdentity: 'recorder/client',
    ...(isSigned ? { payloadKey: RECORDED_KEY } : {}),
  });
  const connection = await Connection.connect({ address: bench.temporal.address });
  const client = new Client({ connection });
  try {
    for (const course of some) await record(bench, client, course);
  } finally {
    await connection.close();
    await bench.stop();
  }
}

async function main(names: readonly string[]): Promise<void> {
  if (names.length === 0) rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(FOLDER, { recursive: true });
  const wanted = courses().filter(({ name }) => names.length === 0 || names.includes(name));
  await recordAll(wanted, false);
  await recordAll(wanted, true);
}

await main(process.argv.slice(2));
