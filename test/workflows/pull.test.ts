import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { WaybillError } from '../../src/model/errors.js';
import type { WorkerQueues } from '../../src/worker-queues.js';
import { newRequest, QUICK, startBench, until, type Bench } from './lib/bench.js';
import { StandInEngine, UNIT_BYTES, workFor, type Script } from './lib/stand-in-engine.js';

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

const unavailable = (): WaybillError =>
  new WaybillError('WB_UNAVAILABLE', 'the source answers 503');

describe('a pull', () => {
  it('plans, fetches and seals a small tree in one workflow', async () => {
    const engine = await serve({ pages: [10] });
    const { pullId, joined } = await bench.client.startPull(newRequest(), { tuning: QUICK });
    const result = await bench.client.result(pullId);
    expect(joined).toBe(false);
    expect(result).toMatchObject({ ok: true, exitCode: 0, files: 10 });
    expect(engine.done.size).toBe(10);
    const status = await bench.client.status(pullId);
    expect(status).toMatchObject({
      state: 'done',
      source: 'file:///source',
      progress: { phase: 'done', filesDone: 10, bytesDone: 10 * UNIT_BYTES, isPlanComplete: true },
      result: { ok: true },
    });
  });

  it('fetches a large tree in shards while it is still listed', async () => {
    const startedBeforePlanEnded: boolean[] = [];
    const engine: StandInEngine = await serve({
      pages: [30, 30, 0, 30, 30],
      plan: async (page, context) => {
        if (page === 4) await workFor(1_500, context);
        if (page === 4) startedBeforePlanEnded.push(engine.done.size > 0);
      },
    });
    const tuning = { ...QUICK, unitsPerRun: 20, openShards: 2 };
    const { pullId } = await bench.client.startPull(newRequest(), { tuning });
    const result = await bench.client.result(pullId);
    expect(result).toMatchObject({ ok: true, files: 120 });
    expect(startedBeforePlanEnded).toEqual([true]);
    expect((await bench.client.status(pullId)).progress.filesDone).toBe(120);
  });

  it('keeps all lanes busy, in one workflow and over shards, also after a standstill', async () => {
    let isDown = true;
    let most = 0;
    const engine: StandInEngine = await serve({
      pages: [12, 12, 12],
      unit: async (_unit, _call, context) => {
        if (isDown) throw new WaybillError('WB_NO_SPACE', 'the disk is full');
        most = Math.max(most, engine.running);
        // The others are waited for a while, so that a machine that fills the lanes slowly fills them too.
        for (let turns = 0; most < 12 && turns < 60; turns += 1) await workFor(50, context);
        await workFor(200, context);
      },
    });
    const tuning = { ...QUICK, unitsInRoot: 1, openShards: 3, window: 4, diskProbes: 1_000 };
    const { pullId } = await bench.client.startPull(newRequest(), { tuning });
    await until('it is blocked', async () => {
      return (await bench.client.status(pullId)).progress.phase === 'blocked';
    });
    isDown = false;
    await bench.client.retryNow(pullId);
    expect((await bench.client.result(pullId)).ok).toBe(true);
    expect(most).toBe(12);
  });

  it('counts what every shard has brought, of those too that run beside each other', async () => {
    let seal = (): void => undefined;
    const isHeld = new Promise<void>((resolve) => (seal = resolve));
    let begin = (): void => undefined;
    const isSealing = new Promise<void>((resolve) => (begin = resolve));
    await serve({
      pages: [6, 6, 6, 6],
      unit: (_unit, _call, context) => workFor(100, context),
      seal: () => {
        begin();
        return isHeld;
      },
    });
    const tuning = { ...QUICK, unitsInRoot: 1, openShards: 4 };
    const { pullId } = await bench.client.startPull(newRequest(), { tuning });
    await isSealing;
    // The first look of this client: it knows only what the workflows say now.
    const { progress } = await bench.client.status(pullId);
    seal();
    expect(progress).toMatchObject({ filesDone: 24, bytesDone: 24 * UNIT_BYTES });
    expect((await bench.client.result(pullId)).ok).toBe(true);
  });

  it('plans everything first where the destination asks for it', async () => {
    const planned: number[] = [];
    const early: string[] = [];
    const engine = await serve({
      pages: [5, 5, 5],
      needsWholePlan: true,
      plan: async (page) => void planned.push(page),
      unit: async (unit) => {
        if (planned.length < 3) early.push(`${unit.page}/${unit.unit}`);
      },
    });
    const { pullId } = await bench.client.startPull(newRequest(), { tuning: QUICK });
    expect((await bench.client.result(pullId)).ok).toBe(true);
    expect(early).toEqual([]);
    expect(engine.done.size).toBe(15);
  });

  it('shows progress that never goes back', async () => {
    await serve({ pages: [20, 20], unit: (_unit, _call, context) => workFor(500, context) });
    const { pullId } = await bench.client.startPull(newRequest(), { tuning: QUICK });
    const seen: number[] = [];
    for await (const status of bench.client.watch(pullId, { intervalMs: 100 })) {
      seen.push(status.progress.bytesDone);
    }
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(seen.at(-1)).toBe(40 * UNIT_BYTES);
    expect(new Set(seen).size).toBeGreaterThan(2);
  });
});

describe('failures', () => {
  it('rule 26: a file that fails leaves its pack, has its own attempts, and fails alone', async () => {
    const engine = await serve({
      pages: [4],
      expelled: (unit) => (unit.unit === 1 ? [7] : []),
      unit: async (unit) => {
        if (unit.entry === 7) {
          throw new WaybillError('WB_NOT_FOUND', 'it is gone', { path: 'gone.bin' });
        }
      },
    });
    const { pullId } = await bench.client.startPull(newRequest(), { tuning: QUICK });
    const result = await bench.client.result(pullId);
    expect(result).toMatchObject({ ok: false, exitCode: 3, code: 'WB_PARTIAL', filesFailed: 1 });
    expect(result.failures).toEqual([
      { path: 'gone.bin', code: 'WB_NOT_FOUND', message: 'it is gone' },
    ]);
    expect(engine.done.size).toBe(3);
    expect(engine.recorded[0]).toMatchObject({ page: 0, unit: 1, entry: 7 });
    expect((await bench.client.status(pullId)).state).toBe('failed');
  });

  it('rule 17: wrong bytes are fetched three times in all, then the file has failed', async () => {
    const engine = await serve({
      pages: [2],
      unit: async (unit) => {
        if (unit.unit === 0) throw new WaybillError('WB_DIGEST_MISMATCH', 'expected a, got b');
      },
    });
    const { pullId } = await bench.client.startPull(newRequest(), { tuning: QUICK });
    const result = await bench.client.result(pullId);
    expect(engine.callsOf('0/0')).toBe(3);
    expect(result.failures[0]?.code).toBe('WB_DIGEST_MISMATCH');
    expect(engine.done.size).toBe(1);
  });

  it('rule 18: a source that is down blocks the pull with its reason, and is asked again until it is back', async () => {
    let isDown = true;
    const engine = await serve({
      pages: [40],
      unit: async () => {
        if (isDown) throw unavailable();
      },
    });
    const { pullId } = await bench.client.startPull(newRequest(), { tuning: QUICK });
    await until('it is blocked', async () => {
      const { progress } = await bench.client.status(pullId);
      return progress.phase === 'blocked' && progress.reason === 'the source answers 503';
    });
    // All lanes stand: nobody but the six of the window was tried.
    expect([...engine.calls.keys()].filter((key) => key.startsWith('0/'))).toHaveLength(6);
    // A probe is one unit, not one in every lane.
    const tried = engine.callsOf('0/0') + engine.callsOf('0/1');
    await bench.client.retryNow(pullId);
    await until('the probe has come back', () => engine.running === 0);
    const calls = [0, 1, 2, 3, 4, 5].reduce((sum, unit) => sum + engine.callsOf(`0/${unit}`), 0);
    expect(tried).toBeGreaterThan(0);
    expect(calls).toBeLessThan(6 * 4 + 16);
    isDown = false;
    expect(await bench.client.result(pullId)).toMatchObject({ ok: true, files: 40 });
    expect(engine.recorded).toEqual([]);
  });

  it('rule 28: gives up after so long without progress, resumable, with the reason', async () => {
    const engine = await serve({
      pages: [3],
      unit: async (unit) => {
        if (unit.unit > 0) throw unavailable();
      },
    });
    const { pullId } = await bench.client.startPull(newRequest({ giveUpAfterMs: 10_000 }), {
      tuning: QUICK,
    });
    const result = await bench.client.result(pullId);
    expect(result).toMatchObject({ ok: false, exitCode: 12, code: 'WB_GAVE_UP', files: 1 });
    expect(result.message).toContain('the source answers 503');
    expect(engine.isReleased).toBe(true);
    expect(engine.isSealed).toBe(false);
  });

  it('gives up sooner where the source was never reached', async () => {
    const engine = await serve({
      pages: [1],
      resolve: async () => {
        throw unavailable();
      },
    });
    const { pullId } = await bench.client.startPull(newRequest(), { tuning: QUICK });
    expect(await bench.client.result(pullId)).toMatchObject({ exitCode: 12, code: 'WB_GAVE_UP' });
    expect(engine.callsOf('claim')).toBe(0);
  });

  it('fails at once where the sign-in is refused before anything was fetched', async () => {
    const engine = await serve({
      pages: [1],
      resolve: async () => {
        throw new WaybillError('WB_UNAUTHENTICATED', 'the token is refused');
      },
    });
    const { pullId } = await bench.client.startPull(newRequest(), { tuning: QUICK });
    const result = await bench.client.result(pullId);
    expect(result).toMatchObject({ exitCode: 5, code: 'WB_UNAUTHENTICATED' });
    expect(engine.callsOf('resolve')).toBe(1);
  });

  it('rule 18: a full disk is asked three times, then the pull ends with exit code 7', async () => {
    const engine = await serve({
      pages: [30],
      unit: async (unit) => {
        if (unit.unit >= 6) throw new WaybillError('WB_NO_SPACE', 'the disk is full');
      },
    });
    const { pullId } = await bench.client.startPull(newRequest(), { tuning: QUICK });
    const result = await bench.client.result(pullId);
    expect(result).toMatchObject({ ok: false, exitCode: 7, code: 'WB_NO_SPACE' });
    expect(engine.isReleased).toBe(true);
  });

  it('rule 18: shards are held while one of them is blocked, and go on with it', async () => {
    let isDown = true;
    const engine = await serve({
      pages: [20, 20, 20, 20],
      unit: async (unit, _call, context) => {
        await workFor(20, context);
        if (isDown && unit.page === 1 && unit.unit > 3) {
          throw new WaybillError('WB_NO_SPACE', 'the disk is full');
        }
      },
    });
    const tuning = { ...QUICK, unitsInRoot: 1, probeFirstMs: 2_000, probeMaxMs: 2_000 };
    const { pullId } = await bench.client.startPull(newRequest(), { tuning });
    await until('it is blocked', async () => {
      return (await bench.client.status(pullId)).progress.phase === 'blocked';
    });
    isDown = false;
    await bench.client.retryNow(pullId);
    expect(await bench.client.result(pullId)).toMatchObject({ ok: true, files: 80 });
    expect(engine.done.size).toBe(80);
  });

  it('a shard that goes on in a new run while it is blocked says when it moves again', async () => {
    // Eight units come; six fail four times each, and six probes once: then the first run is full.
    const failing = 6 * 4 + 6;
    let failed = 0;
    let isHeld = true;
    const engine = await serve({
      pages: [40, 1],
      unit: async (unit) => {
        if (unit.page === 1 || unit.unit < 8) return;
        if (failed < failing) {
          failed += 1;
          throw unavailable();
        }
        while (isHeld && unit.unit === 39) await sleep(50);
      },
    });
    const tuning = { ...QUICK, unitsInRoot: 1, unitsPerRun: 20 };
    const { pullId } = await bench.client.startPull(newRequest(), { tuning });
    await until('all but one are there', () => engine.done.size === 40);
    try {
      await until('it says that it moves', async () => {
        return (await bench.client.status(pullId)).progress.phase === 'fetching';
      });
    } finally {
      isHeld = false;
    }
    expect(await bench.client.result(pullId)).toMatchObject({ ok: true, files: 41 });
  });

  it('ends at its deadline', async () => {
    const engine = await serve({
      pages: [2],
      unit: (_unit, _call, context) => workFor(60_000, context),
    });
    const { pullId } = await bench.client.startPull(newRequest({ timeoutMs: 2_000 }), {
      tuning: QUICK,
    });
    expect(await bench.client.result(pullId)).toMatchObject({ exitCode: 12, code: 'WB_GAVE_UP' });
    expect(engine.isReleased).toBe(true);
    expect(engine.running).toBe(0);
  });
});
