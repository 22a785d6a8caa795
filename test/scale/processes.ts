/** The processes of a local service, as the kernel sees them. */
import { serviceFiles } from '../../src/service/service-files.js';
import { readServiceRecord } from '../../src/service/service-record.js';
import { cpuSeconds, peakBytes } from '../helpers/process-usage.js';
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
      this.peaks.set(name, Math.max(this.peaks.get(name) ?? 0, peakBytes(pid) / 1024 / 1024));
      const seconds = cpuSeconds(pid);
      if (seconds > 0) this.seconds.set(String(pid), seconds);
    }
  }
}
