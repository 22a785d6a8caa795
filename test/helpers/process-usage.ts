/** What the kernel counted for a process: its processor's time and its memory at the peak. */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';

/** The kernel's usual clock ticks a second. */
const TICKS = 100;

/** Fields of `/proc/<pid>/stat` from the third on; undefined when the process is gone. */
function statOf(pid: number | 'self'): readonly string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

/** Seconds of user and system time so far, its own and of its children that have ended; 0 when it is gone. */
export function cpuSeconds(pid: number): number {
  const ticks = statOf(pid)?.slice(11, 15) ?? [];
  return ticks.reduce((sum, text) => sum + Number(text), 0) / TICKS;
}

/** Seconds of user and system time of the children of this process that have ended, with theirs. */
export function cpuSecondsOfChildren(): number {
  const ticks = statOf('self')?.slice(13, 15) ?? [];
  return ticks.reduce((sum, text) => sum + Number(text), 0) / TICKS;
}

/** The most memory that a process ever had (VmHWM); 0 when it is gone. */
export function peakBytes(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(/^VmHWM:\s+(\d+) kB$/mu.exec(status)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** Counts the peak from now on, where that is allowed. */
export function forgetPeak(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, '5');
  } catch {
    // Gone, or another user's: the peak stays that of its whole life.
  }
}

/** A process and all below it that live now. */
export function familyOf(pid: number): readonly number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/u.test(name)) continue;
    const parent = statOf(Number(name))?.[1];
    if (parent !== undefined) parents.set(Number(name), Number(parent));
  }
  const family = [pid];
  for (const member of family) {
    for (const [child, parent] of parents) if (parent === member) family.push(child);
  }
  return family;
}
