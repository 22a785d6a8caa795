/** The only maker of ApplicationFailures for activities: it decides what Temporal tries again. */
import {
  ApplicationFailure,
  ApplicationFailureCategory,
  type ApplicationFailureOptions,
} from '@temporalio/common';
import { cutText, MAX_MESSAGE_BYTES } from '../model/caps.js';
import { hasWrongBytes } from '../model/error-table.js';
import type { ErrorScope } from '../model/errors.js';
import { hideSecretLooking } from '../model/secret-text.js';
import { asWaybillError, type WaybillError } from '../model/errors.js';
import {
  LONGEST_HIDDEN_WAIT_MS,
  TRIES_ELSEWHERE,
  TRIES_WITHOUT_PROGRESS,
  TRIES_WITH_WRONG_BYTES,
} from './limits.js';

/** What the workflow gets to know of a failure beside its code and message. */
export interface FailureFacts {
  readonly scope: ErrorScope;
  /** Whether trying again later may help. */
  readonly retryable: boolean;
  readonly retryAfterMs?: number;
  /** The file, cut. */
  readonly path?: string;
  /** The attempt brought bytes that no attempt before it had. */
  readonly hasProgressed: boolean;
  /** When something last arrived, in any attempt: Unix milliseconds of Temporal's clock. */
  readonly movedAtMs?: number;
  /** It was a probe, and ended because bytes come again: nothing has failed. */
  readonly hasAnswered?: true;
}

/** What an attempt that failed was, beside its error. */
export interface FailedAttempt {
  /** Including this one. */
  readonly tries: Tries;
  readonly hasProgressed: boolean;
  readonly movedAtMs?: number | undefined;
  /** The pull is blocked, and asks whether it still has to be. */
  readonly isProbe: boolean;
  /** Another worker may get the next try. */
  readonly isShared: boolean;
}

/** How an activity has failed by itself so far; lost workers and shutdowns do not count. */
export interface Tries {
  readonly withoutProgress: number;
  readonly withWrongBytes: number;
}

/** The tries after one more failure. */
export function countTry(before: Tries, thrown: unknown, hasProgressed: boolean): Tries {
  const error = asWaybillError(thrown);
  if (error.code === 'WB_TEMPORAL_UNREACHABLE') return before;
  return {
    withoutProgress: hasProgressed ? 1 : before.withoutProgress + 1,
    withWrongBytes: before.withWrongBytes + (hasWrongBytes(error.code) ? 1 : 0),
  };
}

function isFinal(error: WaybillError, facts: FailedAttempt): boolean {
  const { tries, isShared } = facts;
  if (!error.retryable) return true;
  // What one host does not see another may.
  if (isShared && error.code === 'WB_DESTINATION_NOT_HERE') {
    return tries.withoutProgress >= TRIES_ELSEWHERE;
  }
  // Losing Temporal is nobody's failure: the attempt is made again for as long as it takes.
  if (error.code === 'WB_TEMPORAL_UNREACHABLE') return false;
  if (hasWrongBytes(error.code)) return tries.withWrongBytes >= TRIES_WITH_WRONG_BYTES;
  // One full disk and one refused sign-in are one event, not one per file and attempt (rule 18).
  if (error.scope === 'destination' || error.code === 'WB_UNAUTHENTICATED') return true;
  if ((error.retryAfterMs ?? 0) > LONGEST_HIDDEN_WAIT_MS) return true;
  const isFirst = tries.withoutProgress === 1 && !facts.hasProgressed;
  if (facts.isProbe && isFirst && error.scope === 'source') return true;
  return tries.withoutProgress >= TRIES_WITHOUT_PROGRESS;
}

/**
 * The failure to throw from an activity. `nonRetryable` means that the workflow decides what comes next, not that
 * nothing will.
 */
export function toFailure(thrown: unknown, attempt: FailedAttempt): ApplicationFailure {
  const error = asWaybillError(thrown);
  const { hasProgressed, movedAtMs } = attempt;
  const nonRetryable = isFinal(error, attempt);
  const facts: FailureFacts = {
    scope: error.scope,
    retryable: error.retryable,
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
    ...(error.path === undefined ? {} : { path: cutText(error.path, 400) }),
    hasProgressed,
    ...(movedAtMs === undefined ? {} : { movedAtMs }),
  };
  return failureOf(facts, {
    type: error.code,
    // Histories are kept: what a store has overlooked ends here (rule 3).
    message: cutText(hideSecretLooking(error.message), MAX_MESSAGE_BYTES),
    nonRetryable,
    ...(nonRetryable ? {} : { category: ApplicationFailureCategory.BENIGN }),
    ...(nonRetryable || error.retryAfterMs === undefined
      ? {}
      : { nextRetryDelay: Math.max(error.retryAfterMs, 100) }),
  });
}

/** What a probe ends with when bytes come again: the workflow lets everything go on, this unit with the others. */
export function answered(movedAtMs: number | undefined): ApplicationFailure {
  const facts: FailureFacts = {
    scope: 'source',
    retryable: true,
    hasProgressed: true,
    ...(movedAtMs === undefined ? {} : { movedAtMs }),
    hasAnswered: true,
  };
  return failureOf(facts, {
    type: 'WB_UNAVAILABLE',
    message: 'bytes come again: this goes on with all the rest',
    nonRetryable: true,
    category: ApplicationFailureCategory.BENIGN,
  });
}

function failureOf(facts: FailureFacts, options: ApplicationFailureOptions): ApplicationFailure {
  const failure = ApplicationFailure.create({ ...options, details: [facts] });
  // A stack would put paths of the worker's host into every history.
  failure.stack = '';
  return failure;
}
