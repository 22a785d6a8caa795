/** Waiting for connections of a pull, where the wait is no standstill (rule 27). */
import type { CallContext } from './api.js';
import type { PullContext } from './pull-context.js';

const COUNT_MS = 1_000;

/** Takes up to `wanted` permits, at least one. Rejects with the signal's reason. */
export async function takePermits(
  pull: PullContext,
  wanted: number,
  { signal, progress }: CallContext,
): Promise<number> {
  const timer = setInterval(() => {
    progress.heldMs += COUNT_MS;
  }, COUNT_MS);
  try {
    return await pull.limits.permits.take(wanted, signal);
  } finally {
    clearInterval(timer);
  }
}
