/** Waits on purpose, which are no standstill (rule 27). */
import type { CallContext } from './api.js';

const COUNT_MS = 1_000;

/** Awaits what holds the work back, and counts the time. */
export async function whileHeld<T>(
  { progress }: Pick<CallContext, 'progress'>,
  wait: Promise<T>,
): Promise<T> {
  const timer = setInterval(() => {
    progress.heldMs += COUNT_MS;
  }, COUNT_MS);
  try {
    return await wait;
  } finally {
    clearInterval(timer);
  }
}
