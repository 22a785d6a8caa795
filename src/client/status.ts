/** Puts the status of a pull together: the root's totals, the open shards, and the heartbeats of what is in flight. */
import type { Client } from '@temporalio/client';
import {
  NO_WORKER_ANSWERS,
  NO_WORKER_TAKES,
  type InFlight,
  type PullProgress,
  type PullStatus,
} from '../model/pull.js';
import { QUERIES } from '../workflows/messages.js';
import { resultOf } from './ended.js';
import { concurrencyOf, inFlightOf, type PendingUnit } from './in-flight.js';
import { ask, describe, lookAt } from './look.js';
import { emptyProgress, type Ratchet } from './ratchet.js';
import { reach } from './translate.js';
import { memoOf } from './trust.js';

/** An activity that waits longer than this for a worker, while none is running, is said. */
const WAITING_IS_SAID_AFTER_MS = 5_000;

/** Lines of what is in flight that a status carries. */
const MAX_IN_FLIGHT = 200;

/** Temporal's word for how a workflow is, as ours. */
export function stateOf(name: string): PullStatus['state'] {
  if (name === 'RUNNING' || name === 'CONTINUED_AS_NEW') return 'running';
  if (name === 'COMPLETED') return 'done';
  if (name === 'CANCELLED') return 'cancelled';
  if (name === 'FAILED' || name === 'TERMINATED' || name === 'TIMED_OUT') return 'failed';
  return 'unknown';
}

const FETCHES: readonly string[] = ['fetchFile', 'fetchPack'];

function addLive(progress: PullProgress, units: readonly PendingUnit[]): PullProgress {
  const fetching = units.filter((unit) => FETCHES.includes(unit.type));
  const sum = (value: (unit: PendingUnit) => number): number =>
    fetching.reduce((total, unit) => total + value(unit), 0);
  const live: PullProgress = {
    ...progress,
    bytesDone: progress.bytesDone + sum((unit) => unit.beat?.b ?? 0),
    filesDone: progress.filesDone + sum((unit) => unit.beat?.f ?? 0),
    retries: progress.retries + sum((unit) => unit.attempt - 1),
  };
  if (live.phase !== 'fetching') return live;
  const started = units.filter((unit) => unit.isStarted);
  const phases = started.map((unit) => unit.beat?.p);
  if (phases.length > 0 && phases.every((phase) => phase === 're-checking')) {
    return { ...live, phase: 're-checking' };
  }
  return live;
}

function isWaiting(units: readonly PendingUnit[]): boolean {
  const now = Date.now();
  return (
    !units.some((unit) => unit.isStarted) &&
    units.some(
      (unit) =>
        unit.attempt === 1 &&
        unit.waitingSinceMs !== undefined &&
        now - unit.waitingSinceMs > WAITING_IS_SAID_AFTER_MS,
    )
  );
}

/**
 * The status of the latest run of a pull, running or ended.
 * @throws WB_NOT_FOUND, WB_TEMPORAL_UNREACHABLE
 */
export async function readStatus(
  client: Client,
  ratchet: Ratchet,
  pullId: string,
): Promise<PullStatus> {
  const description = await reach('read the pull', () => describe(client, pullId));
  const memo = memoOf(client, description);
  const state = stateOf(description.status.name);
  const runId = description.runId;
  const known = ratchet.last(runId) ?? emptyProgress(description.startTime.toISOString());
  const base = { pullId, runId, state, source: memo.source, destination: memo.destination };
  if (state === 'running') {
    const look = await lookAt(client, description);
    const seen = look.progress ?? {
      ...known,
      phase: 'waiting for a worker' as const,
      reason: NO_WORKER_ANSWERS,
    };
    const live = look.progress === undefined ? seen : addLive(seen, look.units);
    const waiting: PullProgress = isWaiting(look.units)
      ? { ...live, phase: 'waiting for a worker', reason: NO_WORKER_TAKES }
      : live;
    const inFlight: InFlight[] = look.units
      .map(inFlightOf)
      .filter((line) => line !== undefined)
      .slice(0, MAX_IN_FLIGHT);
    const concurrency = concurrencyOf(look.units);
    return {
      ...base,
      progress: ratchet.raise(runId, waiting),
      inFlight,
      ...(concurrency.length === 0 ? {} : { concurrency }),
    };
  }
  const ended = client.workflow.getHandle(pullId, runId);
  // A cancelled pull leaves no result of its own; what it says of itself then counts.
  const last =
    state === 'cancelled' ? await ask<PullProgress>(client, pullId, QUERIES.progress) : undefined;
  const result = await resultOf(ended, memo.destination, last ?? known);
  const progress: PullProgress = ratchet.end(runId, {
    ...(last ?? known),
    phase: 'done',
    isPlanComplete: result.ok || known.isPlanComplete,
    filesPlanned: Math.max(known.filesPlanned, result.files + result.filesFailed),
    bytesPlanned: Math.max(known.bytesPlanned, result.bytes),
    filesDone: Math.max(last?.filesDone ?? 0, result.files),
    bytesDone: Math.max(last?.bytesDone ?? 0, result.bytes),
    filesKept: result.filesKept,
    filesFailed: result.filesFailed,
    failures: result.failures,
  });
  return { ...base, progress, inFlight: [], result };
}
