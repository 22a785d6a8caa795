/** The processes of a local service, as the kernel sees them. */
import { readFileSync } from 'node:fs';
import { serviceFiles } from '../../src/service/service-files.js';
import { readServiceRecord } from '../../src/service/service-record.js';
import type { WaybillBed } from '../helpers/waybill.js';

/** Process ids of those that run, and where Temporal answers. */
export interface ServiceParts {
  readonly service?: number;
  readonly temporal?: number;
  readonly worker?: number;
  readonly address: string;
}

/** As the record of the service of a bed names them. */
export function partsOf(bed: WaybillBed): ServiceParts {
  const record = readServiceRecord(serviceFiles(bed.stateDir).record);
  if (record === undefined) return { address: '' };
  const { service, temporal, worker, address } = record;
  return {
    address,
    service: service.pid,
    ...(temporal === undefined ? {} : { temporal: temporal.pid }),
    ...(worker === undefined ? {} : { worker: worker.pid }),
  };
}

/** The most memory that a process has had, in MiB; 0 where it is gone. */
export function peakMiB(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

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

/** Keeps the highest peak of processes that come and go, and the time of the processor that they have used. */
export class Peaks {
  private readonly peaks = new Map<string, number>();
  private readonly seconds = new Map<string, number>();
  private readonly timer: NodeJS.Timeout;
  /** Process ids under each name, dead ones too. */
  private readonly pids = new Map<number, string>();

  constructor() {
    this.timer = setInterval(() => this.look(), 250);
  }

  watch(name: string, pid: number): void {
    this.pids.set(pid, name);
  }

  watchAll({ worker, temporal }: ServiceParts): void {
    if (worker !== undefined) this.watch('worker', worker);
    if (temporal !== undefined) this.watch('temporal', temporal);
  }

  of(name: string): number {
    this.look();
    return Math.round(this.peaks.get(name) ?? 0);
  }

  figures(): { workerPeakMiB: number; temporalPeakMiB: number; workerCpuSeconds: number } {
    const [workerPeakMiB, temporalPeakMiB] = [this.of('worker'), this.of('temporal')];
    const ofWorkers = [...this.pids].filter(([, name]) => name === 'worker');
    const workerCpuSeconds = ofWorkers.reduce(
      (sum, [pid]) => sum + (this.seconds.get(String(pid)) ?? 0),
      0,
    );
    return { workerPeakMiB, temporalPeakMiB, workerCpuSeconds };
  }

  end(): void {
    clearInterval(this.timer);
  }

  look(): void {
    for (const [pid, name] of this.pids) {
      this.peaks.set(name, Math.max(this.peaks.get(name) ?? 0, peakMiB(pid)));
      const seconds = cpuSeconds(pid);
      if (seconds > 0) this.seconds.set(String(pid), seconds);
    }
  }
}
