/** Starts a pull, or joins the equal one that runs already. */
import { WorkflowExecutionAlreadyStartedError, type Client } from '@temporalio/client';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { redactUri } from '../model/artifact-uri.js';
import { cutSummary, cutText } from '../model/caps.js';
import { WaybillError } from '../model/errors.js';
import type { PullLimits, PullProgress, PullRequest } from '../model/pull.js';
import {
  PULL_WORKFLOW,
  QUERIES,
  SIGNALS,
  type PullInput,
  type PullMemo,
} from '../workflows/messages.js';
import {
  pullIdInside,
  pullIdOf,
  requestFingerprint,
  workFingerprint,
  type Place,
} from './identity.js';
import { pollersOf } from './pollers.js';
import { memoOf, queryTrusted, isOwn, isSigning, signalWord } from './trust.js';
import { SUPERSEDED } from './superseded.js';
import { reach, translate } from './translate.js';
import type { StartOptions, StartedPull } from './types.js';

/** A request larger than this does not belong into Temporal's history (its limit is 2 MiB). */
const MAX_REQUEST_BYTES = 512 * 1024;

/** A workflow task that a killed worker held is given to another after this (the server's default is 10 s). */
const WORKFLOW_TASK_TIMEOUT = '5s';

/** How long a superseded pull may take to let go of its destination. */
const SUPERSEDE_MS = 30_000;

/** How long a running pull may take to say what it is doing, when a request meets it. */
const ANSWER_MS = 15_000;

/** The task queues of a prefix. */
export function queuesOf(
  prefix: string,
  site: string | undefined,
): { workflows: string; transfer: string } {
  const transfer = `${prefix}-transfer`;
  return { workflows: prefix, transfer: site === undefined ? transfer : `${transfer}.${site}` };
}

function detailsOf(request: PullRequest): string {
  const lines = [
    `**Source** ${redactUri(request.source.uri)}`,
    `**Destination** ${request.destination.path}`,
    `**Files already there** ${request.ifExists}; **required level** ${request.requireLevel}`,
  ];
  if (request.source.connection !== undefined) {
    lines.push(`**Connection** ${request.source.connection}`);
  }
  const { include, exclude, files } = request.filters;
  if (include.length > 0) lines.push(`**Only** ${include.join(' ')}`);
  if (exclude.length > 0) lines.push(`**Without** ${exclude.join(' ')}`);
  if (files !== undefined) lines.push(`**Listed files** ${files.length}`);
  return cutText(lines.join('\n\n'), 4_000);
}

/** What runs under a workflow id. */
interface Running {
  readonly pullId: string;
  readonly runId: string;
  readonly memo: PullMemo;
}

async function runningUnder(client: Client, pullId: string): Promise<Running | undefined> {
  try {
    const found = await client.workflow.getHandle(pullId).describe();
    if (found.status.name !== 'RUNNING') return undefined;
    if (isOwn(client, found)) return { pullId, runId: found.runId, memo: memoOf(client, found) };
    // Nobody of this state folder started it: it can do nothing but stand in the way (rule 1).
    await client.workflow.getHandle(pullId, found.runId).terminate('it was not signed by Waybill');
    return undefined;
  } catch (error) {
    const known = translate(error, 'look for a running pull');
    if (known.code === 'WB_NOT_FOUND') return undefined;
    throw known;
  }
}

/** A worker that was just started answers its first question after some seconds. */
async function phaseOf(client: Client, pullId: string): Promise<PullProgress['phase'] | undefined> {
  const until = performance.now() + ANSWER_MS;
  do {
    try {
      const progress = await client.withDeadline(Date.now() + 3_000, () =>
        queryTrusted<PullProgress>(client.workflow.getHandle(pullId), QUERIES.progress),
      );
      return progress.phase;
    } catch {
      await sleep(200);
    }
  } while (performance.now() < until);
  return undefined;
}

/** Whoever watches the run that is ended is told why. */
async function cancelForNext(client: Client, { pullId, runId }: Running): Promise<void> {
  const { namespace, identity } = client.options;
  await client.workflowService.requestCancelWorkflowExecution({
    namespace,
    identity,
    requestId: randomUUID(),
    workflowExecution: { workflowId: pullId, runId },
    reason: SUPERSEDED,
  });
}

/** Ends a pull that stands still, so that the same source can go on with other options or credentials. */
async function supersede(client: Client, running: Running): Promise<void> {
  if (!(await stillOpen('end the paused pull', () => cancelForNext(client, running)))) return;
  const until = performance.now() + SUPERSEDE_MS;
  while ((await runningUnder(client, running.pullId))?.runId === running.runId) {
    if (performance.now() > until) {
      throw new WaybillError(
        'WB_DESTINATION_OWNED',
        `the stopped pull ${running.pullId} does not let go; try again, or run: waybill cancel ${running.pullId}`,
      );
    }
    await sleep(200);
  }
}

/** Says something to a run that was open a moment ago; false if it has ended meanwhile. */
async function stillOpen(doing: string, say: () => Promise<unknown>): Promise<boolean> {
  try {
    await reach(doing, say);
    return true;
  } catch (error) {
    if (error instanceof WaybillError && error.code === 'WB_NOT_FOUND') return false;
    throw error;
  }
}

/** The limits of a request, with what it does not limit: the connections alone cannot be given back to Waybill's choice. */
function limitsOf(request: PullRequest): PullLimits {
  const { concurrency, maxBytesPerSecond, maxRequestsPerSecond, giveUpAfterMs } = request;
  return {
    ...(concurrency === undefined ? {} : { concurrency }),
    maxBytesPerSecond: maxBytesPerSecond ?? null,
    maxRequestsPerSecond: maxRequestsPerSecond ?? null,
    giveUpAfterMs: giveUpAfterMs ?? null,
  };
}

/** Goes on with a pull of the same work, at the pace that is asked for now; undefined: it has ended meanwhile. */
async function join(
  client: Client,
  { pullId, runId, memo }: Running,
  request: PullRequest,
): Promise<StartedPull | undefined> {
  const wasPaused = (await phaseOf(client, pullId)) === 'paused';
  const handle = client.workflow.getHandle(pullId, runId);
  const tell = (name: string, ...args: readonly unknown[]): Promise<boolean> =>
    stillOpen('go on with the pull', async () =>
      handle.signal(name, ...args, ...(await signalWord(client, handle, runId))),
    );
  const hasOtherLimits = memo.requestFingerprint !== requestFingerprint(request);
  const limits = limitsOf(request);
  if (hasOtherLimits && !(await tell(SIGNALS.tune, limits))) return undefined;
  if (!(await tell(SIGNALS.resume))) return undefined;
  const tuned = hasOtherLimits ? { tuned: limits } : {};
  return { pullId, runId, joined: true, wasPaused, ...tuned };
}

/** What can be done about a pull that is in the way, to be typed. */
function choices(
  pullId: string,
  phase: PullProgress['phase'] | undefined,
  isSameSource: boolean,
): string {
  const then = isSameSource ? '' : ', then pull with --replace-source';
  const leave = `give it up: waybill cancel ${pullId}${then}`;
  if (phase === 'paused')
    return `it is paused; go on with it: waybill resume ${pullId}, or ${leave}`;
  if (phase === 'blocked') return `it is blocked; see why: waybill status ${pullId}, or ${leave}`;
  return `wait for it: waybill watch ${pullId}, or ${leave}`;
}

/** Joins a pull of the same work, ends a standing one of the same source, refuses any other; undefined: nothing runs any more. */
async function meet(
  client: Client,
  running: Running,
  request: PullRequest,
): Promise<StartedPull | undefined> {
  const { pullId, memo } = running;
  const isEqual = memo.requestFingerprint === requestFingerprint(request);
  if (isEqual || memo.workFingerprint === workFingerprint(request)) {
    return join(client, running, request);
  }
  const isSameSource = memo.source === cutText(redactUri(request.source.uri), 500);
  const phase = await phaseOf(client, pullId);
  if (isSameSource && (phase === 'paused' || phase === 'blocked')) {
    await supersede(client, running);
    return undefined;
  }
  const what = isSameSource ? 'the same source with other options' : memo.source;
  const { path } = request.destination;
  throw new WaybillError(
    'WB_DESTINATION_OWNED',
    `${path} belongs to the pull ${pullId} (${what}); ${choices(pullId, phase, isSameSource)}`,
    { operation: 'start' },
  );
}

/** On a cluster units wait at the task queue, so that every worker always finds the next one there. */
const CLUSTER_WINDOW = 48;
const UNITS_A_WORKER = 12;
const WIDEST_WINDOW = 192;

/** The numbers of a pull: the workflow's own for the local service, whose one worker has no other to share with. */
async function tuningOf(
  client: Client,
  queue: string,
  options: StartOptions,
): Promise<Pick<PullInput, 'tuning'>> {
  if (isSigning(client)) return options.tuning === undefined ? {} : { tuning: options.tuning };
  const workers = (await pollersOf(client, queue)).length;
  const window = Math.min(WIDEST_WINDOW, Math.max(CLUSTER_WINDOW, UNITS_A_WORKER * workers));
  // Two, so that one fills the queue while the other drains.
  return { tuning: { window, openShards: 2, ...options.tuning } };
}

async function startNew(
  client: Client,
  pullId: string,
  request: PullRequest,
  queues: { workflows: string; transfer: string },
  options: StartOptions,
  conflict: 'FAIL' | 'TERMINATE_EXISTING' = 'FAIL',
): Promise<StartedPull> {
  const source = cutText(redactUri(request.source.uri), 500);
  const input: PullInput = {
    pullId,
    request,
    transferQueue: queues.transfer,
    ...(isSigning(client) ? { isSigned: true } : {}),
    ...(await tuningOf(client, queues.transfer, options)),
  };
  const memo: PullMemo = {
    source,
    destination: cutText(request.destination.path, 1_000),
    requestFingerprint: requestFingerprint(request),
    workFingerprint: workFingerprint(request),
  };
  const handle = await client.workflow.start(PULL_WORKFLOW, {
    workflowId: pullId,
    taskQueue: queues.workflows,
    args: [input],
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    workflowIdConflictPolicy: conflict,
    workflowTaskTimeout: WORKFLOW_TASK_TIMEOUT,
    // Shards and units inherit it: a server that knows fairness gives every pull its turn.
    priority: { fairnessKey: pullId },
    memo: { ...memo },
    staticSummary: cutSummary(`${source} → ${request.destination.path}`),
    staticDetails: detailsOf(request),
  });
  return { pullId, runId: handle.firstExecutionRunId, joined: false, wasPaused: false };
}

/**
 * Starts a pull under the id of its destination.
 * @throws WB_DESTINATION_OWNED where another request runs for it, WB_USAGE for a request over 512 KiB
 */
export async function startPull(
  client: Client,
  prefix: string,
  request: PullRequest,
  options: StartOptions,
): Promise<StartedPull> {
  if (Buffer.byteLength(JSON.stringify(request)) > MAX_REQUEST_BYTES) {
    throw new WaybillError(
      'WB_USAGE',
      'the list of files is too long; use --include with a pattern',
    );
  }
  const place: Place = { site: options.site ?? '', path: request.destination.path };
  const whole = pullIdOf(place);
  const pullId = request.destination.isFolder ? pullIdInside(place, request.source.uri) : whole;
  const queues = queuesOf(prefix, options.site);
  for (let round = 0; ; round += 1) {
    // A pull that created the folder which this one finds has the id of the whole destination. Whether one runs under its own
    // id it hears when it starts.
    const seen = round === 0 ? [whole].filter((id) => id !== pullId) : new Set([whole, pullId]);
    for (const id of seen) {
      const running = await runningUnder(client, id);
      const joined = running === undefined ? undefined : await meet(client, running, request);
      if (joined !== undefined) return joined;
    }
    try {
      return await startNew(client, pullId, request, queues, options);
    } catch (error) {
      const isRace = error instanceof WorkflowExecutionAlreadyStartedError;
      if (!isRace || round >= 5) throw translate(error, 'start the pull');
    }
  }
}

/** Starts a pull under its id, in the place of a run that is open there; false if that run has been replaced or has ended meanwhile. */
export async function replacePull(
  client: Client,
  prefix: string,
  { pullId, runId }: { readonly pullId: string; readonly runId: string },
  request: PullRequest,
  options: StartOptions,
): Promise<boolean> {
  // The service and the command look at the same moment: who comes second leaves the new run alone.
  if ((await runningUnder(client, pullId))?.runId !== runId) return false;
  const queues = queuesOf(prefix, options.site);
  await reach('start the pull again', () =>
    startNew(client, pullId, request, queues, options, 'TERMINATE_EXISTING'),
  );
  return true;
}
