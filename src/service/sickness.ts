/**
 * Notices a Temporal that runs and answers nothing but errors. Seen under load: a request that was cancelled leaves the
 * dev server's SQLite connection interrupted for good, and from then on every call fails with `interrupted (9)`. No pull
 * moves until it is started again, and its own process never ends.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProbeResult } from './temporal-probe.js';

export interface SicknessWatch {
  /** Asks once. */
  readonly probe: () => Promise<ProbeResult>;
  /** Whether it should answer now: it did before, and nobody is ending it. */
  readonly isExpected: () => boolean;
  /** Called once when it has been sick for long enough; the watch ends then. */
  readonly onSick: () => void;
  readonly everyMs?: number;
}

const EVERY_MS = 2_000;

/**
 * So many errors in a row. A server that is slow or stopped answers late or not at all, and gets its time; one that is
 * busy starting does not count as ready yet.
 */
const ERRORS_IN_A_ROW = 4;

/** Watches until it is sick or not expected to answer any more. */
export async function watchForSickness(watch: SicknessWatch): Promise<void> {
  let errors = 0;
  for (;;) {
    await sleep(watch.everyMs ?? EVERY_MS, undefined, { ref: false });
    if (!watch.isExpected()) return;
    errors = (await watch.probe()) === 'not ready' ? errors + 1 : 0;
    if (!watch.isExpected()) return;
    if (errors < ERRORS_IN_A_ROW) continue;
    watch.onSick();
    return;
  }
}
