/** The one wrapper of every activity: signal, heartbeats, and what an error becomes. */
import { setMaxListeners } from 'node:events';
import { Context } from '@temporalio/activity';
import { asWaybillError, stackOfUnexpected, WaybillError } from '../model/errors.js';
import {
  startProgress,
  type CallContext,
  type PullRef,
  type UnitProgress,
} from '../transfer/api.js';
import type { GivenUp, Work } from './given-up.js';
import { answered, countTry, toFailure } from './failures.js';
import { Pulse, type PulseOptions } from './pulse.js';
import type { AttemptFacts, AttemptWatcher } from './watch.js';

/** What attempts share. */
export interface AttemptDeps {
  /** How long Temporal has not been reached; absent: always reached. */
  readonly silentForMs?: () => number;
  /** Is told of what nobody expected: histories hold no stack. */
  readonly onUnexpected?: (activity: string, stack: string) => void;
  /** Looks on, of its own accord. */
  readonly watcher?: AttemptWatcher;
  /** Others serve the same queue, and may see a place that this worker does not see. */
  readonly shared?: SharedWork;
  /** What could not be ended; absent: an attempt waits for its work, however long that takes. */
  readonly givenUp?: GivenUp;
  /** Only tests shorten these. */
  readonly stalledAfterMs?: PulseOptions['stalledAfterMs'];
  readonly beatEveryMs?: number;
}

/** How a worker that is not alone leaves work to the others. */
export interface SharedWork {
  /** Said with a failure that only this host may have. */
  readonly host: string;
  /** A worker that cannot do anything would else be the quickest of all, and take the most. */
  readonly holdMs: number;
}

/** What this host cannot do another may: said with its name, after a while in which it takes nothing else instead. */
async function leaveToOthers(error: unknown, deps: AttemptDeps): Promise<unknown> {
  const { shared } = deps;
  const isHereAlone = error instanceof WaybillError && error.code === 'WB_DESTINATION_NOT_HERE';
  if (shared === undefined || !isHereAlone) return error;
  await Context.current().sleep(shared.holdMs);
  const message = `on ${shared.host}: ${error.message}`;
  return new WaybillError(error.code, message, { retryable: true, retryAfterMs: 500 });
}

/** What an attempt is told of itself. */
export interface AttemptInput extends Work {
  /** The pull is blocked, and asks whether it still has to be: one vain try is enough. */
  readonly isProbe?: true;
  /** A probe of it ends at the first bytes, so that everything goes on. */
  readonly isUnit?: true;
}

/** Follows a signal without adding listeners to it for each part: the engine gets a signal of its own. */
function follow(source: AbortSignal, target: AbortController): () => void {
  const forward = (): void => target.abort(source.reason);
  if (source.aborted) forward();
  else source.addEventListener('abort', forward, { once: true });
  return () => source.removeEventListener('abort', forward);
}

/** The pull is that of the claimed destination; before that, the workflow itself is the root. */
function factsOf({ info }: Context, ref: PullRef | undefined): AttemptFacts {
  const { workflowId, runId } = info.workflowExecution ?? { workflowId: '', runId: '' };
  return {
    activity: info.activityType,
    pullId: ref?.pullId ?? workflowId,
    runId: ref?.runId ?? runId,
    attempt: info.attempt,
  };
}

/**
 * Runs one attempt. Cancellation, pause and shutdown are thrown as Temporal gave them, before anything is
 * classified: an AbortError, or a failure that stopping caused, would lose the file (notes on Temporal, 6.1).
 */
export async function attempt<T>(
  deps: AttemptDeps,
  phase: UnitProgress['phase'],
  run: (context: CallContext) => Promise<T>,
  about: AttemptInput = {},
): Promise<T> {
  const activity = Context.current();
  const controller = new AbortController();
  // Each connection of a large file waits for it.
  setMaxListeners(0, controller.signal);
  const unfollow = follow(activity.cancellationSignal, controller);
  const progress = startProgress(phase);
  const watch = deps.watcher?.(factsOf(activity, about.ref), about.ref && about);
  const before: unknown = activity.info.heartbeatDetails;
  const isProbe = about.isProbe === true;
  let hasAnswered = false;
  const endProbe = (): void => {
    hasAnswered = true;
    controller.abort(new Error('the probe has its answer'));
  };
  const pulse = new Pulse({
    before,
    progress,
    send: (beat) => {
      watch?.moved?.(progress);
      activity.heartbeat(beat);
    },
    stop: (reason) => controller.abort(reason),
    begunAtMs: activity.info.currentAttemptScheduledTimestampMs,
    ...(isProbe && about.isUnit === true ? { progressed: endProbe } : {}),
    silentForMs: deps.silentForMs ?? ((): number => 0),
    ...(deps.stalledAfterMs === undefined ? {} : { stalledAfterMs: deps.stalledAfterMs }),
    ...(deps.beatEveryMs === undefined ? {} : { beatEveryMs: deps.beatEveryMs }),
  });
  let isLeft = false;
  try {
    await deps.givenUp?.refuse(about);
    const { signal } = controller;
    const running = run({ signal, progress, attempt: activity.info.attempt });
    const result = await (deps.givenUp?.follow(running, about, signal, () => (isLeft = true)) ??
      running);
    watch?.moved?.(progress);
    watch?.ended({ kind: 'done', result });
    return result;
  } catch (thrown) {
    watch?.moved?.(progress);
    if (activity.cancellationSignal.aborted) {
      watch?.ended({ kind: 'stopped' });
      throw activity.cancellationSignal.reason;
    }
    if (hasAnswered && !isLeft) {
      watch?.ended({ kind: 'stopped' });
      throw answered(pulse.movedAtMs);
    }
    const met: unknown = controller.signal.aborted && !isLeft ? controller.signal.reason : thrown;
    const error = await leaveToOthers(met, deps);
    const stack = stackOfUnexpected(error);
    if (stack !== undefined) deps.onUnexpected?.(activity.info.activityType, stack);
    const { hasProgressed } = pulse;
    pulse.tries = countTry(pulse.tries, error, hasProgressed);
    // The counts travel to the next attempt with the last heartbeat.
    pulse.beat();
    const { tries, movedAtMs } = pulse;
    const isShared = deps.shared !== undefined;
    const failure = toFailure(error, { tries, hasProgressed, movedAtMs, isProbe, isShared });
    const isFinal = failure.nonRetryable === true;
    watch?.ended({ kind: 'failed', error: asWaybillError(error), isFinal });
    throw failure;
  } finally {
    pulse.end();
    unfollow();
  }
}
