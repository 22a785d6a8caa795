/**
 * The worker of `waybill pull --here`: this host's own queue on a cluster, served by the command itself for as long as its
 * pull takes. It does nothing but that one pull: whoever else puts work into its queue is refused (rule 4).
 */
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { hostname } from 'node:os';
import type { WaybillClient } from './client.js';
import type { ClientOptions } from './client/types.js';
import type { PullRequest } from './model/pull.js';
import { onlyThisPull } from './here-engine.js';
import { isAlive } from './service/process-identity.js';
import type { ConnectionSecrets } from './stores/store.js';
import { createWorkerEngine } from './worker-engine.js';
import { startWorkerQueues } from './worker-queues.js';

/** What is served. */
export interface HereOptions {
  readonly connection: ClientOptions;
  readonly client: WaybillClient;
  /** The site that stands for this host and this destination. */
  readonly site: string;
  /** The only pull that is served. */
  readonly request: PullRequest;
  /** The secrets of its source; they stay in this process (rule 2). */
  readonly secrets: ConnectionSecrets;
  /** The state folder of this host. */
  readonly stateDir: string;
}

/** The queue is served. */
export interface HereWorker {
  /** Another command on this host served the queue already, and still does. */
  readonly isShared: boolean;
  /** Settles when polling has ended; rejects if that was no wish of ours. */
  readonly ended: Promise<void>;
  /** Hands back what runs, within seconds. */
  stop(): Promise<void>;
}

const identityOf = (pid: number): string => `${hostname()}/${pid}/here`;

/** The process ids of commands on this host that asked this queue for work lately. */
function pollersHere(identities: readonly string[]): number[] {
  const own = identities.filter((identity) => identityOf(pidOf(identity)) === identity);
  return own.map(pidOf).filter((pid) => pid !== process.pid);
}

function pidOf(identity: string): number {
  return Number(identity.split('/').at(-2));
}

/** The terminal belongs to the pull: what the SDK has to say about polling is not for whoever waits for a file. */
function quietRuntime(): void {
  Runtime.install({
    shutdownSignals: [],
    logger: new DefaultLogger('ERROR', () => undefined),
    telemetryOptions: { logging: { forward: {}, filter: { core: 'ERROR', other: 'ERROR' } } },
  });
}

/**
 * Starts to serve. What a killed command of this host had in hand is given back, so that it goes on at once.
 * @throws WB_TEMPORAL_UNREACHABLE when Temporal does not answer for a minute
 */
export async function serveHere(options: HereOptions): Promise<HereWorker> {
  const { client, connection, site, request, secrets, stateDir } = options;
  const { transfer } = client.queues(site);
  const others = pollersHere(await client.pollersOf(transfer));
  const engineId = await client.engineId();
  const { reach, guard } = onlyThisPull(request, secrets);
  quietRuntime();
  const engine = createWorkerEngine({ client, engineId, reach, stateDir });
  const queues = await startWorkerQueues({
    ...connection,
    identity: identityOf(process.pid),
    queues: { transfer: [transfer] },
    engine: guard(engine),
    isLocal: true,
  });
  for (const pid of others.filter((one) => !isAlive(one))) await client.handBack(identityOf(pid));
  const ended = queues.ended.finally(() => engine.close());
  // Whoever follows the pull hears of it; until then nobody may.
  ended.catch(() => undefined);
  return {
    isShared: others.some(isAlive),
    ended,
    stop: async () => {
      await queues.stop().catch(() => undefined);
      await ended.catch(() => undefined);
    },
  };
}
