/** Ends a pull in which nothing moves for too long, by workflow time (rules 18, 28, 34). */
import { condition, sleep } from '@temporalio/workflow';
import type { ErrorCode } from '../model/errors.js';
import { errorRow } from '../model/errors.js';
import type { Block, Tuning } from './messages.js';

/** What the watchdog sees of the pull. */
export interface Watched {
  /** Why nothing moves; undefined: it moves, or may. */
  readonly block: Block | undefined;
  readonly isPaused: boolean;
  /** When something last arrived, or the pull was resumed. */
  readonly movedAtMs: number;
  /** Anything was fetched or planned in this run. */
  readonly hasReached: boolean;
}

/** Why a pull is ended from within. */
export interface Verdict {
  readonly code: ErrorCode;
  readonly message: string;
}

/** What may be limited. */
export interface Limits {
  /** How long it may stand still, as it holds now; undefined: for ever. */
  readonly patience: () => number | undefined;
  readonly tuning: Pick<Tuning, 'giveUpUnreachedMs' | 'diskProbes'>;
}

/** The exit codes that a cause keeps when the pull gives up; all others are WB_GAVE_UP. */
const KEPT_EXIT_CODES: readonly number[] = [5, 7];

function duration(ms: number): string {
  return ms < 120_000 ? `${Math.round(ms / 1_000)} s` : `${Math.round(ms / 60_000)} min`;
}

function gaveUp(block: Block, afterMs: number): Verdict {
  const keeps = KEPT_EXIT_CODES.includes(errorRow(block.code).exitCode);
  return {
    code: keeps ? block.code : 'WB_GAVE_UP',
    message: `gave up after ${duration(afterMs)} without progress: ${block.message}`,
  };
}

function limitOf(watched: Watched, limits: Limits): number {
  const patience = limits.patience() ?? Number.POSITIVE_INFINITY;
  return watched.hasReached ? patience : Math.min(patience, limits.tuning.giveUpUnreachedMs);
}

/** Resolves with a verdict when the pull has to end; never, where nothing limits it. */
export async function watchStandstill(watched: Watched, limits: Limits): Promise<Verdict> {
  const isStanding = (): boolean => watched.block !== undefined && !watched.isPaused;
  const isDiskFull = (): boolean =>
    watched.block?.scope === 'destination' && watched.block.probes >= limits.tuning.diskProbes;
  for (;;) {
    await condition(isStanding);
    const { block } = watched;
    if (block === undefined) continue;
    if (isDiskFull()) return { code: block.code, message: block.message };
    const patience = limits.patience();
    const limitMs = limitOf(watched, limits);
    const since = watched.movedAtMs;
    const leftMs = since + limitMs - Date.now();
    if (leftMs <= 0) return gaveUp(block, limitMs);
    const hasChanged = (): boolean =>
      !isStanding() ||
      isDiskFull() ||
      watched.movedAtMs !== since ||
      limits.patience() !== patience;
    if (Number.isFinite(leftMs)) await condition(hasChanged, leftMs);
    else await condition(hasChanged);
  }
}

/** Resolves at the deadline. */
export async function watchDeadline(timeoutMs: number): Promise<Verdict> {
  await sleep(timeoutMs);
  return {
    code: 'WB_GAVE_UP',
    message: `the deadline of ${duration(timeoutMs)} passed; the same command goes on where it stopped`,
  };
}
