/** Checks of the local service: CLI, record, ports, Temporal, worker. */
import { asWaybillError, WaybillError } from '../model/errors.js';
import { connectControl } from './control-client.js';
import type { ServiceStatus } from './control-protocol.js';
import type { DoctorCheck, DoctorOptions } from './doctor.js';
import { bindOnce, readPorts } from './ports.js';
import { isRunning } from './process-identity.js';
import { serviceFiles } from './service-files.js';
import { readServiceRecord } from './service-record.js';
import { lockHolder } from './start-lock.js';
import { findTemporalCli, type TemporalCli } from './temporal-cli.js';
import { probeTemporal } from './temporal-probe.js';
import { readBuild } from './version.js';

/** What the running service says; `silent` when one runs and does not answer; undefined when none runs. */
export type AskedService = ServiceStatus | 'silent' | WaybillError | undefined;

const PROBE_TIMEOUT_MS = 2_000;

/** Asks the service of a state folder for its status. Starts nothing. */
export async function askService(stateDir: string): Promise<AskedService> {
  try {
    const control = await connectControl(serviceFiles(stateDir).controlSocket);
    try {
      return await control.status();
    } finally {
      control.close();
    }
  } catch (error) {
    const known = asWaybillError(error);
    if (known.code === 'WB_VERSION_SKEW') return known;
    return lockHolder(serviceFiles(stateDir).folder) === undefined ? undefined : 'silent';
  }
}

/** There is a Temporal CLI. */
export async function checkTemporalCli(options: DoctorOptions): Promise<DoctorCheck> {
  const name = 'temporal cli';
  let found: TemporalCli | undefined;
  try {
    const { cacheDir, temporalCli: explicitPath, signal } = options;
    found = await findTemporalCli({ cacheDir, explicitPath, signal });
  } catch (error) {
    const { message } = asWaybillError(error);
    return { name, result: 'problem', finding: message, remedy: 'unset WAYBILL_TEMPORAL_CLI' };
  }
  if (found === undefined) {
    const finding = 'there is none on this machine; the first pull gets one, which takes minutes';
    return { name, result: 'warning', finding, remedy: 'waybill setup' };
  }
  const finding = `${found.path} (${found.version}, server ${found.serverVersion}, from ${found.origin})`;
  return { name, result: 'ok', finding };
}

/** The service answers, or none is needed yet. */
export function checkService(status: AskedService): DoctorCheck {
  const name = 'service';
  if (status === undefined) {
    return {
      name,
      result: 'ok',
      finding: 'not running; it starts with the first command that needs it',
    };
  }
  if (status === 'silent') {
    const finding = 'it runs but does not answer';
    return { name, result: 'problem', finding, remedy: 'waybill up (ends it and starts another)' };
  }
  if (status instanceof WaybillError) {
    const finding = 'it is of another version of Waybill, which this one does not understand';
    return {
      name,
      result: 'problem',
      finding,
      remedy: 'waybill down',
    };
  }
  const kept = status.isKept ? ', kept by `waybill up`' : '';
  const finding =
    `process ${status.servicePid} since ${status.startedAt}, Waybill ${status.waybillVersion}, ` +
    `${status.clients} clients, ${status.openPulls ?? 'unknown'} open pulls${kept}`;
  if (status.build === readBuild()) return { name, result: 'ok', finding };
  return { name, result: 'warning', finding, remedy: 'waybill down, when its pulls are done' };
}

/** Nothing is left of a service that died. */
export function checkRecord(stateDir: string, running: ServiceStatus | undefined): DoctorCheck {
  const name = 'records';
  const record =
    running === undefined ? readServiceRecord(serviceFiles(stateDir).record) : undefined;
  const left = [record?.service, record?.temporal, record?.worker].filter(
    (process) => process !== undefined && isRunning(process),
  );
  if (left.length === 0)
    return { name, result: 'ok', finding: 'nothing is left of an earlier service' };
  const pids = left.map((process) => process?.pid).join(', ');
  return {
    name,
    result: 'warning',
    finding: `processes of a service that died still run: ${pids}`,
    remedy: 'waybill up (ends them and starts anew)',
  };
}

/** The stored port of the database is free while no service runs. */
export async function checkPorts(
  stateDir: string,
  running: ServiceStatus | undefined,
): Promise<DoctorCheck> {
  const name = 'ports';
  if (running !== undefined) {
    return {
      name,
      result: 'ok',
      finding: `Temporal ${running.address}, web page ${running.uiAddress}`,
    };
  }
  const record = readServiceRecord(serviceFiles(stateDir).record);
  const stored = record && readPorts(serviceFiles(stateDir).ports(record.serverVersion));
  const port = stored?.temporal;
  if (port === undefined || (await bindOnce(port)) !== undefined) {
    return { name, result: 'ok', finding: port === undefined ? 'none in use' : `${port} is free` };
  }
  const isOrphan = record?.temporal !== undefined && isRunning(record.temporal);
  if (isOrphan || (await probeTemporal(`127.0.0.1:${port}`, PROBE_TIMEOUT_MS)) !== 'answers') {
    const finding = `port ${port} is taken; the next start ${isOrphan ? 'frees it' : 'takes another'}`;
    return { name, result: 'warning', finding };
  }
  return {
    name,
    result: 'problem',
    finding: `a Temporal that Waybill did not record listens on 127.0.0.1:${port}`,
    remedy: 'end that server, or set another WAYBILL_STATE_DIR',
  };
}

/** Temporal answers. */
export async function checkTemporal(status: ServiceStatus): Promise<DoctorCheck> {
  const name = 'temporal';
  const found = await probeTemporal(status.address, PROBE_TIMEOUT_MS);
  const { restarts, lastExit, pid } = status.temporal;
  const past = restarts === 0 ? '' : `; started again ${restarts} times, last end: ${lastExit}`;
  const log = serviceFiles(status.stateDir).temporalLog;
  if (found !== 'answers') {
    const finding = `it does not answer on ${status.address}${past}; its log: ${log}`;
    return { name, result: 'problem', finding, remedy: 'waybill down, then the same command' };
  }
  const finding = `server ${status.serverVersion} answers on ${status.address}, process ${pid}${past}`;
  return { name, result: 'ok', finding };
}

/** The worker polls. */
export function checkWorker(status: ServiceStatus): DoctorCheck {
  const name = 'worker';
  const { state, pid, identity, restarts, lastExit } = status.worker;
  const past = restarts === 0 ? '' : `; started again ${restarts} times, last end: ${lastExit}`;
  if (state === 'ready') {
    const finding = `process ${pid} polls as ${identity}${past}`;
    return { name, result: restarts > 2 ? 'warning' : 'ok', finding };
  }
  const finding = `it is ${state}${past}; its log: ${serviceFiles(status.stateDir).workerLog}`;
  if (state === 'starting' && restarts === 0) return { name, result: 'warning', finding };
  return { name, result: 'problem', finding, remedy: 'read its log, then: waybill down' };
}
