/** The Temporal of one command: the local service, found or started, or a cluster. */
import type * as ClientModule from '../client.js';
import type { WaybillClient } from '../client.js';
import type { ServiceFiles } from '../service/service-files.js';
import type { ServiceHandle } from '../service/find-or-start.js';
import type { Config, TemporalChoice } from '../config.js';
import { WaybillError } from '../model/errors.js';
import type { Logs } from './reporters/reporter.js';

/** A way to Temporal. */
export interface Session {
  readonly client: WaybillClient;
  readonly isLocal: boolean;
  /** This command started the local service: whatever was open before stood still. */
  readonly isFresh: boolean;
  /** Said in the first line: `local service` or `Temporal at host:port`. */
  readonly label: string;
  /** Of Temporal's web page, where it is known. */
  readonly uiAddress: string | undefined;
  /** Where the local service keeps its database. */
  readonly stateFolder?: string;
  /** Where a local worker writes its log. */
  readonly workerLog: string | undefined;
  /** Whether the local service has a worker that runs, however busy it is; of a cluster nobody knows. */
  isWorkerUp(): Promise<boolean>;
  /** Hands secrets to the local service; their fingerprint goes into the request (rule 2). */
  putCredentials(secrets: Readonly<Record<string, string>>): Promise<string>;
  /** Settles when the local service is gone; never on a cluster. */
  readonly lost: Promise<void>;
  close(): Promise<void>;
}

/** How a session is opened. */
export interface SessionOptions {
  readonly config: Config;
  /** One sentence at a time while the service starts. */
  readonly onProgress: (line: string) => void;
  readonly signal?: AbortSignal;
}

async function openLocal(
  mode: 'background' | 'inline',
  { config, onProgress, signal }: SessionOptions,
): Promise<Session> {
  let loading: Promise<typeof ClientModule> | undefined;
  // While it loads nothing else moves here: it may not hold up the start of the service, which takes longer.
  const load = (): Promise<typeof ClientModule> => (loading ??= import('../client.js'));
  const [{ readOrMakeKey }, { serviceFiles }, { findOrStartService }] = await Promise.all([
    import('../service/private-key.js'),
    import('../service/service-files.js'),
    import('../service/find-or-start.js'),
  ]);
  const handle = await findOrStartService({
    stateDir: config.stateDir,
    cacheDir: config.cacheDir,
    temporalCli: config.temporalCli,
    metricsBind: config.settings.get('service-metrics-bind')?.text,
    mode,
    onProgress,
    signal,
    onWaiting: () => void load().catch(() => undefined),
  });
  const files = serviceFiles(config.stateDir);
  let client: WaybillClient;
  try {
    const { WaybillClient: Client } = await load();
    const payloadKey = readOrMakeKey(files.payloadKey);
    const { keptCounts } = files;
    const { address } = handle;
    client = await Client.connect({ address, payloadKey, keptCounts, isKnownToAnswer: true });
  } catch (error) {
    await handle.close();
    throw error;
  }
  return localSession(client, handle, files);
}

function localSession(
  client: WaybillClient,
  handle: ServiceHandle,
  { folder, workerLog }: ServiceFiles,
): Session {
  return {
    client,
    isLocal: true,
    isFresh: handle.isStarted,
    label: 'local service',
    uiAddress: handle.uiAddress,
    stateFolder: folder,
    workerLog,
    isWorkerUp: async () =>
      (await handle.control.status({ fresh: false })).worker.state === 'ready',
    putCredentials: (secrets) => handle.control.putCredentials(secrets),
    lost: handle.lost,
    close: async () => {
      await client.close();
      await handle.close();
    },
  };
}

async function openCluster(choice: TemporalChoice & { kind: 'cluster' }): Promise<Session> {
  const [{ WaybillClient: Client }, { clusterOptions }] = await Promise.all([
    import('../client.js'),
    import('../client/cluster.js'),
  ]);
  const client = await Client.connect(clusterOptions(choice));
  return {
    client,
    isLocal: false,
    isFresh: false,
    label: `Temporal at ${choice.address}`,
    uiAddress: undefined,
    workerLog: undefined,
    isWorkerUp: () => Promise.resolve(false),
    putCredentials: () =>
      Promise.reject(
        new WaybillError('WB_USAGE', 'a cluster takes no credentials from here; use --connection'),
      ),
    lost: new Promise(() => undefined),
    close: () => client.close(),
  };
}

/** The way to the local service if it runs; nothing is started. */
export async function findSession(options: SessionOptions): Promise<Session | undefined> {
  if (options.config.temporal.kind === 'cluster') return undefined;
  const { findService } = await import('../service/find-or-start.js');
  const control = await findService(options.config.stateDir);
  control?.close();
  return control === undefined ? undefined : openSession(options);
}

/**
 * Opens the way to the Temporal that the configuration chose. Throws WB_TEMPORAL_UNREACHABLE and what the start of
 * the local service throws.
 */
export function openSession(options: SessionOptions): Promise<Session> {
  const { temporal } = options.config;
  return temporal.kind === 'cluster' ? openCluster(temporal) : openLocal(temporal.mode, options);
}

/** Where a reporter finds more of what nobody expected. */
export function logsOf({ workerLog }: Session, config: Config): Logs {
  const isDebug = config.settings.get('debug')?.value === true;
  return workerLog === undefined ? {} : { workerLog, isDebug };
}
