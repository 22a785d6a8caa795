/** How a pull ended, from Temporal's record of it. */
import {
  ApplicationFailure,
  CancelledFailure,
  TerminatedFailure,
  WorkflowFailedError,
  type WorkflowHandle,
} from '@temporalio/client';
import { resultWithout } from '../model/ended.js';
import { isErrorCode } from '../model/errors.js';
import type { PullProgress, PullResult } from '../model/pull.js';
import { isSuperseded, SUPERSEDED } from './superseded.js';
import { translate } from './translate.js';
import { trusted } from './trust.js';

function isPullResult(value: unknown): value is PullResult {
  return (
    typeof value === 'object' &&
    value !== null &&
    'exitCode' in value &&
    typeof value.exitCode === 'number' &&
    'failures' in value &&
    Array.isArray(value.failures)
  );
}

/**
 * Waits for the end of a pull and says how it was; a pull that failed is a result too. Throws only when Temporal
 * cannot be reached or does not know the pull.
 */
export async function resultOf(
  handle: WorkflowHandle,
  destination: string,
  progress?: PullProgress,
): Promise<PullResult> {
  let cause: unknown;
  try {
    const result: unknown = trusted(await handle.result());
    if (isPullResult(result)) return result;
    return resultWithout(
      'WB_VERSION_SKEW',
      'the result has an unknown shape',
      destination,
      progress,
    );
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw translate(error, 'wait for the pull');
    cause = error.cause;
  }
  if (cause instanceof ApplicationFailure) {
    const details: unknown = trusted(cause.details?.[0]);
    if (isPullResult(details)) return details;
    const code = isErrorCode(cause.type) ? cause.type : 'WB_UNEXPECTED';
    return resultWithout(code, cause.message, destination, progress);
  }
  if (cause instanceof CancelledFailure) {
    const message = (await isSuperseded(handle))
      ? `${SUPERSEDED}, with other options or a new sign-in; this run was ended for it`
      : 'the pull was cancelled';
    return resultWithout('WB_CANCELLED', message, destination, progress);
  }
  if (cause instanceof TerminatedFailure) {
    const message =
      'the pull was terminated in Temporal; the same command goes on where it stopped';
    return resultWithout('WB_CANCELLED', message, destination, progress);
  }
  const message = cause instanceof Error ? cause.message : 'the pull ended without a reason';
  return resultWithout('WB_UNEXPECTED', message, destination, progress);
}
