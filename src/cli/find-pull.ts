/** What `[id]` means: an id, a unique prefix, a destination's path, nothing for the latest. */
import { existsSync } from 'node:fs';
import { WaybillError } from '../model/errors.js';
import type { PullSummary, WaybillClient } from '../client.js';
import { realPathOf } from './request/destination.js';

/** The absolute path that the text may mean, or undefined where it can only be an id. */
export function pathMeant(text: string): string | undefined {
  return text.includes('/') || text === '.' || text === '..' || existsSync(text)
    ? realPathOf(text)
    : undefined;
}

/** Finds a pull that still runs. One that has ended is WB_USAGE. */
export async function findRunningPull(
  client: Pick<WaybillClient, 'find'>,
  wanted: string | undefined,
  verb: string,
): Promise<PullSummary> {
  const found = await findPull(client, wanted);
  if (found.state === 'running') return found;
  throw hasEnded(found, verb);
}

/** What is said of a pull that has ended. */
export function hasEnded({ pullId, destination, state }: PullSummary, verb: string): WaybillError {
  return new WaybillError(
    'WB_USAGE',
    `the pull ${pullId} into ${destination} has ended (${state}); there is nothing to ${verb}`,
  );
}

/** Finds the pull. Throws WB_NOT_FOUND, or WB_USAGE where a prefix fits several. */
export async function findPull(
  client: Pick<WaybillClient, 'find'>,
  wanted: string | undefined,
): Promise<PullSummary> {
  const path = wanted === undefined ? undefined : pathMeant(wanted);
  if (path === undefined) return client.find(wanted);
  try {
    return await client.find(path);
  } catch (error) {
    const isUnknown = error instanceof WaybillError && error.code === 'WB_NOT_FOUND';
    // A folder of that name may be here by chance.
    if (!isUnknown || wanted === undefined || wanted.includes('/')) throw error;
    return client.find(wanted);
  }
}
