/** What the failure of an activity means for the pull, and the failures that workflows end with. */
import {
  ActivityFailure,
  ApplicationFailure,
  ChildWorkflowFailure,
  TimeoutFailure,
  isCancellation,
} from '@temporalio/workflow';
import { TimeoutType } from '@temporalio/common';
import type { FailureFacts } from '../activities/failures.js';
import { capResult, cutText, MAX_MESSAGE_BYTES } from '../model/caps.js';
import { errorRow, isErrorCode, type ErrorCode } from '../model/errors.js';
import type { PullResult } from '../model/pull.js';

/** What an activity's failure means. */
export type Outcome =
  | { readonly kind: 'cancelled' }
  /** The worker, not the work, is at fault: the same again. */
  | { readonly kind: 'lost'; readonly hasNoWorker: boolean; readonly message: string }
  | {
      readonly kind: 'failed';
      readonly code: ErrorCode;
      readonly message: string;
      readonly facts: FailureFacts;
    };

/** How a failed activity decides over the rest. */
export type Verdict = 'file' | 'block' | 'fatal';

function factsOf(code: ErrorCode, details: unknown): FailureFacts {
  const row = errorRow(code);
  const fallback = { scope: row.scope, retryable: row.retryable, hasProgressed: false };
  if (typeof details !== 'object' || details === null) return fallback;
  return { ...fallback, ...details };
}

/** Reads what an activity or a child workflow threw. */
export function readOutcome(error: unknown): Outcome {
  if (isCancellation(error)) return { kind: 'cancelled' };
  const cause =
    error instanceof ActivityFailure || error instanceof ChildWorkflowFailure ? error.cause : error;
  if (cause instanceof TimeoutFailure) {
    const hasNoWorker = cause.timeoutType === TimeoutType.SCHEDULE_TO_START;
    return { kind: 'lost', hasNoWorker, message: cause.message };
  }
  const message = cause instanceof Error ? cause.message : String(cause);
  if (cause instanceof ApplicationFailure) {
    const code = isErrorCode(cause.type) ? cause.type : 'WB_UNEXPECTED';
    if (code === 'WB_TEMPORAL_UNREACHABLE') return { kind: 'lost', hasNoWorker: false, message };
    return { kind: 'failed', code, message, facts: factsOf(code, cause.details?.[0]) };
  }
  return {
    kind: 'failed',
    code: 'WB_UNEXPECTED',
    message,
    facts: { scope: 'request', retryable: false, hasProgressed: false },
  };
}

/** When something last arrived at what has failed; workers of earlier releases only say that it did. */
export function movedAtMs(facts: FailureFacts): number | undefined {
  const now = Date.now();
  if (facts.movedAtMs !== undefined) return Math.min(facts.movedAtMs, now);
  return facts.hasProgressed ? now : undefined;
}

/** Whether a failure is about one file, stops everything for a while, or ends the pull (rules 18, 26). */
export function verdictOf(outcome: Extract<Outcome, { kind: 'failed' }>): Verdict {
  const { scope, retryable } = outcome.facts;
  if (scope === 'file') return 'file';
  if (scope === 'source') return 'block';
  return scope === 'destination' && retryable ? 'block' : 'fatal';
}

function withoutStack(failure: ApplicationFailure): ApplicationFailure {
  // A stack would put paths of the worker's host into every history.
  failure.stack = '';
  return failure;
}

/** An error that ends a pull; thrown inside the workflow and caught by its root. */
export function ending(code: ErrorCode, message: string): ApplicationFailure {
  return withoutStack(
    ApplicationFailure.create({
      type: code,
      message: cutText(message, MAX_MESSAGE_BYTES),
      nonRetryable: true,
    }),
  );
}

/** The failure of a pull that ended not ok: Temporal shows it failed, and its details are the result. */
export function pullFailure(result: PullResult): ApplicationFailure {
  const code = result.code ?? 'WB_PARTIAL';
  const capped = capResult(result);
  return withoutStack(
    ApplicationFailure.create({
      type: code,
      message: cutText(result.message ?? errorRow(code).summary, MAX_MESSAGE_BYTES),
      nonRetryable: true,
      details: [capped],
    }),
  );
}
