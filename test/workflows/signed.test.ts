import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import type { Payload } from '@temporalio/common';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { WaybillClient } from '../../src/client.js';
import { MAC_ENTRY, SigningCodec } from '../../src/codec/signing-codec.js';
import { WaybillError } from '../../src/model/errors.js';
import type { WorkerQueues } from '../../src/worker-queues.js';
import type { PullInput } from '../../src/workflows/messages.js';
import { newRequest, QUICK, startBench, until, type Bench } from './lib/bench.js';
import { StandInEngine, workFor, type Script } from './lib/stand-in-engine.js';

let bench: Bench;
let connection: Connection;
const KEY = randomBytes(32);

/** Somebody else on the host: the same Temporal, no key. */
let neighbour: Client;
let worker: WorkerQueues | undefined;

beforeAll(async () => {
  bench = await startBench({ payloadKey: KEY });
  connection = await Connection.connect({ address: bench.temporal.address });
  neighbour = new Client({ connection });
});

afterEach(async () => {
  await worker?.stop();
  worker = undefined;
});

afterAll(async () => {
  await connection.close();
  await bench.stop();
});

async function serve(script: Script, isStranger = false): Promise<StandInEngine> {
  const engine = new StandInEngine(script);
  worker = await bench.startWorker(engine, 'bench/worker', isStranger);
  return engine;
}

const inputOf = (pullId: string): PullInput => ({
  pullId,
  request: newRequest(),
  transferQueue: 'waybill-transfer',
});

/** A payload as it is, past every converter. */
interface Raw {
  readonly payloads: readonly Payload[];
}

/** Starts a workflow with payloads that somebody else has made. */
async function startRaw(workflowId: string, type: string, { payloads }: Raw): Promise<void> {
  await connection.workflowService.startWorkflowExecution({
    namespace: 'default',
    workflowId,
    workflowType: { name: type },
    taskQueue: { name: 'waybill' },
    input: { payloads: [...payloads] },
    requestId: `${workflowId}-${randomBytes(4).toString('hex')}`,
  });
}

async function signalRaw(pullId: string, signalName: string, { payloads }: Raw): Promise<void> {
  await connection.workflowService.signalWorkflowExecution({
    namespace: 'default',
    workflowExecution: { workflowId: pullId },
    signalName,
    input: { payloads: [...payloads] },
    requestId: randomBytes(8).toString('hex'),
  });
}

async function startedWith(pullId: string): Promise<Raw> {
  const { events } = await neighbour.workflow.getHandle(pullId).fetchHistory();
  const payloads = events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
  return { payloads };
}

async function signalsOf(pullId: string): Promise<Raw[]> {
  const { events } = await neighbour.workflow.getHandle(pullId).fetchHistory();
  return (events ?? [])
    .map((event) => event.workflowExecutionSignaledEventAttributes?.input?.payloads)
    .filter((payloads) => payloads !== undefined && payloads !== null)
    .map((payloads) => ({ payloads }));
}

/** Waits until it has ended, and says why. */
async function refusalOf(workflowId: string): Promise<string> {
  const handle = neighbour.workflow.getHandle(workflowId);
  const why: unknown = await handle.result().then(
    () => undefined,
    (error: unknown) => error,
  );
  const cause = (why as { cause?: { type?: string; message?: string } } | undefined)?.cause;
  return `${cause?.type ?? 'no failure'}: ${cause?.message ?? ''}`;
}

async function openActivity(
  handle: WorkflowHandle,
  type: string,
): Promise<{ workflowId: string; activityId: string }> {
  const { raw } = await handle.describe();
  const found = (raw.pendingActivities ?? []).find((one) => one.activityType?.name === type);
  return { workflowId: handle.workflowId, activityId: found?.activityId ?? '' };
}

const REFUSED = 'WB_PERMISSION_DENIED: this start is refused: it was not signed by Waybill';

describe('rule 1: with signatures', () => {
  it.each([
    ['in one workflow', QUICK],
    ['in shards', { ...QUICK, unitsInRoot: 1, unitsPerRun: 8 }],
  ])(
    'a pull %s runs, pauses, goes on and ends',
    async (_where, tuning) => {
      let isSlow = true;
      const engine = await serve({
        pages: [10, 10],
        unit: (_unit, _call, context) => workFor(isSlow ? 60_000 : 5, context),
      });
      const { pullId } = await bench.client.startPull(newRequest(), { tuning });
      await until('bytes are seen to move', async () => {
        const { inFlight } = await bench.client.status(pullId);
        return engine.running > 0 && inFlight.some(({ name }) => /^0\/\d/.test(name));
      });
      await bench.client.pause(pullId);
      await until('all bytes have stopped', () => engine.running === 0);
      isSlow = false;
      await bench.client.resume(pullId);
      expect(await bench.client.result(pullId)).toMatchObject({ ok: true, files: 20 });
      expect(await bench.client.status(pullId)).toMatchObject({ state: 'done' });
      expect(engine.recorded).toEqual([]);
    },
    240_000,
  );

  it('shards tell their totals without being asked, over their runs, and only to the owner', async () => {
    await serve({
      pages: [10, 10],
      unit: ({ page, unit }) =>
        page === 1 && unit === 3
          ? Promise.reject(new WaybillError('WB_NOT_FOUND', 'gone', { path: 'gone.bin' }))
          : Promise.resolve(),
    });
    const tuning = { ...QUICK, unitsInRoot: 1, unitsPerRun: 8 };
    const { pullId } = await bench.client.startPull(newRequest(), { tuning });
    expect(await bench.client.result(pullId)).toMatchObject({ ok: false, filesFailed: 1 });
    const owner = new Client({
      connection,
      dataConverter: { payloadCodecs: [new SigningCodec(KEY)] },
    });
    const memoOf = async (client: Client, page: number): Promise<unknown> =>
      (await client.workflow.getHandle(`${pullId}/${page}`).describe()).memo;
    expect(await memoOf(owner, 0)).toMatchObject({ totals: { filesDone: 10, filesFailed: 0 } });
    expect(await memoOf(owner, 1)).toMatchObject({
      totals: { filesDone: 9, filesFailed: 1 },
      failures: [{ path: 'gone.bin', code: 'WB_NOT_FOUND' }],
    });
    const stranger = new Client({
      connection,
      dataConverter: { payloadCodecs: [new SigningCodec(randomBytes(32))] },
    });
    expect(JSON.stringify(await memoOf(stranger, 0))).not.toContain('filesDone');
  }, 60_000);

  it('every payload of a history has one, and reads as before in the pages of Temporal', async () => {
    await serve({ pages: [3] });
    const { pullId, runId } = await bench.client.startPull(newRequest(), { tuning: QUICK });
    await bench.client.result(pullId);
    const { events } = await neighbour.workflow.getHandle(pullId, runId).fetchHistory();
    const payloads = (events ?? []).flatMap(payloadsIn);
    expect(payloads.length).toBeGreaterThan(15);
    for (const { metadata, data } of payloads) {
      expect(metadata?.[MAC_ENTRY]?.length).toBe(32);
      const encoding = Buffer.from(metadata?.['encoding'] ?? []).toString();
      if (encoding === 'json/plain') JSON.parse(Buffer.from(data ?? []).toString());
      else expect(encoding).toBe('binary/null');
    }
    const { staticSummary } = await neighbour.workflow.getHandle(pullId).describe();
    expect(await staticSummary()).toMatch(/^file:\/\/\/source → /);
  });

  it('the longest summaries, all quotes, are still taken by Temporal', async () => {
    const engine = await serve({ pages: [2] });
    engine.nameUnits = ({ from }) =>
      Promise.resolve(
        from > 1 ? [] : [{ kind: 'file' as const, label: '"'.repeat(900), files: 1, bytes: 1 }],
      );
    const path = `/destination/${'"\\'.repeat(400)}`;
    const request = newRequest({ destination: { path, isFolder: false } });
    const { pullId } = await bench.client.startPull(request, { tuning: QUICK });
    expect(await bench.client.result(pullId)).toMatchObject({ ok: true });
    const { staticSummary } = await neighbour.workflow.getHandle(pullId).describe();
    expect((await staticSummary())?.length).toBeGreaterThan(100);
  });
});

function payloadsIn(value: unknown): Payload[] {
  if (typeof value !== 'object' || value === null) return [];
  if ('data' in value && 'metadata' in value) return [value as Payload];
  return Object.values(value).flatMap(payloadsIn);
}

describe('rule 1: a neighbour without the key', () => {
  it.each(['pull', 'shard'])(
    'cannot start a %s: it ends at once, having done nothing',
    async (type) => {
      const engine = await serve({ pages: [1] });
      const workflowId = `forged-${type}`;
      await neighbour.workflow.start(type, {
        workflowId,
        taskQueue: 'waybill',
        args: [{ ...inputOf(workflowId), rootId: workflowId, pages: [] }],
        memo: { source: 'x', destination: '/x', requestFingerprint: 'y' },
      });
      expect(await refusalOf(workflowId)).toBe(REFUSED);
      await neighbour.workflow.start(type, { workflowId: `${workflowId}-2`, taskQueue: 'waybill' });
      expect(await refusalOf(`${workflowId}-2`)).toBe(REFUSED);
      expect([...engine.calls.keys()]).toEqual([]);
      const known = await bench.client.list();
      expect(known.filter(({ pullId }) => pullId.startsWith('forged'))).toEqual([]);
      await expect(bench.client.status(workflowId)).rejects.toMatchObject({ code: 'WB_NOT_FOUND' });
    },
  );

  it('cannot give what was signed to another pull, nor change it', async () => {
    const engine = await serve({ pages: [1] });
    const { pullId } = await bench.client.startPull(newRequest(), { tuning: QUICK });
    await bench.client.result(pullId);
    const calls = JSON.stringify([...engine.calls]);
    const signed = await startedWith(pullId);
    await startRaw('another-place', 'pull', signed);
    expect(await refusalOf('another-place')).toBe(REFUSED);
    const [payload] = signed.payloads;
    const text = Buffer.from(payload?.data ?? []).toString();
    const data = Buffer.from(text.replace('file:///source', 'file:///secret'));
    expect(data.equals(Buffer.from(text))).toBe(false);
    await startRaw(pullId, 'pull', { payloads: [{ ...payload, data }] });
    expect(await refusalOf(pullId)).toBe(REFUSED);
    // The same input as another type of workflow.
    await startRaw(pullId, 'shard', signed);
    expect(await refusalOf(pullId)).toBe(REFUSED);
    expect(JSON.stringify([...engine.calls])).toBe(calls);
  });

  it('cannot make the worker act by a workflow on a worker of its own', async () => {
    const engine = await serve({ pages: [1] });
    const own = await bench.startWorker(engine, 'neighbour/worker', true, 'neighbour');
    await neighbour.workflow.start('pull', {
      workflowId: 'on-my-own',
      taskQueue: 'neighbour',
      args: [inputOf('on-my-own')],
    });
    const why = await refusalOf('on-my-own');
    await own.stop();
    expect(why).toBe('WB_PERMISSION_DENIED: this work is refused: it was not signed by Waybill');
    expect([...engine.calls.keys()]).toEqual([]);
  });

  it('is not heard by a good pull: signals without a signature, of another run, or twice', async () => {
    let isSlow = true;
    const engine = await serve({
      pages: [8],
      unit: (_unit, _call, context) => workFor(isSlow ? 60_000 : 5, context),
    });
    const request = newRequest();
    const { pullId } = await bench.client.startPull(request, { tuning: QUICK });
    await until('units run', () => engine.running === 6);
    const handle = neighbour.workflow.getHandle(pullId);
    const run = (await handle.describe()).runId;
    await handle.signal('pause');
    await handle.signal('pause', { run, nonce: 'made up' });
    const block = { code: 'WB_NO_SPACE', scope: 'destination', message: 'no', probes: 9 };
    await handle.signal('shardBlocked', { shardId: 'x', block }, { run, nonce: 'n' });
    const phase = async (): Promise<string> => (await bench.client.status(pullId)).progress.phase;
    // A query is answered after every signal before it was handled.
    expect(await phase()).toBe('fetching');
    expect(engine.running).toBe(6);
    await bench.client.pause(pullId);
    await until('all bytes have stopped', () => engine.running === 0);
    const paused = (await signalsOf(pullId)).at(-1) ?? { payloads: [] };
    expect(paused.payloads.length).toBe(1);
    await bench.client.resume(pullId);
    await until('units run again', () => engine.running === 6);
    await signalRaw(pullId, 'pause', paused);
    expect(await phase()).toBe('fetching');
    isSlow = false;
    await bench.client.cancel(pullId);
    await until(
      'it has ended',
      async () => (await bench.client.status(pullId)).state !== 'running',
    );
    isSlow = true;
    await bench.client.startPull(request, { tuning: QUICK });
    await until('the next run is under way', () => engine.running === 6);
    await signalRaw(pullId, 'pause', paused);
    expect(await phase()).toBe('fetching');
    expect(engine.running).toBe(6);
    await bench.client.cancel(pullId);
    await until('it has ended too', () => engine.isReleased && engine.running === 0);
  });

  it('cannot answer for the worker: what it completes or fails is done again', async () => {
    let isSlow = true;
    const engine = await serve({
      pages: [2],
      unit: (_unit, _call, context) => workFor(isSlow ? 60_000 : 5, context),
    });
    const { pullId } = await bench.client.startPull(newRequest(), { tuning: QUICK });
    await until('both units run', () => engine.running === 2);
    const handle = neighbour.workflow.getHandle(pullId);
    const files = { files: 900, bytes: 1, bytesFetched: 1, expelled: [], retries: 0 };
    await neighbour.activity.complete(await openActivity(handle, 'fetchPack'), files);
    await until('it is done again', () => engine.callsOf('0/0') + engine.callsOf('0/1') > 2);
    await until('both units run again', () => engine.running === 2);
    const forged = Object.assign(new Error('gone'), { name: 'WB_NOT_FOUND' });
    isSlow = false;
    const activity = await openActivity(handle, 'fetchPack');
    await connection.workflowService.respondActivityTaskFailedById({
      namespace: 'default',
      ...activity,
      failure: {
        message: forged.message,
        applicationFailureInfo: { type: 'WB_NOT_FOUND', nonRetryable: true },
      },
    });
    await bench.client.pause(pullId);
    await bench.client.resume(pullId);
    const result = await bench.client.result(pullId);
    expect(result).toMatchObject({ ok: true, files: 2, filesFailed: 0 });
    expect(engine.recorded).toEqual([]);
  });
});

describe('rule 1: a client', () => {
  it('believes no service that does not sign: not its progress, not its results', async () => {
    let isOver = false;
    await serve(
      {
        pages: [1],
        unit: (_unit, _call, context) => workFor(isOver ? 5 : 60_000, context),
      },
      true,
    );
    const { pullId } = await bench.client.startPull(newRequest(), { tuning: QUICK });
    const stranger = { code: 'WB_TEMPORAL_UNREACHABLE', message: /not signed/ };
    const refuse = async (asked: Promise<unknown>): Promise<void> => {
      const error: unknown = await asked.catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: stranger.code });
      expect((error as Error).message).toMatch(stranger.message);
    };
    await refuse(bench.client.status(pullId));
    isOver = true;
    await neighbour.workflow.getHandle(pullId).cancel();
    await neighbour.workflow
      .getHandle(pullId)
      .result()
      .catch(() => undefined);
    const next = await bench.client.startPull(newRequest(), { tuning: QUICK });
    expect(await neighbour.workflow.getHandle(next.pullId).result()).toMatchObject({ ok: true });
    await refuse(bench.client.result(next.pullId));
    await refuse(bench.client.status(next.pullId));
  });

  it('ends what stands in its way unsigned, and pulls', async () => {
    const { workflows } = bench.client.queues();
    const request = newRequest();
    const stranger = await WaybillClient.connect({ address: bench.temporal.address });
    const { pullId } = await stranger.startPull(request, { tuning: QUICK });
    await stranger.close();
    expect(workflows).toBe('waybill');
    const started = bench.client.startPull(request, { tuning: QUICK });
    const ours = await started;
    expect(ours).toMatchObject({ pullId, joined: false });
    await serve({ pages: [1] });
    expect(await bench.client.result(pullId)).toMatchObject({ ok: true, files: 1 });
  });
});
