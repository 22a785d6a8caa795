import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { pipeline } from 'node:stream/promises';
import { Readable, Writable } from 'node:stream';
import { attempt, type AttemptDeps, type AttemptInput } from '../../src/activities/attempt.js';
import type { Beat } from '../../src/model/beat.js';
import { WaybillError } from '../../src/model/errors.js';
import type { CallContext } from '../../src/transfer/api.js';

const QUICK: AttemptDeps = { beatEveryMs: 10, stalledAfterMs: { fetching: 100, sealing: 5_000 } };
/** For what must not be called a standstill, however long a busy machine takes for a turn of the loop. */
const PATIENT: AttemptDeps = { beatEveryMs: 10, stalledAfterMs: { fetching: 1_000 } };

function newEnvironment(before?: Partial<Beat>): MockActivityEnvironment {
  const info = before === undefined ? {} : { heartbeatDetails: before };
  return new MockActivityEnvironment(info, { logger: new DefaultLogger('ERROR') });
}

async function thrownBy(run: () => Promise<unknown>): Promise<unknown> {
  try {
    await run();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

async function failureOf(
  error: WaybillError,
  before?: Partial<Beat>,
  work: (context: CallContext) => void = () => undefined,
  input: AttemptInput = {},
): Promise<{ failure: ApplicationFailure; beats: Beat[] }> {
  const env = newEnvironment(before);
  const beats: Beat[] = [];
  env.on('heartbeat', (beat: Beat) => beats.push(beat));
  const failure = await thrownBy(() =>
    env.run(() =>
      attempt(
        QUICK,
        'fetching',
        (context) => {
          work(context);
          return Promise.reject(error);
        },
        input,
      ),
    ),
  );
  expect(failure).toBeInstanceOf(ApplicationFailure);
  return { failure: failure as ApplicationFailure, beats };
}

describe('an attempt', () => {
  it('rule 28: a pause in the middle of a pipeline is thrown as Temporal gave it, not as an AbortError', async () => {
    const env = newEnvironment();
    const endless = new Readable({ read: () => undefined });
    const sink = new Writable({ write: (_chunk, _encoding, done) => done() });
    const running = thrownBy(() =>
      env.run(() => attempt(QUICK, 'sealing', ({ signal }) => pipeline(endless, sink, { signal }))),
    );
    await sleep(50);
    env.cancel('PAUSED');
    expect(await running).toBeInstanceOf(CancelledFailure);
  });

  it('rule 28: an error that stopping causes is not taken for a failure of the file', async () => {
    const env = newEnvironment();
    const running = thrownBy(() =>
      env.run(() =>
        attempt(QUICK, 'sealing', async ({ signal }) => {
          await sleep(10_000, undefined, { signal }).catch(() => undefined);
          throw new WaybillError('WB_NOT_FOUND', 'the connection was closed under it');
        }),
      ),
    );
    await sleep(50);
    env.cancel('WORKER_SHUTDOWN');
    expect(await running).toBeInstanceOf(CancelledFailure);
  });

  it('rule 27: what a limit holds back is no standstill', async () => {
    const env = newEnvironment();
    const ended = await env.run(() =>
      attempt(PATIENT, 'fetching', async ({ signal, progress }) => {
        const timer = setInterval(() => (progress.heldMs += 20), 20);
        await sleep(2_000, undefined, { signal }).finally(() => clearInterval(timer));
        return 'done';
      }),
    );
    expect(ended).toBe('done');
  });

  it('rule 27: nothing for too long ends it, as a timeout of the source', async () => {
    const env = newEnvironment();
    const error = await thrownBy(() =>
      env.run(() =>
        attempt(QUICK, 'fetching', async ({ signal, progress }) => {
          progress.name = 'weights.bin';
          await sleep(10_000, undefined, { signal });
        }),
      ),
    );
    expect(error).toMatchObject({ type: 'WB_TIMEOUT', nonRetryable: false });
    expect((error as Error).message).toContain('weights.bin');
  });

  it('rule 27: bytes that trickle are no standstill', async () => {
    const env = newEnvironment();
    const done = await env.run(() =>
      attempt(PATIENT, 'fetching', async ({ progress }) => {
        for (let byte = 0; byte < 40; byte += 1) {
          progress.bytesDone += 1;
          await sleep(50);
        }
        return progress.bytesDone;
      }),
    );
    expect(done).toBe(40);
  });

  it('rule 27: as long as the settings of the source allow, a silence is no standstill', async () => {
    const patience = { answerMs: 60_000, stallMs: 50 };
    const wait = (changes: Partial<CallContext['progress']>, ms: number): Promise<string> =>
      newEnvironment().run(() =>
        attempt(QUICK, 'fetching', async ({ signal, progress }) => {
          Object.assign(progress, changes);
          await sleep(ms, undefined, { signal });
          return 'done';
        }),
      );
    expect(await wait({ patience, awaitsSource: true }, 1_000)).toBe('done');
    expect(await wait({ patience: { ...patience, stallMs: 60_000 } }, 1_000)).toBe('done');
    const stopped = { type: 'WB_TIMEOUT' };
    expect(await thrownBy(() => wait({ patience }, 20_000))).toMatchObject(stopped);
    expect(await thrownBy(() => wait({ awaitsSource: true }, 20_000))).toMatchObject(stopped);
  });

  it('rule 27: each phase has its own limit', async () => {
    const env = newEnvironment();
    await env.run(() => attempt(QUICK, 'sealing', () => sleep(250)));
  });

  it('rule 13: ends itself when Temporal has not been reached for the heartbeat timeout', async () => {
    const env = newEnvironment();
    const error = await thrownBy(() =>
      env.run(() =>
        attempt({ ...QUICK, silentForMs: () => 31_000 }, 'sealing', async ({ signal }) => {
          await sleep(10_000, undefined, { signal });
        }),
      ),
    );
    expect(error).toMatchObject({ type: 'WB_TEMPORAL_UNREACHABLE', nonRetryable: false });
  });

  it('rule 29: heartbeats stay under 1 KiB whatever the name', async () => {
    const env = newEnvironment();
    const sizes: number[] = [];
    env.on('heartbeat', (beat: Beat) => sizes.push(Buffer.byteLength(JSON.stringify(beat))));
    await env.run(() =>
      attempt(QUICK, 'fetching', async ({ progress }) => {
        progress.name = '🗄'.repeat(3_000);
        progress.bytesTotal = Number.MAX_SAFE_INTEGER;
        await sleep(50);
      }),
    );
    expect(sizes.length).toBeGreaterThan(1);
    expect(Math.max(...sizes)).toBeLessThan(1_024);
  });
});

describe('a failure', () => {
  it('rule 17: wrong bytes are final at the third time, however often workers were lost between', async () => {
    const wrong = new WaybillError('WB_DIGEST_MISMATCH', 'expected a, got b');
    const first = await failureOf(wrong);
    expect(first.failure.nonRetryable).toBe(false);
    expect(first.beats.at(-1)).toMatchObject({ m: 1 });
    expect((await failureOf(wrong, { m: 1, t: 1 })).failure.nonRetryable).toBe(false);
    expect((await failureOf(wrong, { m: 2, t: 2 })).failure.nonRetryable).toBe(true);
  });

  it('a source that fails is tried four times without progress, and again from one after progress', async () => {
    const down = new WaybillError('WB_UNAVAILABLE', 'it answers 503');
    expect((await failureOf(down, { t: 2 })).failure.nonRetryable).toBe(false);
    expect((await failureOf(down, { t: 3 })).failure.nonRetryable).toBe(true);
    const moved = await failureOf(down, { t: 3, h: 100 }, ({ progress }) => {
      progress.bytesDone = 2_000;
    });
    expect(moved.failure.nonRetryable).toBe(false);
    expect(moved.failure.details?.[0]).toMatchObject({ hasProgressed: true });
    expect(moved.beats.at(-1)).toMatchObject({ t: 1, h: 2_000 });
  });

  it('a few bytes are no progress, and neither is what an earlier attempt has left', async () => {
    const down = new WaybillError('WB_UNAVAILABLE', 'it closed the connection');
    const crumbs = await failureOf(down, { t: 3, h: 5_000 }, ({ progress }) => {
      progress.bytesDone = 5_900;
    });
    expect(crumbs.failure.nonRetryable).toBe(true);
    expect(crumbs.failure.details?.[0]).toMatchObject({ hasProgressed: false });
    const found = await failureOf(down, { t: 3 }, ({ progress }) => {
      progress.bytesDone = 1_000_500;
      progress.bytesFound = 1_000_000;
    });
    expect(found.failure.details?.[0]).toMatchObject({ hasProgressed: false });
    const oneFile = await failureOf(down, { t: 3 }, ({ progress }) => {
      progress.filesDone = 1;
    });
    expect(oneFile.failure.details?.[0]).toMatchObject({ hasProgressed: true });
  });

  it('tells when something last arrived, also where that was attempts ago', async () => {
    const down = new WaybillError('WB_UNAVAILABLE', 'it answers 503');
    const last = await failureOf(down, { t: 3, h: 5_000, l: 1_700_000_000_000 });
    expect(last.failure.details?.[0]).toMatchObject({ movedAtMs: 1_700_000_000_000 });
    const never = await failureOf(down, { t: 3 });
    expect(never.failure.details?.[0]).not.toHaveProperty('movedAtMs');
  });

  it('a probe is one try where the source still fails, and as many as ever where one file does', async () => {
    const down = new WaybillError('WB_UNAVAILABLE', 'it answers 503');
    const probe = { isProbe: true } as const;
    const vain = await failureOf(down, undefined, undefined, probe);
    expect(vain.failure.nonRetryable).toBe(true);
    const one = new WaybillError('WB_UNAVAILABLE', 'this file', { scope: 'file' });
    expect((await failureOf(one, undefined, undefined, probe)).failure.nonRetryable).toBe(false);
  });

  it('a probe of a unit ends when bytes come, so that everything goes on', async () => {
    const env = newEnvironment();
    const error = await thrownBy(() =>
      env.run(() =>
        attempt(
          PATIENT,
          'fetching',
          async ({ signal, progress }) => {
            progress.bytesDone = 2_000;
            await sleep(10_000, undefined, { signal });
          },
          { isProbe: true, isUnit: true },
        ),
      ),
    );
    expect((error as ApplicationFailure).details?.[0]).toMatchObject({ hasAnswered: true });
  });

  it('rule 18: a full disk and a long Retry-After are told to the pull at once', async () => {
    const full = await failureOf(new WaybillError('WB_NO_SPACE', 'the disk is full'));
    expect(full.failure).toMatchObject({ type: 'WB_NO_SPACE', nonRetryable: true });
    const busy = new WaybillError('WB_RATE_LIMITED', 'wait', { retryAfterMs: 60_000 });
    const { failure } = await failureOf(busy);
    expect(failure.nonRetryable).toBe(true);
    expect(failure.details?.[0]).toMatchObject({ scope: 'source', retryAfterMs: 60_000 });
  });

  it('a short Retry-After is the delay of the next attempt', async () => {
    const { failure } = await failureOf(
      new WaybillError('WB_RATE_LIMITED', 'wait', { retryAfterMs: 3_000 }),
    );
    expect(failure).toMatchObject({ nonRetryable: false, nextRetryDelay: 3_000 });
  });

  it('what cannot be helped by trying is final at once', async () => {
    const { failure } = await failureOf(
      new WaybillError('WB_NOT_FOUND', 'gone', { path: 'a.bin' }),
    );
    expect(failure).toMatchObject({ type: 'WB_NOT_FOUND', nonRetryable: true });
    expect(failure.details?.[0]).toMatchObject({ scope: 'file', path: 'a.bin' });
  });

  it('rule 29: stays small, without a stack or a cause, however long the message is', async () => {
    const { failure } = await failureOf(
      new WaybillError('WB_UNEXPECTED', 'ä'.repeat(100_000), {
        path: 'p'.repeat(10_000),
        cause: new Error('x'.repeat(100_000)),
      }),
    );
    expect(Buffer.byteLength(failure.message)).toBeLessThanOrEqual(1_024);
    expect(failure.stack).toBe('');
    expect(failure.cause).toBeUndefined();
    expect(Buffer.byteLength(JSON.stringify(failure.details))).toBeLessThan(1_024);
  });
});
