/** How a command gets at the local service: the one that lives, or a new one. */
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { asWaybillError, WaybillError } from '../model/errors.js';
import { connectControl, type ControlClient } from './control-client.js';
import type { ServiceStatus } from './control-protocol.js';
import { readLogEnd } from './log-file.js';
import { identifyProcess, isGoneWithin } from './process-identity.js';
import type { ServiceMode } from './service-arguments.js';
import { serviceFiles } from './service-files.js';
import { startService, type StartedService } from './start-service.js';
import { ensureTemporalCli } from './temporal-cli.js';
import { isCompatible, isIdle, occupationText, type Meeting } from './meeting.js';
import { readBuild, readWaybillVersion } from './version.js';

export interface FindOrStartOptions {
  readonly stateDir: string;
  readonly cacheDir: string;
  /** The setting WAYBILL_TEMPORAL_CLI. */
  readonly temporalCli?: string | undefined;
  readonly mode: ServiceMode;
  /** One sentence at a time, for a person who waits. */
  readonly onProgress: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
  /** Called, perhaps more than once, when a service was started or asked: nothing is to be done here until it answers. */
  readonly onWaiting?: (() => void) | undefined;
  /** Without open pulls and clients it ends after this time; default five minutes. */
  readonly idleAfterMs?: number | undefined;
  /** Where the worker of a service that is started now shows its metrics. */
  readonly metricsBind?: string | undefined;
  /** A silent worker is started again after this time; default a minute. */
  readonly workerSilentMs?: number | undefined;
  /** Another worker's script, for tests. */
  readonly workerScript?: string | undefined;
}

/** The local service in use: it does not idle out before `close`. */
export interface ServiceHandle {
  /** Temporal's gRPC address, `127.0.0.1:P`. */
  readonly address: string;
  /** Temporal's web page, `http://127.0.0.1:U`. */
  readonly uiAddress: string;
  readonly controlSocket: string;
  /** For credentials, status, keep and stop. */
  readonly control: ControlClient;
  /** Whether this call started the service. */
  readonly isStarted: boolean;
  /** Settles when the service is gone, or after `close`: then find or start it again. Never rejects. */
  readonly lost: Promise<void>;
  /** Lets go of it. An inline service that this command started, and nobody else uses, has ended after that. */
  close(): Promise<void>;
}

const IDLE_AFTER_MS = 5 * 60_000;
/** Temporal answers within a second; a loaded machine or a long recovery of its database takes longer. */
const READY_TIMEOUT_MS = 60_000;
const POLL_MS = 20;
/** A Temporal that died so often before it answered will not come up. */
const MAX_RESTARTS = 5;
const STOP_TIMEOUT_MS = 30_000;

/**
 * Joins the service of a state folder, or starts one when none answers. Called by two commands at once it ends
 * with one service; a service that ends in between is started again. Returns once Temporal answers; the
 * worker may still be loading.
 * @throws WaybillError WB_TEMPORAL_UNREACHABLE when it cannot be started, with the reason and the log;
 *   WB_VERSION_SKEW when a busy service of another version runs; as `ensureTemporalCli`; the signal's reason
 */
export async function findOrStartService(options: FindOrStartOptions): Promise<ServiceHandle> {
  const files = serviceFiles(options.stateDir);
  const deadlineMs = performance.now() + READY_TIMEOUT_MS;
  let started: StartedService | undefined;
  const replaced = { wasKept: false };
  for (;;) {
    options.signal?.throwIfAborted();
    const control = await tryConnect(files.controlSocket);
    const joined = control && (await join(control, options, deadlineMs, replaced));
    if (joined !== undefined) {
      if (replaced.wasKept) await joined.control.keep(true);
      return makeHandle(files.controlSocket, joined, started);
    }
    if (performance.now() > deadlineMs) throw notReady(options.stateDir);
    if (control !== undefined) await sleep(POLL_MS);
    else started = (await start(options)) ?? started;
  }
}

/** The living service of a state folder, held by nobody; undefined when none answers. Starts nothing. */
export async function findService(stateDir: string): Promise<ControlClient | undefined> {
  return tryConnect(serviceFiles(stateDir).controlSocket);
}

async function start(options: FindOrStartOptions): Promise<StartedService | undefined> {
  const cli = await ensureTemporalCli({
    cacheDir: options.cacheDir,
    explicitPath: options.temporalCli,
    onProgress: options.onProgress,
    signal: options.signal,
  });
  if (options.metricsBind !== undefined) await tellOfMetrics(options.metricsBind, options);
  return startService({
    onProgress: options.onProgress,
    signal: options.signal,
    onWaiting: options.onWaiting,
    args: {
      stateDir: options.stateDir,
      mode: options.mode,
      temporalCli: cli.path,
      serverVersion: cli.serverVersion,
      workerScript: options.workerScript ?? fileURLToPath(new URL('../worker.js', import.meta.url)),
      ...(options.metricsBind === undefined ? {} : { metricsBind: options.metricsBind }),
      idleAfterMs: options.idleAfterMs ?? IDLE_AFTER_MS,
      ...(options.workerSilentMs === undefined ? {} : { workerSilentMs: options.workerSilentMs }),
    },
  });
}

/** Whoever starts the service hears of it: its worker goes on without metrics, and tells only its log. */
async function tellOfMetrics(bind: string, { onProgress }: FindOrStartOptions): Promise<void> {
  const { checkListenAddress } = await import('./listen-address.js');
  try {
    await checkListenAddress('service-metrics-bind', bind);
  } catch (error) {
    onProgress(`The local service shows no metrics. ${asWaybillError(error).message}`);
  }
}

interface Joined {
  readonly control: ControlClient;
  readonly status: ServiceStatus;
}

/**
 * Holds the service and waits until its Temporal answers; undefined when it went away meanwhile.
 * @throws WaybillError WB_TEMPORAL_UNREACHABLE when Temporal does not come up
 */
async function join(
  control: ControlClient,
  options: FindOrStartOptions,
  deadlineMs: number,
  replaced: { wasKept: boolean },
): Promise<Joined | undefined> {
  let status: ServiceStatus;
  try {
    const meeting = control.meet({ fresh: false });
    options.onWaiting?.();
    const met = await meeting;
    if (await isReplaced(control, met)) {
      replaced.wasKept ||= met.isKept;
      return undefined;
    }
    await control.hold();
    status = await waitForTemporal(control, options, deadlineMs);
  } catch (error) {
    const isGone = await hasClosed(control);
    control.close();
    if (isGone) return undefined;
    throw error;
  }
  if (status.temporal.state === 'ready') return { control, status };
  const error = notReady(options.stateDir, status);
  // The next attempt, perhaps with another Temporal CLI, does not join one that never worked.
  if (status.clients <= 1) await stopService(control, status);
  control.close();
  throw error;
}

/** Its last status: ready, or given up. */
async function waitForTemporal(
  control: ControlClient,
  { signal }: FindOrStartOptions,
  deadlineMs: number,
): Promise<ServiceStatus> {
  for (;;) {
    signal?.throwIfAborted();
    const status = await control.status({ fresh: false });
    const { state, restarts } = status.temporal;
    if (state === 'ready' || restarts >= MAX_RESTARTS) return status;
    if (performance.now() > deadlineMs) return status;
    await sleep(POLL_MS);
  }
}

/**
 * A service of another version or build is ended when it has nothing to do. When it has, it is used if it
 * speaks as this one does (rule 9).
 * @throws WaybillError WB_VERSION_SKEW when it is busy and speaks otherwise
 */
async function isReplaced(control: ControlClient, met: Meeting): Promise<boolean> {
  if (met.isStopping) {
    control.close();
    return true;
  }
  if (met.build === readBuild()) return false;
  const now = await control.meet();
  if (isIdle(now)) {
    await stopService(control, now);
    return true;
  }
  if (isCompatible(now)) return false;
  throw new WaybillError(
    'WB_VERSION_SKEW',
    `The local service is Waybill ${now.waybillVersion} of another build, which this one ` +
      `(${readWaybillVersion()}) does not understand, and ${occupationText(now)}. Run the same command when ` +
      'that is done; or run `waybill down --force` first: pulls go on from what is at their destinations.',
    { operation: 'ask the service' },
  );
}

/**
 * Asks a service to end and waits until it has.
 * @throws WaybillError WB_TEMPORAL_UNREACHABLE when it has not within 30 s
 */
export async function stopService(
  control: ControlClient,
  status: Pick<ServiceStatus, 'servicePid'>,
): Promise<void> {
  const identity = identifyProcess(status.servicePid);
  await control.stop();
  if (identity === undefined || (await isGoneWithin(identity, STOP_TIMEOUT_MS))) return;
  throw new WaybillError(
    'WB_TEMPORAL_UNREACHABLE',
    `The local service (process ${status.servicePid}) does not end. Run \`waybill doctor\`.`,
    { operation: 'stop service' },
  );
}

function makeHandle(
  controlSocket: string,
  { control, status }: Joined,
  started: StartedService | undefined,
): ServiceHandle {
  const own = started?.pid === status.servicePid ? started : undefined;
  return {
    address: status.address,
    uiAddress: status.uiAddress,
    controlSocket,
    control,
    isStarted: own !== undefined,
    lost: control.closed,
    close: async () => {
      control.close();
      await control.closed;
      await own?.letGo();
    },
  };
}

async function tryConnect(controlSocket: string): Promise<ControlClient | undefined> {
  try {
    return await connectControl(controlSocket);
  } catch (error) {
    if (error instanceof WaybillError && error.code === 'WB_TEMPORAL_UNREACHABLE') return undefined;
    throw error;
  }
}

async function hasClosed(control: ControlClient): Promise<boolean> {
  return Promise.race([control.closed.then(() => true), sleep(50).then(() => false)]);
}

function notReady(stateDir: string, status?: ServiceStatus): WaybillError {
  const log = serviceFiles(stateDir).temporalLog;
  const end = readLogEnd(log);
  const exit = status?.temporal.lastExit;
  // Built with cgo, Go asks the system for the user's name and takes no other answer.
  const hint = end.includes('unknown userid')
    ? 'This Temporal CLI needs a user with a name: run as one, or unset WAYBILL_TEMPORAL_CLI and Waybill gets ' +
      'a CLI that does not. '
    : '';
  return new WaybillError(
    'WB_TEMPORAL_UNREACHABLE',
    `The local Temporal does not start${exit === undefined ? '' : ` (it ended with ${exit})`}. ` +
      `${hint}The end of its log, ${log}: ${end}`,
    { operation: 'start Temporal' },
  );
}
