/** Waiting for connections of a pull, where the wait is no standstill (rule 27). */
import type { CallContext } from './api.js';
import type { PullContext } from './pull-context.js';
import { whileHeld } from './while-held.js';

/** Takes up to `wanted` permits, at least one. Rejects with the signal's reason. */
export function takePermits(
  pull: PullContext,
  wanted: number,
  context: CallContext,
): Promise<number> {
  return whileHeld(context, pull.limits.permits.take(wanted, context.signal));
}
