/**
 * Digests that a source computes when it is asked, which takes it as long as reading the file (`digestsOnRequest`): nobody
 * waits for them before the first byte.
 */
import { WaybillError } from '../model/errors.js';
import { samePin } from '../model/object-entry.js';
import type { CallContext } from './api.js';
import type { LargeArrived, LargeFile } from './fetch-large.js';
import type { PullContext } from './pull-context.js';
import type { Observed } from './thread/tasks.js';

const COUNT_MS = 1_000;

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
  const ask = (): Promise<Partial<Observed>> => askFor(pull, file, signal);
  const beside = digestsOnRequest === 'beside' ? ask() : undefined;
  // It is told where it is waited for.
  beside?.catch(() => undefined);
  try {
    const arrived = await fetch();
    const late = await waiting(context, beside ?? ask());
    return { ...arrived, observed: { ...arrived.observed, ...late } };
  } finally {
    leaving.abort();
  }
}

async function askFor(
  pull: PullContext,
  { plan, pin }: LargeFile,
  signal: AbortSignal,
): Promise<Partial<Observed>> {
  const store = await pull.store();
  const entry = await store.stat(plan.sourcePath ?? plan.path, { signal, wantsDigests: true });
  if (!samePin(entry.pin, pin)) {
    throw new WaybillError('WB_SOURCE_CHANGED', `${plan.path} changed while it was read`, {
      ...{ operation: 'stat', path: plan.path },
    });
  }
  return {
    ...(entry.digests === undefined ? {} : { digests: entry.digests }),
    ...(entry.areDigestsFresh === undefined ? {} : { areDigestsFresh: true }),
    ...(entry.recordedDigests === undefined ? {} : { recordedDigests: entry.recordedDigests }),
  };
}

/** A source that computes gives no byte, and is no standstill (rule 27); its store bounds the wait. */
async function waiting<T>({ progress }: CallContext, answer: Promise<T>): Promise<T> {
  const timer = setInterval(() => {
    progress.heldMs += COUNT_MS;
  }, COUNT_MS);
  try {
    return await answer;
  } finally {
    clearInterval(timer);
  }
}
