/** A real Temporal, a client, and workers around stand-in engines. */
import { bundleWorkflowCode, Runtime, DefaultLogger } from '@temporalio/worker';
import { fileURLToPath } from 'node:url';
import { WaybillClient } from '../../../src/client.js';
import { PROTOCOL, type PullRequest } from '../../../src/model/pull.js';
import type { TransferEngine } from '../../../src/transfer/api.js';
import { startWorkerQueues, type WorkerQueues } from '../../../src/worker-queues.js';
import type { Tuning } from '../../../src/workflows/messages.js';
import { startTemporal, type Temporal, type TemporalOptions } from '../../helpers/temporal.js';

export { until } from '../../helpers/until.js';

/** Short waits, so that what takes minutes in earnest takes seconds here; as many units at once as the local service has. */
export const QUICK: Partial<Tuning> = {
  window: 6,
  openShards: 8,
  probeFirstMs: 300,
  probeMaxMs: 600,
  giveUpUnreachedMs: 3_000,
  noWorkerMs: 2_000,
};

export interface Bench {
  readonly temporal: Temporal;
  readonly client: WaybillClient;
  /**
   * @param isStranger it neither signs nor asks for signatures
   * @param workflowsAlone it serves this queue of workflows and nothing else
   */
  startWorker(
    engine: TransferEngine,
    identity?: string,
    isStranger?: boolean,
    workflowsAlone?: string,
    /** Other workflows than those that are tested. */
    workflows?: { readonly code: string },
  ): Promise<WorkerQueues>;
  stop(): Promise<void>;
}

let isInstalled = false;

/** Keeps the native parts from writing into the report of the tests. */
export function installQuietRuntime(): void {
  if (isInstalled) return;
  isInstalled = true;
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    shutdownSignals: [],
    telemetryOptions: { logging: { forward: {}, filter: 'ERROR' } },
  });
}

/** The bundle of the workflows as they were just compiled. */
export async function workflowBundle(): Promise<{ code: string }> {
  const workflowsPath = fileURLToPath(new URL('../../../src/workflows/index.js', import.meta.url));
  const guard = fileURLToPath(new URL('../../../src/workflows/guard.js', import.meta.url));
  const { code } = await bundleWorkflowCode({
    workflowsPath,
    workflowInterceptorModules: [guard],
    logger: new DefaultLogger('ERROR'),
  });
  return { code };
}

/** What a bench may be given beside Temporal's own options. */
export interface BenchOptions extends TemporalOptions {
  readonly clientIdentity?: string;
  /** Client and workers sign, as those of the local service do. */
  readonly payloadKey?: Buffer;
}

export async function startBench(options: BenchOptions = {}): Promise<Bench> {
  installQuietRuntime();
  const [temporal, bundle] = await Promise.all([startTemporal(options), workflowBundle()]);
  const signing = options.payloadKey === undefined ? {} : { payloadKey: options.payloadKey };
  const client = await WaybillClient.connect({
    address: temporal.address,
    identity: options.clientIdentity ?? 'bench/client',
    ...signing,
  });
  const workers: WorkerQueues[] = [];
  return {
    temporal,
    client,
    startWorker: async (engine, identity = 'bench/worker', isStranger = false, alone, other) => {
      const { workflows, transfer } = client.queues();
      const worker = await startWorkerQueues({
        address: temporal.address,
        ...(isStranger ? {} : signing),
        identity,
        queues:
          alone === undefined
            ? { workflows, transfer: [transfer] }
            : { workflows: alone, transfer: [] },
        engine,
        isLocal: true,
        workflowBundle: other ?? bundle,
      });
      workers.push(worker);
      return worker;
    },
    stop: async () => {
      await Promise.all(workers.map((worker) => worker.stop()));
      await client.close();
      await temporal.stop();
    },
  };
}

let lastDestination = 0;

/** A request for a destination that no other test uses. */
export function newRequest(changes: Partial<PullRequest> = {}): PullRequest {
  lastDestination += 1;
  return {
    protocol: PROTOCOL,
    source: { uri: 'file:///source', settings: {} },
    destination: { path: `/destination/${lastDestination}`, isFolder: false },
    filters: { include: [], exclude: [] },
    ifExists: 'update',
    requireLevel: 'none',
    acceptUnprovenLength: false,
    checksum: false,
    prune: false,
    reread: false,
    replaceSource: false,
    takeOver: false,
    ...changes,
  };
}
