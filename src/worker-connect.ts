/** How a worker gets at its Temporal, which may be started beside it. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { WaybillClient } from './client.js';
import type { ClientOptions } from './client/types.js';
import { asWaybillError, WaybillError } from './model/errors.js';
import { probeTemporal } from './service/temporal-probe.js';

/** A worker waits so long for its Temporal, and says meanwhile that it does. */
const PATIENCE_MS = 60_000;
const SAY_EVERY_MS = 10_000;
const TRY_MS = 2_000;
/** Asking a port of this machine costs nothing; a cluster is not hammered. */
const AGAIN_AFTER_MS = { local: 15, cluster: 200 };

export interface PatientOptions {
  readonly connection: ClientOptions;
  /** Temporal is on this machine, and starts about now. */
  readonly isLocal: boolean;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/**
 * Keeps trying: the local Temporal is started beside the worker, not before it. Undefined: it was stopped meanwhile.
 * @throws WB_TEMPORAL_UNREACHABLE when Temporal does not answer for a minute; WB_UNAUTHENTICATED at once where it refuses
 */
export async function connectPatiently(
  options: PatientOptions,
): Promise<WaybillClient | undefined> {
  const { connection, isLocal, log, signal } = options;
  const until = performance.now() + PATIENCE_MS;
  let saysAt = performance.now() + (isLocal ? SAY_EVERY_MS : 0);
  while (!signal.aborted) {
    try {
      if (isLocal) await untilItAnswers(connection.address);
      const client = await WaybillClient.connect({ ...connection, connectTimeoutMs: TRY_MS });
      return isLocal ? client : await ifItMayServe(client);
    } catch (error) {
      const now = performance.now();
      // Waiting helps where nobody answers, not against a refusal.
      const isSilent = asWaybillError(error).code === 'WB_TEMPORAL_UNREACHABLE';
      if (now > until || !isSilent) throw error;
      if (now > saysAt) {
        const leftSeconds = Math.round((until - now) / 1_000);
        log.warn(
          { leftSeconds },
          `Temporal at ${connection.address} does not answer yet; trying on`,
        );
        saysAt = now + SAY_EVERY_MS;
      }
      await sleep(AGAIN_AFTER_MS[isLocal ? 'local' : 'cluster']);
    }
  }
  return undefined;
}

/** A worker without the right to poll would say that it polls, and never get anything to do. */
async function ifItMayServe(client: WaybillClient): Promise<WaybillClient> {
  try {
    await client.checkMayServe();
    return client;
  } catch (error) {
    await client.close();
    throw error;
  }
}

/** gRPC waits a second before it tries a refused connection again: it is not given one that is refused. */
async function untilItAnswers(address: string): Promise<void> {
  const found = await probeTemporal(address, TRY_MS);
  if (found === 'answers') return;
  throw new WaybillError('WB_TEMPORAL_UNREACHABLE', `Temporal at ${address}: ${found}`);
}
