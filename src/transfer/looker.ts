/** Looking at what lies at the destination: few names from the main thread, many together in a thread. */
import { fromPlainError } from '../model/errors.js';
import { errnoOf, toDestinationError } from './destination-error.js';
import { inBatches } from './plan/in-batches.js';
import type { ThreadPool } from './pool.js';
import { fileOf, lookAt, type Replaceable } from './take-name.js';
import type { LookOutcome } from './thread/look-at.js';

/** A file, something else, or nothing. Rejects with WB_DESTINATION_FAILED and its kin. */
export type Look = (absolute: string) => Promise<Replaceable | 'other' | undefined>;

/** So many at once are worth a message to a thread, and its start. */
export const MANY = 32;

/** Looks from the main thread. */
export const lookHere: Look = async (absolute) => {
  try {
    const found = await lookAt(absolute);
    return found === undefined ? undefined : (fileOf(found) ?? 'other');
  } catch (error) {
    if (errnoOf(error) === 'ENOTDIR') return undefined;
    throw toDestinationError(error, 'look at', absolute);
  }
};

/** What is asked in one turn is looked at together. */
export function lookTogether(pool: Pick<ThreadPool, 'lookAtAll'>): Look {
  const ask = inBatches(async (paths: readonly string[]): Promise<readonly Answer[]> => {
    if (paths.length >= MANY) return pool.lookAtAll(paths);
    return Promise.all(
      paths.map((path) => lookHere(path).then(asOutcome, (error: unknown) => ({ error }))),
    );
  });
  return async (absolute) => {
    const answer = await ask(absolute);
    if ('error' in answer) throw 'kind' in answer ? fromPlainError(answer.error) : answer.error;
    if (answer.kind === 'file') return answer.file;
    return answer.kind === 'other' ? 'other' : undefined;
  };
}

type Answer = LookOutcome | { readonly error: unknown };

function asOutcome(found: Replaceable | 'other' | undefined): LookOutcome {
  if (found === undefined) return { kind: 'nothing' };
  return found === 'other' ? { kind: 'other' } : { kind: 'file', file: found };
}
