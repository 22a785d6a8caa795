/** What `--json` prints of a pull: one event a line. `schema/events.json` says the same to machines. */
import type { Failure, InFlight, Phase, PullResult, PullStatus } from '../model/pull.js';

/** Rises when a reader of the old form could misread the new one. */
export const EVENT_VERSION = 1;

/** Something that happened to a pull, as it is told; `v`, `time` and `pullId` are added when it is printed. */
export type PullEvent =
  | {
      readonly type: 'started';
      readonly source: string;
      readonly destination: string;
      readonly joined: boolean;
      readonly temporal: string;
    }
  | { readonly type: 'phase'; readonly phase: Phase; readonly reason: string | null }
  | {
      readonly type: 'progress';
      readonly phase: Phase;
      readonly filesPlanned: number;
      readonly bytesPlanned: number;
      readonly isPlanComplete: boolean;
      readonly filesDone: number;
      readonly bytesDone: number;
      readonly filesKept: number;
      readonly filesFailed: number;
      readonly retries: number;
      readonly bytesPerSecond: number | null;
      readonly inFlight: readonly { name: string; bytesDone: number; bytesTotal: number }[];
    }
  | {
      readonly type: 'retry';
      readonly name: string;
      readonly attempt: number;
      readonly reason: string | null;
    }
  | ({ readonly type: 'failure' } & Failure)
  | { readonly type: 'remark'; readonly text: string };

/** The last line of a pull. */
export interface ResultEvent extends Omit<
  PullResult,
  'code' | 'message' | 'treeDigest' | 'destination'
> {
  readonly type: 'result';
  readonly code: string | null;
  readonly message: string | null;
  readonly destination: string | null;
  readonly treeDigest: string | null;
}

/** The result line of a pull that ended. */
export function resultEvent(result: PullResult): ResultEvent {
  return {
    ...result,
    type: 'result',
    code: result.code ?? null,
    message: result.message ?? null,
    destination: result.destination,
    treeDigest: result.treeDigest ?? null,
  };
}

/** Retries that are told at once; the rest are in the count. */
const MAX_RETRIES_TOLD = 5;

function retriesBetween(before: readonly InFlight[], after: readonly InFlight[]): PullEvent[] {
  const attempts = new Map(before.map((unit) => [unit.name, unit.attempt]));
  return (
    after
      // Without a failure it was handed back by a worker that went: it goes on, and nothing was in vain.
      .filter((unit) => unit.lastFailure !== undefined)
      .filter((unit) => unit.attempt > 1 && unit.attempt > (attempts.get(unit.name) ?? 1))
      .slice(0, MAX_RETRIES_TOLD)
      .map(({ name, attempt, lastFailure }) => ({
        type: 'retry',
        name,
        attempt,
        reason: lastFailure ?? null,
      }))
  );
}

/** What happened between two looks at a pull, without the progress itself. */
export function eventsBetween(before: PullStatus | undefined, after: PullStatus): PullEvent[] {
  const events: PullEvent[] = [];
  const old = before?.progress;
  const { phase, reason, failures } = after.progress;
  if (old?.phase !== phase || old.reason !== reason) {
    events.push({ type: 'phase', phase, reason: reason ?? null });
  }
  events.push(...retriesBetween(before?.inFlight ?? [], after.inFlight));
  const told = new Set((old?.failures ?? []).map((failure) => failure.path));
  for (const failure of failures) {
    if (!told.has(failure.path)) events.push({ type: 'failure', ...failure });
  }
  return events;
}

/** The progress of a look. */
export function progressEvent(status: PullStatus, bytesPerSecond: number | undefined): PullEvent {
  const {
    startedAt: _startedAt,
    failures: _failures,
    reason: _reason,
    limits: _limits,
    ...counts
  } = status.progress;
  return {
    type: 'progress',
    ...counts,
    bytesPerSecond: bytesPerSecond === undefined ? null : Math.round(bytesPerSecond),
    inFlight: status.inFlight
      .slice(0, 10)
      .map(({ name, bytesDone, bytesTotal }) => ({ name, bytesDone, bytesTotal })),
  };
}
