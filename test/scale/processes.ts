/** The processes of a local service, as the kernel sees them. */
import { readFileSync } from 'node:fs';
import type { WaybillBed } from '../helpers/waybill.js';

/** Process ids, and where Temporal answers. */
export interface ServiceParts {
  readonly service: number;
  readonly temporal: number;
  readonly worker: number;
  readonly address: string;
}

/** Asks the service of a bed. */
export async function partsOf(bed: WaybillBed): Promise<ServiceParts> {
  const { result } = await bed.run(['doctor', '--json']);
  const { processes, addresses } = result as {
    processes: { service: number; temporal: number; worker: number };
    addresses: { temporal: string };
  };
  return { ...processes, address: addresses.temporal };
}

function fieldOf(pid: number, name: string): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

/** The most memory that a process has had, in MiB; 0 where it is gone. */
export const peakMiB = (pid: number): number => fieldOf(pid, 'VmHWM');

/** CPU seconds of a process so far; 0 where it is gone. */
export function cpuSeconds(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return 0;
  }
}

/** Keeps the highest peak of processes that come and go. */
export class Peaks {
  private readonly peaks = new Map<string, number>();
  private readonly timer: NodeJS.Timeout;
  private readonly pids = new Map<string, number>();

  constructor() {
    this.timer = setInterval(() => this.look(), 250);
  }

  watch(name: string, pid: number): void {
    this.pids.set(name, pid);
  }

  of(name: string): number {
    this.look();
    return Math.round(this.peaks.get(name) ?? 0);
  }

  end(): void {
    clearInterval(this.timer);
  }

  private look(): void {
    for (const [name, pid] of this.pids) {
      this.peaks.set(name, Math.max(this.peaks.get(name) ?? 0, peakMiB(pid)));
    }
  }
}
