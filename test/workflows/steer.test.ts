import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Client, Connection } from '@temporalio/client';
import { WaybillError } from '../../src/model/errors.js';
import type { WorkerQueues } from '../../src/worker-queues.js';
import { newRequest, QUICK, startBench, until, type Bench } from './lib/bench.js';
import { StandInEngine, workFor, type Script } from './lib/stand-in-engine.js';

let bench: Bench;
let worker: WorkerQueues | undefined;

beforeAll(async () => {
  bench = await startBench();
});

afterEach(async () => {
  await worker?.stop();
  worker = undefined;
});

afterAll(async () => {
  await bench.stop();
});

async function serve(script: Script): Promise<StandInEngine> {
  const engine = new StandInEngine(script);
  worker = await bench.startWorker(engine);
  return engine;
}

const phaseOf = async (pullId: string): Promise<string> =>
  (await bench.client.status(pullId)).progress.phase;

describe.each([
  ['in one workflow', QUICK],
  ['in shards', { ...QUICK, unitsInRoot: 1 }],
])('a running pull %s', (_where, tuning) => {
  it('rule 28: pauses at once, stays open, and goes on without a failure', async () => {
    let isSlow = true;
    const engine = await serve({
      pages: [20],
      unit: (_unit, _call, context) => workFor(isSlow ? 60_000 : 10, context),
    });
    const { pullId } = await bench.client.startPull(newRequest(), { tuning });
    await until('units run', () => engine.running === 6);
    await bench.client.pause(pullId);
    // Long before they would have ended by themselves.
    await until('all bytes have stopped', () => engine.running === 0, 40_000);
    expect(await phaseOf(pullId)).toBe('paused');
    isSlow = false;
    await bench.client.resume(pullId);
    expect(await bench.client.result(pullId)).toMatchObject({ ok: true, files: 20 });
    expect(engine.recorded).toEqual([]);
  });

  it('rule 28: cancelled, it waits for its bytes to stop, then gives the destination back', async () => {
    let releasedWhile = -1;
    const engine: StandInEngine = await serve({
      pages: [20],
      unit: (_unit, _call, context) => workFor(60_000, context),
    });
    const release = engine.release.bind(engine);
    engine.release = (input) => {
      releasedWhile = engine.running;
      return release(input);
    };
    const { pullId } = await bench.client.startPull(newRequest(), { tuning });
    await until('units run', () => engine.running === 6);
    await bench.client.cancel(pullId);
    const result = await bench.client.result(pullId);
    expect(result).toMatchObject({ ok: false, exitCode: 13, code: 'WB_CANCELLED' });
    expect(releasedWhile).toBe(0);
    expect((await bench.client.status(pullId)).state).toBe('cancelled');
  });

  it('is tuned: the workers hear it while units run, and progress tells what holds', async () => {
    let isSlow = true;
    const engine = await serve({
      pages: [8],
      unit: (_unit, _call, context) => workFor(isSlow ? 60_000 : 10, context),
    });
    const asked = newRequest({ maxBytesPerSecond: 1_000, concurrency: 4 });
    const { pullId } = await bench.client.startPull(asked, { tuning });
    await bench.client.tune(pullId, { concurrency: 9 });
    await until('units run', () => engine.running === 6);
    await bench.client.tune(pullId, { maxBytesPerSecond: null });
    await until('the change has arrived', () => engine.tuned.at(-1)?.maxBytesPerSecond === null);
    expect(engine.tuned.at(-1)).toEqual({ concurrency: 9, maxBytesPerSecond: null });
    expect((await bench.client.status(pullId)).progress.limits).toEqual({ concurrency: 9 });
    await bench.client.pause(pullId);
    await until('it stands', () => engine.running === 0);
    isSlow = false;
    await bench.client.resume(pullId);
    expect((await bench.client.result(pullId)).ok).toBe(true);
  });

  it('gives up sooner once it is tuned to, while it is blocked', async () => {
    await serve({
      pages: [10],
      unit: (unit) =>
        unit.unit === 0
          ? Promise.resolve()
          : Promise.reject(new WaybillError('WB_UNAVAILABLE', 'the source answers 503')),
    });
    const { pullId } = await bench.client.startPull(newRequest(), { tuning });
    await until('it is blocked', async () => (await phaseOf(pullId)) === 'blocked', 60_000);
    await bench.client.tune(pullId, { giveUpAfterMs: 1_000 });
    const result = await bench.client.result(pullId);
    expect(result).toMatchObject({ ok: false, exitCode: 12, code: 'WB_GAVE_UP' });
    expect(result.message).toContain('after 1 s without progress');
  }, 90_000);

  it('tries at once what is blocked when it is told to', async () => {
    let isDown = true;
    await serve({
      pages: [10],
      unit: async () => {
        if (isDown) throw new WaybillError('WB_NO_SPACE', 'the disk is full');
      },
    });
    const patient = { ...tuning, probeFirstMs: 600_000, probeMaxMs: 600_000 };
    const { pullId } = await bench.client.startPull(newRequest(), { tuning: patient });
    await until('it is blocked', async () => (await phaseOf(pullId)) === 'blocked');
    isDown = false;
    await bench.client.retryNow(pullId);
    expect((await bench.client.result(pullId)).ok).toBe(true);
  });
});

describe('a worker that is shut down', () => {
  it('rule 28: hands its unit back within the grace time, and costs no try that counts', async () => {
    const hasty = { retryAfterMs: 100 };
    const engine = await serve({
      pages: [1],
      unit: async (_unit, call, context) => {
        // One more that counted, and the pull would be blocked.
        if (call <= 3) throw new WaybillError('WB_UNAVAILABLE', 'the source answers 503', hasty);
        if (call === 4) await workFor(60_000, context);
      },
    });
    const { pullId } = await bench.client.startPull(newRequest(), { tuning: QUICK });
    await until('the fourth try runs', () => engine.callsOf('0/0') === 4 && engine.running === 1);
    await worker?.stop();
    expect(engine.running).toBe(0);
    // It waits for the next worker, and nobody is told of a failure.
    const { inFlight } = await bench.client.status(pullId);
    expect(inFlight.map(({ lastFailure }) => lastFailure ?? '').join()).not.toMatch(/shutting/u);
    worker = await bench.startWorker(engine);
    expect(await bench.client.result(pullId)).toMatchObject({ ok: true, files: 1 });
    expect(engine.callsOf('0/0')).toBe(5);
    const connection = await Connection.connect({ address: bench.temporal.address });
    const handle = new Client({ connection }).workflow.getHandle(pullId);
    const { events } = await handle.fetchHistory();
    await connection.close();
    const fetches = (events ?? []).filter(
      (event) => event.activityTaskScheduledEventAttributes?.activityType?.name === 'fetchPack',
    );
    // It is one activity all along: none of its failures was final.
    expect(fetches).toHaveLength(1);
  });
});

describe('starting', () => {
  const slow: Script = {
    pages: [3],
    unit: (_unit, _call, context) => workFor(60_000, context),
  };

  it('joins an equal pull that runs, also when the folder has come into being meanwhile', async () => {
    await serve(slow);
    const request = newRequest();
    const first = await bench.client.startPull(request, { tuning: QUICK });
    const again = await bench.client.startPull({
      ...request,
      destination: { ...request.destination, isFolder: true },
    });
    expect(again).toMatchObject({ pullId: first.pullId, runId: first.runId, joined: true });
    await bench.client.cancel(first.pullId);
    await bench.client.result(first.pullId);
  });

  it('goes on with a paused pull when the same is asked again', async () => {
    let isSlow = true;
    const engine = await serve({
      pages: [3],
      unit: (_unit, _call, context) => workFor(isSlow ? 60_000 : 10, context),
    });
    const request = newRequest();
    const { pullId } = await bench.client.startPull(request, { tuning: QUICK });
    await until('units run', () => engine.running === 3);
    await bench.client.pause(pullId);
    await until('it stands', () => engine.running === 0);
    isSlow = false;
    expect((await bench.client.startPull(request)).joined).toBe(true);
    expect((await bench.client.result(pullId)).ok).toBe(true);
  });

  it('refuses another source for a destination that is being written', async () => {
    await serve(slow);
    const request = newRequest();
    const { pullId } = await bench.client.startPull(request, { tuning: QUICK });
    const other = { ...request, source: { uri: 'file:///other', settings: {} } };
    await expect(bench.client.startPull(other)).rejects.toMatchObject({
      code: 'WB_DESTINATION_OWNED',
      exitCode: 9,
    });
    await bench.client.cancel(pullId);
    await bench.client.result(pullId);
  });

  it('replaces a paused pull of the same source by one with other options', async () => {
    let isSlow = true;
    const engine = await serve({
      pages: [3],
      unit: (_unit, _call, context) => workFor(isSlow ? 60_000 : 10, context),
    });
    const request = newRequest();
    const first = await bench.client.startPull(request, { tuning: QUICK });
    await until('units run', () => engine.running === 3);
    await bench.client.pause(first.pullId);
    await until('it is paused', async () => (await phaseOf(first.pullId)) === 'paused');
    isSlow = false;
    const second = await bench.client.startPull({ ...request, checksum: true });
    expect(second).toMatchObject({ pullId: first.pullId, joined: false });
    expect(second.runId).not.toBe(first.runId);
    expect((await bench.client.result(second.pullId)).ok).toBe(true);
  });

  it('starts a new run after an end', async () => {
    await serve({ pages: [1] });
    const request = newRequest();
    const first = await bench.client.startPull(request);
    await bench.client.result(first.pullId);
    const second = await bench.client.startPull(request);
    expect(second).toMatchObject({ pullId: first.pullId, joined: false });
    expect(second.runId).not.toBe(first.runId);
    await bench.client.result(second.pullId);
  });

  it('rule 9: a request of another protocol is refused with both numbers', async () => {
    await serve({ pages: [1] });
    const { pullId } = await bench.client.startPull(newRequest({ protocol: 99 }));
    const result = await bench.client.result(pullId);
    expect(result).toMatchObject({ exitCode: 10, code: 'WB_VERSION_SKEW' });
    expect(result.message).toContain('99');
  });

  it('waits for a worker, and says so', async () => {
    const { pullId } = await bench.client.startPull(newRequest(), { tuning: QUICK });
    const status = await bench.client.status(pullId);
    expect(status.progress).toMatchObject({
      phase: 'waiting for a worker',
      reason: 'no worker answers',
    });
    await serve({ pages: [1] });
    expect((await bench.client.result(pullId)).ok).toBe(true);
  });
});

describe('finding', () => {
  it('finds a pull by id, by prefix and by destination, and names the candidates of an ambiguous prefix', async () => {
    await serve({ pages: [1] });
    const request = newRequest();
    const { pullId } = await bench.client.startPull(request);
    await bench.client.result(pullId);
    await until('it is listed', async () =>
      (await bench.client.list()).some((pull) => pull.pullId === pullId && pull.state === 'done'),
    );
    expect((await bench.client.find(pullId)).destination).toBe(request.destination.path);
    expect((await bench.client.find(pullId.slice(0, -1))).pullId).toBe(pullId);
    expect((await bench.client.find(request.destination.path)).pullId).toBe(pullId);
    await expect(bench.client.find('no-such-pull')).rejects.toMatchObject({ code: 'WB_NOT_FOUND' });
    await expect(bench.client.find('')).rejects.toMatchObject({ code: 'WB_USAGE' });
  });

  it('tells a pull that Temporal does not know from a Temporal that does not answer', async () => {
    await expect(bench.client.status('nothing')).rejects.toMatchObject({ code: 'WB_NOT_FOUND' });
  });

  it('knows whether a worker serves a site, also when its hands are full and it asks for workflows only', async () => {
    const { workflows } = bench.client.queues();
    const full = 'elsewhere/1/worker/gpu';
    const worker = await bench.startWorker(
      new StandInEngine({ pages: [1] }),
      full,
      false,
      workflows,
    );
    try {
      await until('it has asked', async () =>
        (await bench.client.pollersOf(workflows)).includes(full),
      );
      expect(await bench.client.isServed('gpu')).toBe(true);
      expect(await bench.client.liveWorkersOf('gpu')).toEqual([full]);
      // Of another site, however much its name looks like it.
      expect(await bench.client.isServed('pu')).toBe(false);
      expect(await bench.client.liveWorkersOf('pu')).toEqual([]);
    } finally {
      await worker.stop();
    }
  });
});
