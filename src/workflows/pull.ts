/** The root workflow of a pull. */
import {
  CancellationScope,
  defineQuery,
  defineSignal,
  isCancellation,
  proxyActivities,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { Activities } from '../activities/activities.js';
import { resultWithout } from '../model/ended.js';
import { PROTOCOL, type PullEnd, type PullLimits, type PullResult } from '../model/pull.js';
import {
  QUERIES,
  SIGNALS,
  type PullInput,
  type RootProgress,
  type ShardBlocked,
} from './messages.js';
import { ending, pullFailure, readOutcome } from './outcomes.js';
import { POLICIES } from './policies.js';
import { PullRun } from './pull-run.js';
import { watchDeadline, watchStandstill, type Verdict } from './watchdog.js';

const pauseSignal = defineSignal(SIGNALS.pause);
const resumeSignal = defineSignal(SIGNALS.resume);
const retryNowSignal = defineSignal(SIGNALS.retryNow);
const tuneSignal = defineSignal<[PullLimits]>(SIGNALS.tune);
const shardBlockedSignal = defineSignal<[ShardBlocked]>(SIGNALS.shardBlocked);
const progressQuery = defineQuery<RootProgress>(QUERIES.progress);
const openShardsQuery = defineQuery<readonly string[]>(QUERIES.openShards);

function listen(run: PullRun): void {
  setHandler(pauseSignal, () => run.pause());
  setHandler(resumeSignal, () => run.resume());
  setHandler(retryNowSignal, () => run.retryNow());
  setHandler(tuneSignal, (limits) => run.limits.change(limits));
  setHandler(shardBlockedSignal, (report) => run.shardBlocked(report));
  setHandler(progressQuery, () => ({ ...run.progress, openShards: run.openShards }));
  setHandler(openShardsQuery, () => run.openShards);
}

function check(input: PullInput): void {
  const { workflowId } = workflowInfo();
  if (input.request.protocol !== PROTOCOL) {
    throw ending(
      'WB_VERSION_SKEW',
      `the request speaks protocol ${input.request.protocol}, this worker ${PROTOCOL}`,
    );
  }
  if (input.pullId !== workflowId) {
    throw ending(
      'WB_USAGE',
      `this input belongs to the pull ${input.pullId}, not to ${workflowId}`,
    );
  }
}

/**
 * Gives the destination back, with a record of what is there; whether that works decides nothing any more. Answers the
 * result that the record tells of, if there is one.
 */
async function release(
  run: PullRun,
  transferQueue: string,
  end: PullEnd,
): Promise<PullResult | undefined> {
  const { ref } = run;
  if (ref === undefined) return undefined;
  const activities = proxyActivities<Activities>({ ...POLICIES.release, taskQueue: transferQueue });
  try {
    return await CancellationScope.nonCancellable(() => activities.release({ ref, end }));
  } catch {
    // The owner file names this run, and the next claim finds that it has ended.
    return undefined;
  }
}

const CANCELLED: PullEnd = { code: 'WB_CANCELLED', message: 'the pull was cancelled' };

/** What ended a pull that was not cancelled. */
function verdictOn(error: unknown): Verdict {
  const outcome = readOutcome(error);
  if (outcome.kind === 'failed') return { code: outcome.code, message: outcome.message };
  const message = outcome.kind === 'lost' ? outcome.message : 'cancelled from within';
  return { code: 'WB_UNEXPECTED', message };
}

/**
 * Brings a source to its destination. Resolves with the result of a pull that is well; one that ended otherwise
 * fails with the code as type and the result as details, so that Temporal shows it failed.
 */
export async function pull(input: PullInput): Promise<PullResult> {
  check(input);
  const { timeoutMs } = input.request;
  const course = new CancellationScope();
  const watching = new CancellationScope();
  let verdict: Verdict | undefined;
  const end = (found: Verdict): void => {
    verdict ??= found;
    course.cancel();
  };
  const state = new PullRun(input);
  listen(state);
  const limits = { patience: () => state.limits.giveUpAfterMs, tuning: state.tuning };
  const watch = (found: Promise<Verdict>): Promise<void> => found.then(end, () => undefined);
  void watching.run(() => watch(watchStandstill(state, limits)));
  if (timeoutMs !== undefined) void watching.run(() => watch(watchDeadline(timeoutMs)));
  let result: PullResult;
  try {
    result = await course.run(() => state.run());
  } catch (error) {
    const isCancelled = verdict === undefined && isCancellation(error);
    const end = isCancelled ? CANCELLED : (verdict ?? verdictOn(error));
    const left = await release(state, input.transferQueue, end);
    if (isCancelled) throw error;
    const { code, message } = end;
    throw pullFailure(left ?? resultWithout(code, message, state.destination, state.progress));
  } finally {
    watching.cancel();
  }
  if (!result.ok) throw pullFailure(result);
  return result;
}
