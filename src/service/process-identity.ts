/** Which process is meant, beyond its reusable number (rule 8): proof before anything is ended or replaced. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { WaybillError } from '../model/errors.js';
import { isErrno } from './errno.js';

export const processIdentitySchema = z.strictObject({
  pid: z.number().int().positive(),
  /** Linux: clock ticks since boot, from /proc/<pid>/stat; elsewhere what `ps` prints. */
  startTime: z.string().min(1),
  /** Changes with every boot of the host. */
  bootId: z.string().min(1),
});

/** A process that cannot be mistaken for a later one with the same number. */
export type ProcessIdentity = z.infer<typeof processIdentitySchema>;

const KILL_WAIT_MS = 5_000;
const POLL_MS = 20;

/** The identity of a running process; undefined when there is none, or it is only waiting to be reaped. */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  const startTime = process.platform === 'linux' ? linuxStartTime(pid) : psStartTime(pid);
  return startTime === undefined ? undefined : { pid, startTime, bootId: readBootId() };
}

/** Whether exactly this process still runs. */
export function isRunning(identity: ProcessIdentity): boolean {
  const found = identifyProcess(identity.pid);
  return found?.startTime === identity.startTime && found.bootId === identity.bootId;
}

/** Whether a process has this number now, be it another by then; for what was never recorded with more. */
export function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return isErrno(error, 'EPERM');
  }
}

/** Whether a signal (SIGSTOP, a Ctrl-Z) made a process stand still: it cannot answer, and goes on with SIGCONT. */
export function isStopped(pid: number): boolean {
  const state =
    process.platform === 'linux'
      ? linuxStat(pid)?.[0]
      : runQuietly('ps', ['-o', 'state=', '-p', String(pid)]);
  return state?.startsWith('T') === true;
}

/**
 * Ends exactly this process: SIGTERM, then SIGKILL after the grace time. A process with the same number that
 * is another one is left alone, and counts as ended.
 * @throws WaybillError WB_TEMPORAL_UNREACHABLE when it cannot be ended: not ours, or stuck in the kernel
 */
export async function endProcess(identity: ProcessIdentity, graceMs: number): Promise<void> {
  for (const [signal, waitMs] of [
    ['SIGTERM', graceMs],
    ['SIGKILL', KILL_WAIT_MS],
  ] as const) {
    if (!isRunning(identity)) return;
    sendSignal(identity.pid, signal);
    if (await isGoneWithin(identity, waitMs)) return;
  }
  throw new WaybillError(
    'WB_TEMPORAL_UNREACHABLE',
    `Process ${identity.pid} belongs to an earlier Waybill service and cannot be ended. ` +
      `End it by hand (kill -9 ${identity.pid}), then run the same command.`,
    { operation: 'end process' },
  );
}

/** Waits until exactly this process is gone; false when it still runs after `waitMs`. */
export async function isGoneWithin(identity: ProcessIdentity, waitMs: number): Promise<boolean> {
  const deadlineMs = performance.now() + waitMs;
  while (isRunning(identity)) {
    if (performance.now() >= deadlineMs) return false;
    await sleep(POLL_MS);
  }
  return true;
}

/** Sends a signal; a process that is gone or not ours is left to the caller's next look. */
function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone in between, or not permitted: isRunning tells the two apart.
  }
}

function linuxStartTime(pid: number): string | undefined {
  const fields = linuxStat(pid);
  if (fields === undefined) return undefined;
  const [state] = fields;
  // proc(5): field 22 is the start time; the slice begins with field 3.
  return state === 'Z' || state === 'X' ? undefined : fields[19];
}

/** The fields of /proc/PID/stat from the third, the state, on. */
function linuxStat(pid: number): string[] | undefined {
  const text = readText(`/proc/${pid}/stat`);
  // The second field is the name in parentheses and may hold spaces and parentheses itself.
  return text?.slice(text.lastIndexOf(')') + 2).split(' ');
}

function psStartTime(pid: number): string | undefined {
  const line = runQuietly('ps', ['-o', 'state=,lstart=', '-p', String(pid)]);
  if (line === undefined || line.startsWith('Z')) return undefined;
  return line.replace(/^\S+\s+/u, '') || undefined;
}

function readBootId(): string {
  if (process.platform === 'linux') {
    return readText('/proc/sys/kernel/random/boot_id')?.trim() ?? 'unknown';
  }
  return runQuietly('sysctl', ['-n', 'kern.boottime']) ?? 'unknown';
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function runQuietly(command: string, args: readonly string[]): string | undefined {
  try {
    const output = execFileSync(command, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    return output.toString('utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}
