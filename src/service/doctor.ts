/** `waybill doctor`: each check with its finding and the command that mends it. Changes nothing, starts nothing. */
import type { ServiceStatus } from './control-protocol.js';
import { checkDatabase } from './doctor-database.js';
import { checkCache, checkDisk, checkState } from './doctor-folders.js';
import { checkClock, checkNode, checkPlatform } from './doctor-machine.js';
import {
  askService,
  checkPorts,
  checkRecord,
  checkService,
  checkTemporal,
  checkTemporalCli,
  checkWorker,
} from './doctor-service.js';

export interface DoctorOptions {
  readonly stateDir: string;
  readonly cacheDir: string;
  /** The setting WAYBILL_TEMPORAL_CLI. */
  readonly temporalCli?: string | undefined;
  /** Where that setting came from: a flag, a variable, a file. */
  readonly temporalCliOrigin?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** One check. */
export interface DoctorCheck {
  /** Stable, for scripts: `node`, `state folder`, `temporal cli`, ... */
  readonly name: string;
  /** `warning`: works, but somebody should know. `problem`: a pull would fail. */
  readonly result: 'ok' | 'warning' | 'problem';
  /** One sentence: what was found. */
  readonly finding: string;
  /** A command that mends it, to be typed as it is. Without one, the finding says what a person has to do. */
  readonly remedy?: string;
}

/** What doctor found. Addresses and processes are those of the running service. */
export interface DoctorReport {
  /** No problem was found. */
  readonly ok: boolean;
  readonly checks: readonly DoctorCheck[];
  readonly addresses: {
    /** Temporal's gRPC address. */
    readonly temporal?: string;
    /** Temporal's web page. */
    readonly ui?: string;
  };
  /** Process ids. */
  readonly processes: {
    readonly service?: number;
    readonly temporal?: number;
    readonly worker?: number;
  };
}

/** Runs every check; none of them throws, a check that cannot be made is a finding. */
export async function runDoctor(options: DoctorOptions): Promise<DoctorReport> {
  const status = await askService(options.stateDir);
  const running = typeof status === 'object' && 'servicePid' in status ? status : undefined;
  const [disk, { check: cli, ports }, temporal] = await Promise.all([
    checkDisk(options.stateDir, options.cacheDir),
    checkTemporalCli(options).then(async ({ check, cli: found }) => ({
      check,
      ports: await checkPorts(options.stateDir, running, found),
    })),
    running && checkTemporal(running),
  ]);
  const checks = [
    checkNode(),
    checkPlatform(),
    checkClock(),
    checkState(options.stateDir),
    checkCache(options.cacheDir),
    disk,
    cli,
    checkService(status),
    checkRecord(options.stateDir, status !== undefined),
    checkDatabase(options.stateDir),
    ports,
    ...(temporal === undefined ? [] : [temporal]),
    ...(running === undefined ? [] : [checkWorker(running)]),
  ];
  return {
    ok: checks.every((check) => check.result !== 'problem'),
    checks,
    ...(running === undefined ? { addresses: {}, processes: {} } : describeRunning(running)),
  };
}

function describeRunning(status: ServiceStatus): Pick<DoctorReport, 'addresses' | 'processes'> {
  const { temporal, worker } = status;
  return {
    addresses: { temporal: status.address, ui: status.uiAddress },
    processes: {
      service: status.servicePid,
      ...(temporal.pid === undefined ? {} : { temporal: temporal.pid }),
      ...(worker.pid === undefined ? {} : { worker: worker.pid }),
    },
  };
}
