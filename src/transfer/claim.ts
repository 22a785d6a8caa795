/** Taking a destination for a pull (rules 6 and 7), before anything is planned. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { WaybillError } from '../model/errors.js';
import type { PullRequest } from '../model/pull.js';
import type { Claim, ResolvedSource } from './api.js';
import { setDamagedAside, sourcesAsked } from './damaged-record.js';
import { toDestinationError } from './destination-error.js';
import { isDamage, makeFolderDurably, remove } from './durable-file.js';
import { refuseOwnedNeighbours } from './neighbours.js';
import { layoutOf, RECORD_NAMES, type Layout } from './layout.js';
import { mountPointOf } from './mount-point.js';
import {
  claimOwner,
  destinationIdOf,
  releaseOwner,
  type AskOwner,
  type ClaimInput,
} from './owner.js';
import { dropPartial } from './partial.js';
import { foldsNames, probeNames } from './plan/probe-names.js';
import { readPullRecord, writePullRecord } from './pull-record.js';
import { lookAt } from './take-name.js';

/** What a claim is made of. */
export interface ClaimRequest {
  readonly pullId: string;
  readonly runId: string;
  readonly request: PullRequest;
  readonly resolved: ResolvedSource;
  readonly engineId: string;
  readonly ask: AskOwner;
  /** ISO 8601. */
  readonly now: string;
}

/**
 * Claims the destination and writes the request beside it. Run again for the same run it answers the same. Throws
 * WB_DESTINATION_OWNED, WB_CONFLICT (another source was here, or `--if-exists fail`), WB_PERMISSION_DENIED, WB_NO_SPACE.
 */
export async function claimDestination(input: ClaimRequest): Promise<Claim> {
  const layout = layoutOf(input.request, input.resolved);
  await refuseFileInTheWay(layout);
  const isNewFolder = (await kindOf(layout.filesRoot)) === undefined;
  await refuseOtherSource(layout.recordDir, input.request);
  const holdsFiles = await holdsOtherThings(layout);
  if (input.request.ifExists === 'fail') await refuseContent(layout, holdsFiles);

  const owner: ClaimInput = {
    ...input,
    recordDir: layout.recordDir,
    takeOver: input.request.takeOver,
  };
  await refuseOwnedNeighbours(layout, owner);
  await makeFolderDurably(layout.recordDir);
  const epoch = await claimOwner(owner);
  const destinationId = await destinationIdOf(layout.recordDir);
  // Of two that claim at once, one inside the other, at least one sees the other now.
  await refuseOwnedNeighbours(layout, owner).catch(async (error: unknown) => {
    await releaseOwner({ recordDir: layout.recordDir, destinationId, epoch });
    throw error;
  });
  if (input.request.ifExists === 'overwrite') await setDamagedAside(layout.recordDir);
  const earlier = await readPullRecord(layout.recordDir).catch(() => undefined);
  if (earlier?.runId !== input.runId) {
    await writePullRecord(layout.recordDir, {
      v: 1,
      pullId: input.pullId,
      runId: input.runId,
      request: input.request,
      resolved: input.resolved,
      startedAt: input.now,
      madeFolder: isNewFolder || earlier?.madeFolder === true,
    });
    await remove(join(layout.recordDir, RECORD_NAMES.tuning));
    await dropLeftovers(layout.recordDir, input.runId);
  }
  const { maxFiles, maxBytes } = input.request;
  // Of two names that are one there, the first may stand in the first page and the second in the last.
  const isTree = layout.singleName === undefined;
  const folds = isTree && foldsNames(await probeNames(layout.recordDir));
  const mount = await mountPointOf(layout.recordDir);
  return {
    ref: {
      pullId: input.pullId,
      runId: input.runId,
      recordDir: layout.recordDir,
      destinationId,
      epoch,
      ...(mount === undefined ? {} : { mount }),
    },
    destination: layout.destination,
    needsWholePlan: holdsFiles || folds || maxFiles !== undefined || maxBytes !== undefined,
  };
}

async function kindOf(path: string): Promise<'file' | 'folder' | undefined> {
  try {
    return (await stat(path)).isDirectory() ? 'folder' : 'file';
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT') return undefined;
    throw toDestinationError(error, 'look at', path);
  }
}

async function refuseFileInTheWay(layout: Layout): Promise<void> {
  if ((await kindOf(layout.filesRoot)) === 'file') {
    const message = `${layout.filesRoot} is a file, and the source is a folder: choose another destination`;
    throw new WaybillError('WB_CONFLICT', message, { operation: 'claim' });
  }
  if (layout.singleName !== undefined && (await kindOf(layout.destination)) === 'folder') {
    const message = `${layout.destination} is a folder: end it in a slash to put the file inside`;
    throw new WaybillError('WB_CONFLICT', message, { operation: 'claim' });
  }
}

/** A different source into a destination that another one filled is a conflict (design 2). */
async function refuseOtherSource(recordDir: string, request: PullRequest): Promise<void> {
  if (request.replaceSource) return;
  const record = await readPullRecord(recordDir).catch(() => undefined);
  const [receipt, previous] = await sourcesAsked(recordDir).catch((error: unknown) => {
    if (isDamage(error) && request.ifExists === 'overwrite') return [];
    throw error;
  });
  const earlier = record?.request.source.uri ?? receipt ?? previous;
  if (earlier === undefined || trimmed(earlier) === trimmed(request.source.uri)) return;
  throw new WaybillError(
    'WB_CONFLICT',
    `the destination holds ${earlier}: choose another one, or pull with --replace-source`,
    { operation: 'claim' },
  );
}

/** `s3://bucket/model/` and `s3://bucket/model` are one source. */
function trimmed(uri: string): string {
  return uri.replace(/\/+$/, '');
}

/** Whether there is anything beside the record that a plan has to be compared with. */
async function holdsOtherThings(layout: Layout): Promise<boolean> {
  if (layout.singleName !== undefined) return (await kindOf(layout.destination)) !== undefined;
  try {
    const names = await readdir(layout.filesRoot);
    return names.some((name) => join(layout.filesRoot, name) !== layout.recordDir);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw toDestinationError(error, 'list', layout.filesRoot);
  }
}

async function refuseContent(layout: Layout, holdsFiles: boolean): Promise<void> {
  if (!holdsFiles) return;
  // What an interrupted run has brought that found the place empty is not in the way.
  const earlier = await readPullRecord(layout.recordDir).catch(() => undefined);
  if (earlier?.request.ifExists === 'fail') return;
  const message = `${layout.destination} is not empty, and --if-exists fail was given: it goes on where a pull was with --if-exists update`;
  throw new WaybillError('WB_CONFLICT', message, { operation: 'claim' });
}

/** Plans of earlier runs, and partials that have no recorded part, are of no use to this run. */
async function dropLeftovers(recordDir: string, planId: string): Promise<void> {
  const plans = await namesIn(join(recordDir, RECORD_NAMES.plan));
  for (const name of plans) {
    if (name !== planId) await remove(join(recordDir, RECORD_NAMES.plan, name));
  }
  await dropLooseParts(recordDir);
}

/** Drops partials that have no recorded part: nothing of them could be used again. */
export async function dropLooseParts(recordDir: string): Promise<void> {
  const partials = new Set(await namesIn(join(recordDir, RECORD_NAMES.partial)));
  for (const name of partials) {
    const isKept = name.endsWith('.parts')
      ? partials.has(name.slice(0, -6))
      : partials.has(`${name}.parts`);
    const path = join(recordDir, RECORD_NAMES.partial, name);
    // One that has a second name was published when the run was killed: it is no partial any more.
    if (await hasSecondName(path)) await dropPartial(path);
    else if (!isKept) await remove(path);
  }
}

async function hasSecondName(path: string): Promise<boolean> {
  return ((await lookAt(path))?.nlink ?? 0n) > 1n;
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}
