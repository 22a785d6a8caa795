/** Finds pulls among those that Temporal still knows. */
import type { Client, WorkflowExecutionInfo } from '@temporalio/client';
import { isAbsolute } from 'node:path';
import { WaybillError } from '../model/errors.js';
import { PULL_WORKFLOW } from '../workflows/messages.js';
import { stateOf } from './status.js';
import { reach, translate } from './translate.js';
import { isOwn, memoOf } from './trust.js';
import type { ListOptions, PullSummary } from './types.js';

/** Runs that a search looks through, latest first. */
const MAX_RUNS = 1_000;

function summaryOf(client: Client, info: WorkflowExecutionInfo): PullSummary {
  const { source, destination } = memoOf(client, info);
  return {
    pullId: info.workflowId,
    runId: info.runId,
    state: stateOf(info.status.name),
    source,
    destination,
    startedAt: info.startTime.toISOString(),
    ...(info.closeTime === undefined ? {} : { endedAt: info.closeTime.toISOString() }),
  };
}

/** The runs of all pulls, latest first. */
export async function listPulls(client: Client, options: ListOptions = {}): Promise<PullSummary[]> {
  const found: PullSummary[] = [];
  const seen = new Set<string>();
  const running = options.onlyRunning === true ? ` AND ExecutionStatus = 'Running'` : '';
  const query = `WorkflowType = '${PULL_WORKFLOW}'${running}`;
  await reach('list the pulls', async () => {
    for await (const info of client.workflow.list({ query })) {
      if (!isOwn(client, info)) continue;
      if (options.onlyLatest === true && seen.has(info.workflowId)) continue;
      seen.add(info.workflowId);
      found.push(summaryOf(client, info));
      if (found.length >= (options.limit ?? MAX_RUNS)) return;
    }
  });
  return found.sort((a, b) => Date.parse(b.startedAt) - Date.parse(a.startedAt));
}

/**
 * The pull that a person means: an id, a unique prefix of one, the absolute path of a destination, or nothing for
 * the latest.
 * @throws WB_NOT_FOUND, or WB_USAGE where a prefix fits several
 */
export async function findPull(client: Client, wanted?: string): Promise<PullSummary> {
  const pulls = await listPulls(client, { onlyLatest: true });
  const fits = (pull: PullSummary): boolean => {
    if (wanted === undefined) return true;
    return isAbsolute(wanted)
      ? pull.destination === wanted.replace(/(.)\/+$/, '$1')
      : pull.pullId.startsWith(wanted);
  };
  const found = pulls.filter(fits);
  const exact = found.find((pull) => pull.pullId === wanted);
  const [first] = found;
  if (exact) return exact;
  if (first === undefined) {
    throw wanted === undefined
      ? unknownPull('there is no pull yet', 'Start one: waybill pull SOURCE DESTINATION')
      : unknownPull(`no pull fits ${wanted}`, 'See them all: waybill pulls');
  }
  if (wanted !== undefined && !isAbsolute(wanted) && found.length > 1) {
    const ids = found.slice(0, 5).map((pull) => pull.pullId);
    throw new WaybillError('WB_USAGE', `${wanted} fits several pulls: ${ids.join(', ')}`);
  }
  return first;
}

function unknownPull(message: string, advice: string): WaybillError {
  return new WaybillError('WB_NOT_FOUND', message, { scope: 'request', advice });
}

/** Whether a run, without `runId` the latest one, is open. One that Temporal does not know is not. */
export async function isRunOpen(client: Client, pullId: string, runId?: string): Promise<boolean> {
  try {
    const { status } = await client.workflow.getHandle(pullId, runId).describe();
    return status.name === 'RUNNING';
  } catch (error) {
    const known = translate(error, 'ask whether the pull runs');
    if (known.code === 'WB_NOT_FOUND') return false;
    throw known;
  }
}
