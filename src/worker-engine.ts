/** The engine of a process that serves work, wherever its bytes may come from: the worker's, and that of `pull --here`. */
import type { WaybillClient } from './client.js';
import { serviceFiles } from './service/service-files.js';
import { readWaybillVersion } from './service/version.js';
import { StoreRegistry } from './stores/registry.js';
import type { TransferEngine } from './transfer/api.js';
import { createTransferEngine, type EngineDeps } from './transfer/engine.js';

/** What differs between them. */
export interface WorkerEngineOptions {
  readonly client: WaybillClient;
  /** Names the Temporal, or the local service, whose pulls this engine may ask about (rule 6). */
  readonly engineId: string;
  readonly reach: EngineDeps['reach'];
  /** The state folder of this host. */
  readonly stateDir: string;
  readonly share?: EngineDeps['share'];
  readonly commonLimits?: EngineDeps['commonLimits'];
}

/** Makes the engine; close it when the last unit has ended. */
export function createWorkerEngine({
  client,
  engineId,
  reach,
  stateDir,
  share,
  commonLimits,
}: WorkerEngineOptions): TransferEngine {
  return createTransferEngine({
    sources: new StoreRegistry(),
    reach,
    engineId,
    ask: async (owner) => {
      if (owner.engineId !== engineId) return 'unknown';
      return (await client.isRunOpen(owner.pullId, owner.runId)) ? 'open' : 'closed';
    },
    threadEntry: new URL('./thread.js', import.meta.url),
    version: readWaybillVersion(),
    now: () => new Date().toISOString(),
    mountsFile: serviceFiles(stateDir).mounts,
    ...(share === undefined ? {} : { share }),
    ...(commonLimits === undefined ? {} : { commonLimits }),
  });
}
