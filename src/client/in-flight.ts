/** What is being moved right now: the pending activities of a workflow, as Temporal's record of it tells them. */
import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import type { Beat } from '../model/beat.js';
import type { Concurrency, InFlight } from '../model/pull.js';
import { isUnsigned } from '../model/unsigned.js';
import { openPayload } from './trust.js';

/** Workers whose connections a status tells. */
const MAX_WORKERS = 8;

/** A pending activity, read. */
export interface PendingUnit {
  readonly activityId: string;
  readonly type: string;
  readonly isStarted: boolean;
  readonly worker: string;
  readonly attempt: number;
  readonly beat?: Pick<Beat, 'p' | 'n' | 'f' | 'F' | 'b' | 'B' | 'c' | 'd'>;
  readonly lastFailure?: string;
  /** Since when it waits for a worker, by Temporal's clock; only while it does. */
  readonly waitingSinceMs?: number;
}

type Pending = NonNullable<WorkflowExecutionDescription['raw']['pendingActivities']>[number];

/** `PENDING_ACTIVITY_STATE_STARTED` and `_SCHEDULED` of Temporal's API. */
const STARTED = 2;
const SCHEDULED = 1;

/** What Temporal's worker says, to begin with, of an attempt that it ends because it is shut down. */
const HANDED_BACK = 'Worker is shutting down';

function numberOf(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

function beatOf(payload: Payload | undefined): PendingUnit['beat'] {
  if (payload === undefined) return undefined;
  let value: unknown;
  try {
    value = defaultPayloadConverter.fromPayload(payload);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || isUnsigned(value)) return undefined;
  const fields: Record<string, unknown> = { ...value };
  return {
    p: typeof fields['p'] === 'string' ? fields['p'] : '',
    n: typeof fields['n'] === 'string' ? fields['n'] : '',
    f: numberOf(fields['f']),
    F: numberOf(fields['F']),
    b: numberOf(fields['b']),
    B: numberOf(fields['B']),
    ...(typeof fields['c'] === 'number' ? { c: numberOf(fields['c']) } : {}),
    d: decisionsOf(fields['d']),
  };
}

function decisionsOf(value: unknown): NonNullable<Beat['d']> {
  if (!Array.isArray(value)) return [];
  return value.flatMap((pair: unknown) => {
    const [time, text]: unknown[] = Array.isArray(pair) ? pair : [];
    return typeof time === 'string' && typeof text === 'string' ? [[time, text] as const] : [];
  });
}

function failureText(pending: Pending): string | undefined {
  const failure = pending.lastFailure;
  if (!failure) return undefined;
  const text = failure.message || failure.cause?.message || undefined;
  // A worker that hands its work back has not failed (rule 28).
  return text?.startsWith(HANDED_BACK) === true ? undefined : text;
}

function unitOf(client: Client, workflowId: string, pending: Pending): PendingUnit {
  const place = { workflowId, activityId: pending.activityId ?? '' };
  const beat = beatOf(openPayload(client, pending.heartbeatDetails?.payloads?.[0], place));
  const lastFailure = failureText(pending);
  const seconds = pending.scheduledTime?.seconds;
  const isWaiting = pending.state === SCHEDULED && seconds !== undefined && seconds !== null;
  return {
    activityId: pending.activityId ?? '',
    type: pending.activityType?.name ?? '',
    isStarted: pending.state === STARTED,
    worker: pending.lastWorkerIdentity ?? '',
    attempt: pending.attempt ?? 1,
    ...(beat === undefined ? {} : { beat }),
    ...(lastFailure === undefined ? {} : { lastFailure }),
    ...(isWaiting ? { waitingSinceMs: Number(seconds) * 1_000 } : {}),
  };
}

/** The pending activities of a described workflow. */
export function pendingUnits(
  client: Client,
  description: WorkflowExecutionDescription,
): PendingUnit[] {
  const { workflowId, raw } = description;
  return (raw.pendingActivities ?? []).map((pending) => unitOf(client, workflowId, pending));
}

/**
 * What the workers of these units say of their connections: each unit of a worker says the same, some a moment later. While
 * every unit waits for its next try, what they said last holds.
 */
export function concurrencyOf(units: readonly PendingUnit[]): Concurrency[] {
  const byWorker = new Map<string, Concurrency>();
  const isAnyStarted = units.some(({ isStarted, beat }) => isStarted && beat?.c !== undefined);
  for (const { worker, isStarted, beat } of units) {
    if (beat?.c === undefined || (isAnyStarted && !isStarted)) continue;
    const decisions = (beat.d ?? []).map(([time, text]) => ({ time, text }));
    const before = byWorker.get(worker)?.decisions[0]?.time ?? '';
    if (byWorker.has(worker) && (decisions[0]?.time ?? '') <= before) continue;
    byWorker.set(worker, { worker, connections: beat.c, decisions });
  }
  return [...byWorker.values()].slice(0, MAX_WORKERS);
}

/** The line of `status` for a pending activity; undefined for one that has nothing to tell yet. */
export function inFlightOf(unit: PendingUnit): InFlight | undefined {
  if (unit.beat === undefined && unit.lastFailure === undefined) return undefined;
  return {
    name: unit.beat?.n === undefined || unit.beat.n === '' ? unit.type : unit.beat.n,
    bytesDone: unit.beat?.b ?? 0,
    bytesTotal: unit.beat?.B ?? 0,
    attempt: unit.attempt,
    ...(unit.lastFailure === undefined ? {} : { lastFailure: unit.lastFailure }),
  };
}
