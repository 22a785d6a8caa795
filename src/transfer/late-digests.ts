/**
 * Digests that a source computes when it is asked, which takes it as long as reading the file (`digestsOnRequest`): nobody
 * waits for them before the first byte.
 */
import { WaybillError } from '../model/errors.js';
import { samePin } from '../model/object-entry.js';
import type { CallContext } from './api.js';
import type { LargeArrived, LargeFile } from './fetch-large.js';
import type { PullContext } from './pull-context.js';
import { observedOf } from './thread/observed.js';
import type { Observed } from './thread/tasks.js';
import { whileHeld } from './while-held.js';

/**
 * Fetches a file, and adds what its source computes of it meanwhile or after.
 * @throws what `fetch` throws, and then nothing is asked any more; WB_SOURCE_CHANGED where the digests are of another version
 */
export async function withLateDigests(
  pull: PullContext,
  file: LargeFile,
  context: CallContext,
  fetch: () => Promise<LargeArrived>,
): Promise<LargeArrived> {
  const { digestsOnRequest } = file;
  if (digestsOnRequest === undefined) return fetch();
  const leaving = new AbortController();
  const signal = AbortSignal.any([context.signal, leaving.signal]);
  const ask = (): Promise<Observed> => askFor(pull, file, signal);
  const beside = digestsOnRequest === 'beside' ? ask() : undefined;
  // It is told where it is waited for.
  beside?.catch(() => undefined);
  try {
    const arrived = await fetch();
    // A source that computes gives no byte; its store bounds the wait.
    const late = await whileHeld(context, beside ?? ask());
    return { ...arrived, observed: { ...arrived.observed, ...late } };
  } finally {
    leaving.abort();
  }
}

async function askFor(
  pull: PullContext,
  { plan, pin }: LargeFile,
  signal: AbortSignal,
): Promise<Observed> {
  const store = await pull.store();
  const entry = await store.stat(plan.sourcePath ?? plan.path, { signal, wantsDigests: true });
  if (!samePin(entry.pin, pin)) {
    throw new WaybillError('WB_SOURCE_CHANGED', `${plan.path} changed while it was read`, {
      operation: 'stat',
      path: plan.path,
    });
  }
  return observedOf({ ending: 'length', ...entry });
}
