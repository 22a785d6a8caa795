/** What `[id]` means: an id, a unique prefix, a destination's path, nothing for the latest. */
import { existsSync } from 'node:fs';
import { WaybillError } from '../model/errors.js';
import { shellQuote } from '../model/shell-quote.js';
import type { PullSummary, WaybillClient } from '../client.js';
import { findPullRecord } from '../transfer/pull-record.js';
import { hungWay, refuseHung } from './hung-share.js';
import { realPathOf } from './request/destination.js';

/** The absolute path that the text may mean, or undefined where it can only be an id. */
export function pathMeant(text: string): string | undefined {
  const isPath = text.includes('/') || text === '.' || text === '..' || existsSync(text);
  // A pull onto a share that hangs is known by its path, as far as that can be told from here.
  return isPath ? (hungWay(text)?.path ?? realPathOf(text)) : undefined;
}

/** Finds a pull that still runs. One that has ended is WB_USAGE. */
export async function findRunningPull(
  client: Pick<WaybillClient, 'find'>,
  wanted: string | undefined,
  verb: string,
): Promise<PullSummary> {
  const found = await findPull(client, wanted).catch(async (error: unknown) => {
    throw await withWayOn(error, wanted);
  });
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

/**
 * Says a word to a pull that was found running. One that has ended since is WB_USAGE, as if it had been found so:
 * Temporal's list can be seconds behind, it refuses a word to a run that is over as one to an unknown pull, and takes the
 * cancelling of one without a word.
 */
export async function sayTo(
  client: Pick<WaybillClient, 'isRunOpen' | 'status'>,
  found: PullSummary,
  verb: string,
  word: (pullId: string) => Promise<void>,
): Promise<void> {
  const { pullId } = found;
  const refuseEnded = async (): Promise<void> => {
    if (await client.isRunOpen(pullId)) return;
    const { state } = await client.status(pullId);
    throw hasEnded({ ...found, state }, verb);
  };
  await refuseEnded();
  try {
    await word(pullId);
  } catch (error) {
    if (error instanceof WaybillError && error.code === 'WB_NOT_FOUND') await refuseEnded();
    throw error;
  }
}

/** Finds the pull by its id, prefix or path, or by the record that lies at the path: a single file knows in which folder it goes. Throws WB_NOT_FOUND, or WB_USAGE where a prefix fits several. */
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
    if (!isUnknown || wanted === undefined) throw error;
    refuseHung(path, 'destination');
    const recorded = await findByRecord(client, path);
    if (recorded !== undefined) return recorded;
    // A folder of that name may be here by chance.
    if (!wanted.includes('/')) return client.find(wanted);
    throw error;
  }
}

async function findByRecord(
  client: Pick<WaybillClient, 'find'>,
  path: string,
): Promise<PullSummary | undefined> {
  const record = await findPullRecord(path);
  if (record === undefined) return undefined;
  try {
    return await client.find(record.pullId);
  } catch (error) {
    if (error instanceof WaybillError && error.code === 'WB_NOT_FOUND') return undefined;
    throw error;
  }
}

/**
 * The error of a command that only a running pull can obey, where Temporal has forgotten the pull and its record tells
 * how it goes on; any other error as it is.
 */
export async function withWayOn(error: unknown, wanted: string | undefined): Promise<unknown> {
  const isUnknown = error instanceof WaybillError && error.code === 'WB_NOT_FOUND';
  const path = wanted === undefined || !isUnknown ? undefined : pathMeant(wanted);
  if (path !== undefined) refuseHung(path, 'destination');
  if (path === undefined || (await findPullRecord(path)) === undefined) return error;
  return new WaybillError(
    'WB_NOT_FOUND',
    `the pull into ${path} does not run, and Temporal no longer knows it`,
    {
      scope: 'request',
      cause: error,
      advice: `It goes on where it stopped with: waybill resume ${shellQuote(path)}`,
    },
  );
}
