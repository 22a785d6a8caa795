/** Looks at a pull again and again until it ends, through restarts of Temporal and of its workers. */
import { setTimeout as sleep } from 'node:timers/promises';
import { asWaybillError } from '../model/errors.js';
import type { PullStatus } from '../model/pull.js';
import type { WatchOptions } from './types.js';

const DEFAULT_INTERVAL_MS = 500;

/** A restart of the local Temporal takes seconds; two minutes without it is no restart any more. */
const DEFAULT_UNREACHABLE_FOR_MS = 120_000;

async function pause(ms: number, signal: AbortSignal | undefined): Promise<boolean> {
  if (signal?.aborted) return false;
  try {
    await sleep(ms, undefined, signal === undefined ? {} : { signal });
    return true;
  } catch {
    return false;
  }
}

function unreachable(last: PullStatus, sinceMs: number): PullStatus {
  const seconds = Math.round(sinceMs / 1_000);
  return {
    ...last,
    inFlight: [],
    progress: {
      ...last.progress,
      phase: 'waiting for a worker',
      reason: `Temporal cannot be reached for ${seconds} s, trying again`,
    },
  };
}

/**
 * Yields a status every interval, the first one at once unless told otherwise; the last one has a `result`. While Temporal cannot be reached it yields the last
 * status again and says so; a first look that cannot reach it throws.
 */
export async function* watchStatus(
  read: () => Promise<PullStatus>,
  options: WatchOptions = {},
): AsyncGenerator<PullStatus, void, void> {
  const limitMs = options.unreachableForMs ?? DEFAULT_UNREACHABLE_FOR_MS;
  let last: PullStatus | undefined;
  let lostAt: number | undefined;
  const { firstAfterMs = 0 } = options;
  if (firstAfterMs > 0 && !(await pause(firstAfterMs, options.signal))) return;
  do {
    try {
      last = await read();
      lostAt = undefined;
      yield last;
      if (last.state !== 'running') return;
    } catch (error) {
      const known = asWaybillError(error);
      if (known.code !== 'WB_TEMPORAL_UNREACHABLE' || last === undefined) throw known;
      lostAt ??= performance.now();
      const sinceMs = performance.now() - lostAt;
      if (sinceMs > limitMs) throw known;
      yield unreachable(last, sinceMs);
    }
  } while (await pause(options.intervalMs ?? DEFAULT_INTERVAL_MS, options.signal));
}
