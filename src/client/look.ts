/**
 * One look at a pull that runs: its root is asked once, and everything else stands in Temporal's own records, which are quick
 * and need no worker.
 */
import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import { MAX_SHOWN_FAILURES } from '../model/caps.js';
import { WaybillError } from '../model/errors.js';
import type { PullProgress } from '../model/pull.js';
import {
  QUERIES,
  type RootProgress,
  type ShardMemo,
  type UnitTotals,
} from '../workflows/messages.js';
import { pendingUnits, type PendingUnit } from './in-flight.js';
import { queryTrusted } from './trust.js';

/** A query that no worker answers within this is left out of this look. */
const QUERY_DEADLINE_MS = 2_500;

/** A Temporal that does not answer for so long is said not to be reached. */
const DESCRIBE_DEADLINE_MS = 3_000;

/** What the root and its open shards say. */
export interface Look {
  /** Undefined: no worker answered for the root. */
  readonly progress: PullProgress | undefined;
  readonly units: readonly PendingUnit[];
}

/** Asks a workflow; undefined where no worker answers. */
export async function ask<T>(
  client: Client,
  workflowId: string,
  query: string,
): Promise<T | undefined> {
  try {
    return await client.withDeadline(Date.now() + QUERY_DEADLINE_MS, () =>
      queryTrusted<T>(client.workflow.getHandle(workflowId), query),
    );
  } catch (error) {
    if (error instanceof WaybillError) throw error;
    // No worker, or a shard that ended meanwhile: the look goes on without it, and the ratchet bridges the gap.
    return undefined;
  }
}

/** Within a deadline: the connection itself would silently try for ten seconds. */
export function describe(
  client: Client,
  workflowId: string,
): Promise<WorkflowExecutionDescription> {
  return client.withDeadline(Date.now() + DESCRIBE_DEADLINE_MS, () =>
    client.workflow.getHandle(workflowId).describe(),
  );
}

async function describeQuietly(
  client: Client,
  workflowId: string,
): Promise<WorkflowExecutionDescription | undefined> {
  try {
    return await describe(client, workflowId);
  } catch {
    return undefined;
  }
}

/** Looks at the pull of a root that was described a moment ago. */
export async function lookAt(client: Client, root: WorkflowExecutionDescription): Promise<Look> {
  const { workflowId } = root;
  // The question before the descriptions: a unit that ends in between is missed once instead of counted twice.
  const answer = await ask<RootProgress>(client, workflowId, QUERIES.progress);
  const shardIds = await shardsOf(client, root, answer);
  const [foundRoot, ...found] = await Promise.all(
    [workflowId, ...shardIds].map((id) => describeQuietly(client, id)),
  );
  const units = [foundRoot, ...found].flatMap((one) =>
    one === undefined ? [] : pendingUnits(client, one),
  );
  if (answer === undefined) return { progress: undefined, units };
  const { openShards: _counted, ...progress } = answer;
  const totals = await Promise.all(
    shardIds.map((id, index) => totalsOf(client, id, found[index]?.memo)),
  );
  return {
    progress: totals.filter((one) => one !== undefined).reduce(addTotals, progress),
    units,
  };
}

/** The shards whose work the root's answer does not count. */
async function shardsOf(
  client: Client,
  { workflowId, raw }: WorkflowExecutionDescription,
  answer: RootProgress | undefined,
): Promise<readonly string[]> {
  if (answer === undefined)
    return (raw.pendingChildren ?? []).flatMap((one) => one.workflowId ?? []);
  if (answer.openShards !== undefined) return answer.openShards;
  return (await ask<string[]>(client, workflowId, QUERIES.openShards)) ?? [];
}

/** From its memo; a shard of an older worker is asked. */
async function totalsOf(
  client: Client,
  shardId: string,
  memo: Record<string, unknown> | undefined,
): Promise<UnitTotals | undefined> {
  const kept = fromMemo(memo);
  return kept ?? ask<UnitTotals>(client, shardId, QUERIES.shardTotals);
}

const COUNTS = ['filesDone', 'bytesDone', 'bytesFetched', 'filesFailed', 'retries'] as const;

/** Undefined where it is not there, or not signed as it should be. */
function fromMemo(memo: Record<string, unknown> | undefined): UnitTotals | undefined {
  const { totals, failures } = (memo ?? {}) as Partial<ShardMemo>;
  const isWhole = COUNTS.every((name) => Number.isFinite(totals?.[name]));
  if (totals === undefined || !isWhole) return undefined;
  return { ...totals, failures: Array.isArray(failures) ? failures : [] };
}

function addTotals(progress: PullProgress, totals: UnitTotals): PullProgress {
  return {
    ...progress,
    filesDone: progress.filesDone + totals.filesDone,
    bytesDone: progress.bytesDone + totals.bytesDone,
    filesFailed: progress.filesFailed + totals.filesFailed,
    failures: [...progress.failures, ...totals.failures].slice(0, MAX_SHOWN_FAILURES),
    retries: progress.retries + totals.retries,
  };
}
