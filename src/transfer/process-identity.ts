/** Which process this is, so that another can tell later whether it still lives. */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { WriterIdentity } from './journal.js';

/** Clock ticks since boot at which a process started (field 22 of /proc/PID/stat, proc(5)); undefined: no such process. */
export function startTicksOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the name in parentheses and may hold spaces and parentheses itself.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return 'unknown';
  }
}

/** The identity of this process. */
export function thisProcess(): WriterIdentity {
  return {
    host: hostname(),
    bootId: bootId(),
    pid: process.pid,
    startTicks: startTicksOf(process.pid) ?? String(Math.round(performance.timeOrigin)),
  };
}

/** Whether a writer is this process: what it wrote before is finished, an engine waits for its threads. */
export function isThisProcess(writer: WriterIdentity): boolean {
  const here = thisProcess();
  return (
    writer.pid === here.pid && writer.startTicks === here.startTicks && writer.host === here.host
  );
}

/** Whether a writer is certainly gone: this host, and another boot or no such process any more. */
export function isProvenDead(writer: WriterIdentity): boolean {
  const here = thisProcess();
  if (writer.host !== here.host) return false;
  if (writer.bootId !== here.bootId) return true;
  return startTicksOf(writer.pid) !== writer.startTicks;
}
