/** Which of the live workers of a queue this one is: they share what a pull or a site may have. */
import type { WaybillClient } from './client.js';
import { WHOLE, type WorkerShare } from './transfer/concurrency/shares.js';

/** One call of Temporal each time, over the connection that is open anyway. */
const LOOK_MS = 5_000;

/** Keeps looking until `end`. */
export interface ShareWatch {
  readonly share: () => WorkerShare;
  end(): void;
}

/**
 * Looks who works for a site. Workers sort their identities alike, so that each knows its place without a word to the others;
 * one that has just started counts itself before Temporal lists it. Where Temporal does not answer, what was known holds.
 */
export async function watchShare(
  client: Pick<WaybillClient, 'liveWorkersOf'>,
  site: string | undefined,
  identity: string,
): Promise<ShareWatch> {
  let share = WHOLE;
  const look = async (): Promise<void> => {
    try {
      share = placeAmong(await client.liveWorkersOf(site), identity);
    } catch (error) {
      void error;
    }
  };
  await look();
  const timer = setInterval(() => void look(), LOOK_MS);
  timer.unref();
  return { share: () => share, end: () => clearInterval(timer) };
}

/** This worker's place among those that Temporal lists, itself included. */
export function placeAmong(pollers: readonly string[], identity: string): WorkerShare {
  const all = [...new Set([...pollers, identity])].sort();
  return { index: all.indexOf(identity), of: all.length };
}
