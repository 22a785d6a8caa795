/**
 * Pulls that this version of the workflow cannot go on with: the replay of their history differs, and Temporal would
 * try the same workflow task for ever (rule 5).
 */
import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import type { Payload } from '@temporalio/common';
import { isUnsigned } from '../model/unsigned.js';
import type { PullRequest } from '../model/pull.js';
import type { PullInput } from '../workflows/messages.js';
import { reach, translate } from './translate.js';

/** A first failure may be a deploy that is half done; by the third attempt several seconds have passed. */
const ATTEMPTS = 3;

/** Events behind the last one in which the failure is looked for: what comes meanwhile is buffered behind it. */
const LAST_EVENTS = 20;

/** `WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR` of Temporal's API. */
const NON_DETERMINISTIC = 24;

/** What is open of a pull that is stuck: the root's run, and its shards. */
export interface StuckPull {
  readonly runId: string;
  readonly request: PullRequest;
  readonly shardIds: readonly string[];
}

/** The pull, if its root or one of its shards is stuck; undefined where it goes on, has ended, or is not known. */
export async function findStuck(client: Client, pullId: string): Promise<StuckPull | undefined> {
  const root = await describeOpen(client, pullId);
  if (root === undefined) return undefined;
  const shardIds = (root.raw.pendingChildren ?? []).flatMap(({ workflowId }) => workflowId ?? []);
  const shards = await Promise.all(shardIds.map((id) => describeOpen(client, id)));
  const open = [root, ...shards.filter((shard) => shard !== undefined)];
  const found = await Promise.all(open.map((one) => isStuck(client, one)));
  if (!found.includes(true)) return undefined;
  const request = await requestOf(client, root);
  return request && { runId: root.runId, request, shardIds };
}

async function describeOpen(
  client: Client,
  workflowId: string,
): Promise<WorkflowExecutionDescription | undefined> {
  try {
    const found = await client.workflow.getHandle(workflowId).describe();
    return found.status.name === 'RUNNING' ? found : undefined;
  } catch (error) {
    const known = translate(error, 'look at the pull');
    if (known.code === 'WB_NOT_FOUND') return undefined;
    throw known;
  }
}

async function isStuck(client: Client, found: WorkflowExecutionDescription): Promise<boolean> {
  if ((found.raw.pendingWorkflowTask?.attempt ?? 0) < ATTEMPTS) return false;
  const { history } = await reach('read the history', () =>
    client.workflowService.getWorkflowExecutionHistoryReverse({
      namespace: client.options.namespace,
      execution: { workflowId: found.workflowId, runId: found.runId },
      maximumPageSize: LAST_EVENTS,
    }),
  );
  const causes = (history?.events ?? []).map(
    ({ workflowTaskFailedEventAttributes: failed }) => failed?.cause,
  );
  return causes.find((cause) => cause !== undefined && cause !== null) === NON_DETERMINISTIC;
}

/** The request, from the first event of the history. */
async function requestOf(
  client: Client,
  { workflowId, runId }: WorkflowExecutionDescription,
): Promise<PullRequest | undefined> {
  const { history } = await reach('read the history', () =>
    client.workflowService.getWorkflowExecutionHistory({
      namespace: client.options.namespace,
      execution: { workflowId, runId },
      maximumPageSize: 1,
    }),
  );
  const payloads = history?.events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads;
  const { payloadCodecs, payloadConverter } = client.options.loadedDataConverter;
  let decoded: Payload[] = payloads ?? [];
  const context = { type: 'workflow', namespace: client.options.namespace, workflowId } as const;
  for (const codec of payloadCodecs) decoded = await codec.decode(decoded, context);
  const [payload] = decoded;
  const input = payload && payloadConverter.fromPayload<PullInput>(payload);
  // One that somebody else started is nothing to be started again.
  return input === undefined || isUnsigned(input) ? undefined : input.request;
}

/** Ends a shard of a pull that was replaced: it would hold the id of a shard of the new run. */
export async function endStuckShard(client: Client, shardId: string): Promise<void> {
  try {
    await client.workflow.getHandle(shardId).terminate('its pull was started again');
  } catch (error) {
    const known = translate(error, 'end a part of the old run');
    if (known.code !== 'WB_NOT_FOUND') throw known;
  }
}
