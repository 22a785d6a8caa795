/** Becoming the only service of a state folder (rule 8). */
import { setTimeout as sleep } from 'node:timers/promises';
import { WaybillError } from '../model/errors.js';
import { connectControl } from './control-client.js';
import {
  endProcess,
  identifyProcess,
  isRunning,
  type ProcessIdentity,
} from './process-identity.js';
import { serviceFiles } from './service-files.js';
import { readServiceRecord } from './service-record.js';
import { lockHolder, tryStartLock, type StartLock } from './start-lock.js';

/** A holder that has not answered for so long hangs: a stopping one needs less. */
const HUNG_AFTER_MS = 30_000;
const POLL_MS = 25;
const WORKER_GRACE_MS = 2_000;
const TEMPORAL_GRACE_MS = 5_000;
const SERVICE_GRACE_MS = 25_000;
/** It did not hear a question; it is not likely to hear that it should end. */
const SILENT_GRACE_MS = 1_000;

/** The lock and what the one before left; or nothing, when another service answers. */
export type TakeOver =
  { readonly lock: StartLock; readonly previousIdentity: string | undefined } | undefined;

/**
 * Takes the start lock, then ends what an earlier service left running: exactly the recorded processes.
 * @returns undefined when a living service answers: there is nothing to start
 * @throws WaybillError WB_TEMPORAL_UNREACHABLE when an earlier process cannot be ended
 */
export async function takeOver(
  stateDir: string,
  onProgress: (line: string) => void,
): Promise<TakeOver> {
  const lock = await waitForLock(stateDir, ownIdentity(), onProgress);
  if (lock === undefined) return undefined;
  const record = readServiceRecord(serviceFiles(stateDir).record);
  try {
    await endRecorded(record?.service, SERVICE_GRACE_MS, 'service', onProgress);
    await endRecorded(record?.worker, WORKER_GRACE_MS, 'worker', onProgress);
    await endRecorded(record?.temporal, TEMPORAL_GRACE_MS, 'Temporal', onProgress);
  } catch (error) {
    lock.release();
    throw error;
  }
  return { lock, previousIdentity: record?.worker?.identity ?? record?.previousIdentity };
}

/**
 * Ends what a killed service left running, and starts nothing: for `down`.
 * @returns whether there was anything to end; false too when a living service answers
 * @throws WaybillError WB_TEMPORAL_UNREACHABLE when a process cannot be ended
 */
export async function endOrphans(stateDir: string): Promise<boolean> {
  const { folder, record } = serviceFiles(stateDir);
  const left = readServiceRecord(record);
  const isLeft = [left?.service, left?.worker, left?.temporal, lockHolder(folder)].some(
    (process) => process !== undefined && isRunning(process),
  );
  if (!isLeft) return false;
  const taken = await takeOver(stateDir, () => undefined);
  taken?.lock.release();
  return taken !== undefined;
}

/**
 * Ends a service that holds the lock and answers nobody, and what it started: for `down --force`.
 * @throws WaybillError WB_TEMPORAL_UNREACHABLE when a process cannot be ended
 */
export async function endSilent(stateDir: string): Promise<void> {
  const holder = lockHolder(serviceFiles(stateDir).folder);
  if (holder !== undefined) await endProcess(holder, SILENT_GRACE_MS);
  await endOrphans(stateDir);
}

/** This process. */
export function ownIdentity(): ProcessIdentity {
  const own = identifyProcess(process.pid);
  if (own !== undefined) return own;
  throw new WaybillError(
    'WB_UNSUPPORTED',
    'This system does not tell when a process was started (no /proc, no ps): the local service cannot ' +
      'run here. Use a Temporal cluster with TEMPORAL_ADDRESS.',
    { operation: 'start service' },
  );
}

async function waitForLock(
  stateDir: string,
  own: ProcessIdentity,
  onProgress: (line: string) => void,
): Promise<StartLock | undefined> {
  let waitingFor: number | undefined;
  let deadlineMs = 0;
  const { folder, controlSocket } = serviceFiles(stateDir);
  for (;;) {
    const attempt = tryStartLock(folder, own);
    if (attempt.lock !== undefined) return attempt.lock;
    const { holder } = attempt;
    if (await answers(controlSocket)) return undefined;
    if (holder.pid !== waitingFor) {
      waitingFor = holder.pid;
      deadlineMs = performance.now() + HUNG_AFTER_MS;
    } else if (performance.now() >= deadlineMs) {
      onProgress(`the service ${holder.pid} does not answer; ending it`);
      await endProcess(holder, SERVICE_GRACE_MS);
    }
    await sleep(POLL_MS);
  }
}

async function answers(controlSocket: string): Promise<boolean> {
  try {
    const client = await connectControl(controlSocket, { timeoutMs: 2_000 });
    try {
      return !(await client.meet({ fresh: false })).isStopping;
    } finally {
      client.close();
    }
  } catch (error) {
    // A service of another version answers too; the command sorts that out.
    return error instanceof WaybillError && error.code === 'WB_VERSION_SKEW';
  }
}

async function endRecorded(
  recorded: ProcessIdentity | undefined,
  graceMs: number,
  name: string,
  onProgress: (line: string) => void,
): Promise<void> {
  if (recorded === undefined || recorded.pid === process.pid || !isRunning(recorded)) return;
  onProgress(`ending the ${name} ${recorded.pid} of an earlier service`);
  await endProcess(recorded, graceMs);
}
