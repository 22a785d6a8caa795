/** Checks of the local service: CLI, record, ports, Temporal, worker. */
import { asWaybillError, WaybillError } from '../model/errors.js';
import { connectControl } from './control-client.js';
import type { ServiceStatus } from './control-protocol.js';
import type { DoctorCheck, DoctorOptions } from './doctor.js';
import { nameAnother } from './doctor-folders.js';
import { bindOnce, readPorts } from './ports.js';
import { isRunning, isStopped, type ProcessIdentity } from './process-identity.js';
import { serviceFiles } from './service-files.js';
import { readServiceRecord } from './service-record.js';
import { lockHolder } from './start-lock.js';
import { findTemporalCli, type TemporalCli } from './temporal-cli.js';
import { probeTemporal } from './temporal-probe.js';
import { readBuild } from './version.js';

/** A service runs and does not answer. */
export interface SilentService {
  readonly silentPid: number;
}

/** What the running service says; undefined when none runs. */
export type AskedService = ServiceStatus | SilentService | WaybillError | undefined;

const VARIABLE = 'WAYBILL_TEMPORAL_CLI';
const PROBE_TIMEOUT_MS = 2_000;
/** Long for a busy host, short for a person who waits. */
const ANSWER_TIMEOUT_MS = 10_000;

/** Asks the service of a state folder for its status. Starts nothing. */
export async function askService(stateDir: string): Promise<AskedService> {
  const { folder, controlSocket } = serviceFiles(stateDir);
  const holder = findHolder(folder);
  // One that stands still is not waited for.
  if (holder !== undefined && isStopped(holder.pid)) return { silentPid: holder.pid };
  try {
    const control = await connectControl(controlSocket, { timeoutMs: ANSWER_TIMEOUT_MS });
    try {
      return await control.status();
    } finally {
      control.close();
    }
  } catch (error) {
    const known = asWaybillError(error);
    if (known.code === 'WB_VERSION_SKEW') return known;
    return holder === undefined ? undefined : { silentPid: holder.pid };
  }
}

/** A folder that cannot be read is what the check of the state folder is about. */
function findHolder(folder: string): ProcessIdentity | undefined {
  try {
    return lockHolder(folder);
  } catch {
    return undefined;
  }
}

/** The finding about a process that stands still; undefined when it does not. */
function stoppedCheck(name: string, pid: number | undefined): DoctorCheck | undefined {
  if (pid === undefined || !isStopped(pid)) return undefined;
  const finding = `process ${pid} stands still: something stopped it (SIGSTOP)`;
  return { name, result: 'problem', finding, remedy: `kill -CONT ${pid}` };
}

/** What was found of the Temporal CLI, for the checks that need to know its version. */
export interface CheckedCli {
  readonly check: DoctorCheck;
  readonly cli: TemporalCli | undefined;
}

/** There is a Temporal CLI. */
export async function checkTemporalCli(options: DoctorOptions): Promise<CheckedCli> {
  const name = 'temporal cli';
  let cli: TemporalCli | undefined;
  try {
    const { cacheDir, temporalCli: explicitPath, signal } = options;
    cli = await findTemporalCli({ cacheDir, explicitPath, signal });
  } catch (error) {
    const { message: finding } = asWaybillError(error);
    // Of a flag or a file, only who wrote it knows what it should be.
    const isVariable = (options.temporalCliOrigin ?? VARIABLE) === VARIABLE;
    const remedy = isVariable ? { remedy: `unset ${VARIABLE}` } : {};
    return { check: { name, result: 'problem', finding, ...remedy }, cli };
  }
  if (cli === undefined) {
    const finding = 'there is none on this machine; the first pull gets one, which takes minutes';
    return { check: { name, result: 'warning', finding, remedy: 'waybill setup' }, cli };
  }
  const finding = `${cli.path} (${cli.version}, server ${cli.serverVersion}, from ${cli.origin})`;
  return { check: { name, result: 'ok', finding }, cli };
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
  if ('silentPid' in status) {
    const finding = `process ${status.silentPid} runs and does not answer; pulls go on at the next start`;
    const hung: DoctorCheck = { name, result: 'problem', finding, remedy: 'waybill down --force' };
    return stoppedCheck(name, status.silentPid) ?? hung;
  }
  if (status instanceof WaybillError) {
    const finding =
      'it is of another version of Waybill, which this one does not understand; its pulls go on from their destinations';
    return { name, result: 'problem', finding, remedy: 'waybill down --force' };
  }
  const kept = status.isKept ? ', kept by `waybill up`' : '';
  const finding =
    `process ${status.servicePid} since ${status.startedAt}, Waybill ${status.waybillVersion}, ` +
    `${status.clients} clients, ${status.openPulls ?? 'unknown'} open pulls${kept}`;
  if (status.build === readBuild()) return { name, result: 'ok', finding };
  const other = `${finding}; it is of another build, which the next command replaces once its pulls are done`;
  if (status.openPulls !== 0) return { name, result: 'warning', finding: other };
  return { name, result: 'warning', finding: other, remedy: 'waybill down' };
}

/** Nothing is left of a service that died. */
export function checkRecord(stateDir: string, isRunningNow: boolean): DoctorCheck {
  const name = 'records';
  const record = isRunningNow ? undefined : readServiceRecord(serviceFiles(stateDir).record);
  const left = [record?.service, record?.temporal, record?.worker].filter(
    (process) => process !== undefined && isRunning(process),
  );
  if (left.length === 0)
    return { name, result: 'ok', finding: 'nothing is left of an earlier service' };
  const pids = left.map((process) => process?.pid).join(', ');
  return {
    name,
    result: 'warning',
    finding: `processes of a service that died still run: ${pids}; the next start ends them too`,
    remedy: 'waybill down',
  };
}

/** The stored port of the database is free while no service runs. */
export async function checkPorts(
  stateDir: string,
  running: ServiceStatus | undefined,
  cli: TemporalCli | undefined,
): Promise<DoctorCheck> {
  const name = 'ports';
  if (running !== undefined) {
    const finding = `Temporal ${running.address}, web page ${running.uiAddress}`;
    return { name, result: 'ok', finding };
  }
  const files = serviceFiles(stateDir);
  const record = readServiceRecord(files.record);
  const serverVersion = record?.serverVersion ?? cli?.serverVersion;
  const stored = serverVersion === undefined ? undefined : readPorts(files.ports(serverVersion));
  const port = stored?.temporal;
  if (port === undefined || (await bindOnce(port)) !== undefined) {
    return { name, result: 'ok', finding: port === undefined ? 'none in use' : `${port} is free` };
  }
  if ([record?.temporal, record?.service].some((one) => one !== undefined && isRunning(one))) {
    return { name, result: 'ok', finding: `${port} is taken by what an earlier service left` };
  }
  if ((await probeTemporal(`127.0.0.1:${port}`, PROBE_TIMEOUT_MS)) !== 'answers') {
    const finding = `another program has port ${port}; the next start takes another`;
    return { name, result: 'warning', finding, remedy: 'waybill up' };
  }
  const remedy = nameAnother('WAYBILL_STATE_DIR', 'state', stateDir);
  return {
    name,
    result: 'problem',
    finding:
      `a Temporal that Waybill did not record listens on 127.0.0.1:${port}, the port of its database: ` +
      'end that server, or name another WAYBILL_STATE_DIR',
    ...(remedy === undefined ? {} : { remedy }),
  };
}

/** Temporal answers. */
export async function checkTemporal(status: ServiceStatus): Promise<DoctorCheck> {
  const name = 'temporal';
  const { restarts, lastExit, pid } = status.temporal;
  const stopped = stoppedCheck(name, pid);
  if (stopped !== undefined) return stopped;
  const found = await probeTemporal(status.address, PROBE_TIMEOUT_MS);
  const past = restarts === 0 ? '' : `; started again ${restarts} times, last end: ${lastExit}`;
  const log = serviceFiles(status.stateDir).temporalLog;
  if (found !== 'answers') {
    const finding = `it does not answer on ${status.address}${past}; its log: ${log}`;
    return { name, result: 'problem', finding, remedy: 'waybill down --force' };
  }
  const finding = `server ${status.serverVersion} answers on ${status.address}, process ${pid}${past}`;
  return { name, result: 'ok', finding };
}

/** The worker polls. */
export function checkWorker(status: ServiceStatus): DoctorCheck {
  const name = 'worker';
  const { state, pid, identity, restarts, lastExit } = status.worker;
  const past = restarts === 0 ? '' : `; started again ${restarts} times, last end: ${lastExit}`;
  const stopped = stoppedCheck(name, pid);
  if (stopped !== undefined) return stopped;
  if (state === 'ready') {
    const finding = `process ${pid} polls as ${identity}${past}`;
    return { name, result: restarts > 2 ? 'warning' : 'ok', finding };
  }
  const finding = `it is ${state}${past}; its log: ${serviceFiles(status.stateDir).workerLog}`;
  if (state === 'starting' && restarts === 0) return { name, result: 'warning', finding };
  return { name, result: 'problem', finding, remedy: 'waybill down --force' };
}
