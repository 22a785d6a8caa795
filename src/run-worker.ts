/**
 * The worker: composition root of stores, engine, activities and Temporal. As a script it serves the local service
 * (`--local`, see service/worker-ipc.ts) or a cluster (`TEMPORAL_ADDRESS` and the rest of Temporal's own variables).
 * Its log is JSON on stderr; it writes nothing on stdout. SIGTERM and SIGINT drain it.
 */
import { hostname } from 'node:os';
import type { Logger } from 'pino';
import { workerIdentity } from './client/pollers.js';
import type { ClientOptions } from './client/types.js';
import { environmentOf, readConfig, TRACE_VARIABLES, type Config } from './config.js';
import { asWaybillError } from './model/errors.js';
import { hideSecretLooking } from './model/secret-text.js';
import { connectControl } from './service/control-client.js';
import { untilLeftBehind } from './service/left-behind.js';
import { UNEXPECTED } from './service/log-file.js';
import { readOrMakeKey } from './service/private-key.js';
import { serviceFiles } from './service/service-files.js';
import { parseServiceMessage, type WorkerMessage } from './service/worker-ipc.js';
import { PullCare } from './pull-care.js';
import { openReach } from './transfer/reach.js';
import { parseWorkerArguments, type WorkerConfig } from './worker-arguments.js';
import { connectPatiently } from './worker-connect.js';
import { createWorkerEngine, type WorkerEngineOptions } from './worker-engine.js';
import { openWorkerLog } from './worker-log.js';
import { startWorkerQueues } from './worker-queues.js';
import { clusterReach } from './worker-reach.js';
import { watchShare } from './worker-share.js';
import { openTelemetry, type WorkerTelemetry } from './worker-telemetry.js';

type LocalConfig = NonNullable<WorkerConfig['local']>;

function secretsFrom(local: LocalConfig): Parameters<typeof openReach>[0] {
  return async (fingerprint) => {
    const control = await connectControl(local.controlSocket);
    try {
      return await control.getCredentials(fingerprint);
    } catch (error) {
      if (asWaybillError(error).code === 'WB_UNAUTHENTICATED') return undefined;
      throw error;
    } finally {
      control.close();
    }
  };
}

type Limits = Pick<WorkerEngineOptions, 'reach' | 'stateDir' | 'commonLimits'>;

function limitsOf(local: LocalConfig): Limits {
  return { stateDir: local.stateDir, reach: openReach(secretsFrom(local)) };
}

function limitsOnCluster(site: string | undefined, log: Logger): Limits {
  const config = currentConfig(log);
  const ofSite = config().sites.find(({ name }) => name === site);
  return {
    stateDir: config().stateDir,
    reach: clusterReach(config, site),
    ...(ofSite === undefined ? {} : { commonLimits: ofSite }),
  };
}

/** The service asks every few seconds; it does not idle out under open pulls. */
function answerService(care: PullCare, log: Logger): void {
  process.on('message', (value: unknown) => {
    const asked = parseServiceMessage(value);
    if (asked === undefined) return;
    tell({ type: 'alive' });
    care.look().then(
      (openPulls) => tell({ type: 'busy', openPulls, question: asked.question }),
      // Without an answer the service keeps what it knew.
      (error: unknown) => log.warn({ error: String(error) }, 'how busy is not known'),
    );
  });
}

function tell(message: WorkerMessage): void {
  if (process.connected) process.send?.(message);
}

/** The configuration as its files say it now; while one of them is wrong, as it was before. */
function currentConfig(log: Logger): () => Config {
  let good = readConfig();
  return () => {
    try {
      good = readConfig();
    } catch (error) {
      log.warn({ reason: asWaybillError(error).message }, 'the configuration as it was is kept');
    }
    return good;
  };
}

/** What the worker of the local service shares with the commands. */
function localOptions({ stateDir }: LocalConfig): Pick<ClientOptions, 'payloadKey' | 'keptCounts'> {
  const { payloadKey, keptCounts } = serviceFiles(stateDir);
  return { payloadKey: readOrMakeKey(payloadKey), keptCounts };
}

/**
 * Runs a worker until `signal` aborts; resolves once it has drained.
 * @throws WB_TEMPORAL_UNREACHABLE when Temporal does not answer for a minute
 */
export async function runWorker(config: WorkerConfig, signal: AbortSignal): Promise<void> {
  const log = openWorkerLog(config.logFormat ?? 'json');
  const telemetry = await openTelemetry(log, {
    ...config,
    isBestEffort: config.local !== undefined,
    // A local service has a scrubbed environment: these are of a worker of a cluster.
    traceVariables: environmentOf(TRACE_VARIABLES),
  });
  const drain = (): void => telemetry.drain();
  signal.addEventListener('abort', drain, { once: true });
  try {
    await serve(config, signal, log, telemetry);
  } finally {
    signal.removeEventListener('abort', drain);
    await telemetry.close();
  }
}

async function serve(
  config: WorkerConfig,
  signal: AbortSignal,
  log: Logger,
  telemetry: WorkerTelemetry,
): Promise<void> {
  const { connection: reached, local, site } = config;
  const identity = workerIdentity(site);
  const connection = local === undefined ? reached : { ...reached, ...localOptions(local) };
  const client = await connectPatiently({
    connection: { ...connection, identity },
    isLocal: local !== undefined,
    log,
    signal,
  });
  if (client === undefined) return;
  const { workflows, transfer } = client.queues(site);
  // The local database may be lost and made anew; the state folder stays the same.
  const engineId =
    local === undefined ? await client.engineId() : `${hostname()}:${local.stateDir}`;
  // The local service has one worker; those of a cluster look how many they are.
  const among = local === undefined ? await watchShare(client, site, identity) : undefined;
  const limits = local === undefined ? limitsOnCluster(site, log) : limitsOf(local);
  const sharing = among === undefined ? {} : { share: among.share };
  const engine = createWorkerEngine({ client, engineId, ...limits, ...sharing });
  const queues = await startWorkerQueues({
    ...connection,
    identity,
    queues: { workflows, transfer: [transfer] },
    engine,
    isLocal: local !== undefined,
    watcher: telemetry.watcher,
    ...(config.graceMs === undefined ? {} : { graceMs: config.graceMs }),
    onUnexpected: (activity, stack) =>
      log.error({ activity, stack: hideSecretLooking(stack) }, UNEXPECTED),
  });
  if (local?.previousIdentity !== undefined) {
    const count = await client.handBack(local.previousIdentity);
    log.info({ count, previous: local.previousIdentity }, 'took over the work of a dead worker');
  }
  if (local !== undefined) {
    const file = serviceFiles(local.stateDir).openPulls;
    const care = new PullCare({ client, file, log: (facts, message) => log.warn(facts, message) });
    answerService(care, log);
  }
  telemetry.serve(queues);
  tell({ type: 'ready', identity });
  log.info({ identity, queues: [workflows, transfer] }, 'polling');
  const stop = (): void => void queues.stop().catch(() => undefined);
  if (signal.aborted) stop();
  else signal.addEventListener('abort', stop, { once: true });
  try {
    await queues.ended;
  } finally {
    among?.end();
    await engine.close();
    await client.close();
  }
  log.info('drained');
}

/** Without a Temporal there is nothing to hand back to: a drain may wait for ever. */
const LEFT_BEHIND_GRACE_MS = 20_000;

/** A local worker that nobody will find ends by itself, instead of asking a dead Temporal for ever. */
async function endIfLeftBehind({ stateDir }: LocalConfig, drain: () => void): Promise<void> {
  await untilLeftBehind(stateDir);
  const why = 'the service has gone, and left nothing to work for';
  openWorkerLog('json').warn({ stateDir }, why);
  setTimeout(() => process.exit(1), LEFT_BEHIND_GRACE_MS).unref();
  drain();
}

/** The worker as a process, with the arguments of its command line. */
export async function main(): Promise<void> {
  const controller = new AbortController();
  const exitCodes = { SIGTERM: 143, SIGINT: 130 } as const;
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.on(name, () => {
      // Whoever asks twice does not want to wait.
      if (controller.signal.aborted) process.exit(exitCodes[name]);
      controller.abort();
    });
  }
  try {
    const config = parseWorkerArguments(process.argv.slice(2));
    if (config.local !== undefined) void endIfLeftBehind(config.local, () => controller.abort());
    await runWorker(config, controller.signal);
    process.exitCode = 0;
  } catch (error) {
    const known = asWaybillError(error);
    openWorkerLog('json').fatal({ code: known.code }, known.message);
    process.exitCode = known.exitCode;
  }
  // An open channel to the service would keep the process.
  if (process.connected) process.disconnect();
}
