/** A transfer engine on its own, without Temporal: for tests of what happens on disk. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PullRequest, PullResult } from '../../src/model/pull.js';
import { StoreRegistry } from '../../src/stores/registry.js';
import { startProgress, type CallContext, type TransferEngine } from '../../src/transfer/api.js';
import { createTransferEngine, type EngineDeps } from '../../src/transfer/engine.js';
import { openReach } from '../../src/transfer/reach.js';

/** A folder that the operating system clears. */
export function scratch(name: string): Promise<string> {
  return mkdtemp(join(tmpdir(), `waybill-${name}-`));
}

/** A request with defaults, for a source and a destination. */
export function requestOf(
  uri: string,
  destination: string,
  changes: Partial<PullRequest> = {},
): PullRequest {
  return {
    protocol: 1,
    source: { uri, settings: {} },
    destination: { path: destination, isFolder: false },
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

/** An engine over the real stores, with real threads. */
export function engineOf(changes: Partial<EngineDeps> = {}): TransferEngine {
  return createTransferEngine({
    sources: new StoreRegistry(),
    reach: openReach(() => Promise.resolve({})),
    engineId: 'test',
    ask: () => Promise.resolve('closed'),
    threadEntry: new URL('../../src/thread.js', import.meta.url),
    version: 'test',
    now: () => new Date().toISOString(),
    ...changes,
  });
}

/** A context that nobody watches. */
export function contextOf(signal: AbortSignal = new AbortController().signal): CallContext {
  return { signal, progress: startProgress('resolving'), attempt: 1 };
}

let runs = 0;

/**
 * What a workflow does, in a straight line: file-scoped failures are recorded, everything else is thrown.
 * @param tries attempts of a unit whose failure is retryable and about a file
 */
export async function pullWith(
  engine: TransferEngine,
  request: PullRequest,
  runId = `run-${(runs += 1)}`,
  context: CallContext = contextOf(),
  tries = 1,
): Promise<PullResult> {
  const fetchUnit: TransferEngine['fetchUnit'] = async (unit) => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await engine.fetchUnit(unit, { ...context, attempt });
      } catch (error) {
        const { scope, retryable } = error as { scope?: string; retryable?: boolean };
        if (attempt >= tries || scope !== 'file' || retryable !== true) throw error;
      }
    }
  };
  const resolved = await engine.resolve({ request }, context);
  const { ref } = await engine.claim({ pullId: 'pull', runId, request, resolved }, context);
  try {
    for (let page = 0; ; page += 1) {
      const planned = await engine.planPage({ ref, page }, context);
      for (let unit = 0; unit < planned.units; unit += 1) {
        const fetched = await fetchUnit({ ref, page, unit }, context).catch(settle(unit));
        for (const entry of fetched?.expelled ?? []) {
          await fetchUnit({ ref, page, unit, entry }, context).catch(settle(unit, entry));
        }
        function settle(failedUnit: number, entry?: number) {
          return async (error: { scope?: string; code?: string; message: string }) => {
            if (error.scope !== 'file') throw error;
            const failure = {
              path: '',
              code: error.code as 'WB_NOT_FOUND',
              message: error.message,
            };
            const at = { ref, page, unit: failedUnit, ...(entry === undefined ? {} : { entry }) };
            await engine.recordFailure({ ...at, failure });
            return undefined;
          };
        }
      }
      if (planned.isLast) break;
    }
    return await engine.seal({ ref }, context);
  } catch (error) {
    await engine.release({ ref });
    throw error;
  }
}
