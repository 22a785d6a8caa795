/** One large file in parts that survive a kill (design 6.5, rules 12, 13, 16). */
import { createHash } from 'node:crypto';
import { copyFile, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { constants } from 'node:fs';
import { join } from 'node:path';
import { asWaybillError, fromPlainError, WaybillError } from '../model/errors.js';
import type { Pin } from '../model/object-entry.js';
import type { CallContext } from './api.js';
import { toDestinationError } from './destination-error.js';
import type { PlanEntry } from './plan/page.js';
import type { PullContext } from './pull-context.js';
import type { Arrived } from './prove.js';
import { Cell } from './thread/cell.js';
import { digestNames } from './thread/hashes.js';
import { readExtents } from './sidecar.js';
import type { Extent, FetchRangeOutcome, Observed } from './thread/tasks.js';
import { watchCell } from './watch-cell.js';

/** A part, and so what one stream may have to fetch again after a kill. */
export const PART_BYTES = 16 * 1024 * 1024;

/** Streams of one file. More of them help over long links, and are bounded by the pull's connections. */
const STREAMS = 4;

/** A large file whose version is known. */
export interface LargeFile {
  readonly plan: PlanEntry;
  readonly sizeBytes: number;
  readonly pin: Pin;
  /** What an answer or a description has said beside the listing. */
  readonly observed: Observed;
}

/** A file in its partial, flushed. */
export interface LargeArrived extends Omit<Arrived, 'attempts'> {
  readonly partialPath: string;
  readonly stamp: { readonly inode: string; readonly mtimeNs: string };
  /** Bytes that this attempt brought over the network. */
  readonly bytesFetched: number;
}

/** Fetches what is missing of a large file. On an abort all that came is recorded; rejects with the signal's reason. */
export async function fetchLarge(
  pull: PullContext,
  file: LargeFile,
  context: CallContext,
): Promise<LargeArrived> {
  const name = createHash('sha256')
    .update(JSON.stringify([file.plan.path, file.pin]))
    .digest('hex');
  const partialPath = join(pull.partialDir, name.slice(0, 32));
  const sidecarPath = `${partialPath}.parts`;
  const { progress } = context;
  progress.name = file.plan.path;
  progress.bytesTotal = file.sizeBytes;
  const cell = new Cell();
  const unwatch = watchCell(cell, context.signal);
  try {
    progress.phase = 're-checking';
    const extents = await provenExtents(pull, file, partialPath, sidecarPath, context);
    const startBytes = extents.reduce((total, extent) => total + extent.lengthBytes, 0);
    progress.phase = 'fetching';
    const timer = setInterval(() => {
      progress.bytesDone = Math.min(file.sizeBytes, startBytes + cell.bytes);
    }, 200);
    try {
      cell.frontier = frontierOf(extents);
      const names = digestNames(file.plan.digests, file.observed.digests);
      const hashing = pull.pool.follow({
        cell: cell.memory,
        partialPath,
        sizeBytes: file.sizeBytes,
        digests: names,
        ...modifiedAtOf(file),
      });
      const fetching = fetchGaps(pull, file, { partialPath, sidecarPath, extents, cell }, context);
      await fetching.catch(async (error: unknown) => {
        cell.stop();
        await hashing;
        throw error;
      });
      progress.phase = 'hashing';
      progress.bytesDone = file.sizeBytes;
      const hashed = await hashing;
      context.signal.throwIfAborted();
      if (hashed.kind === 'failed') throw fromPlainError(hashed.error);
      if (hashed.kind === 'stopped')
        throw new WaybillError('WB_UNEXPECTED', 'the hash was stopped');
      return {
        partialPath,
        sizeBytes: file.sizeBytes,
        digests: hashed.digests,
        observed: file.observed,
        stamp: hashed.stamp,
        bytesFetched: cell.bytes,
      };
    } finally {
      clearInterval(timer);
    }
  } finally {
    unwatch();
  }
}

/** Forgets a partial whose bytes were wrong: it starts from nothing the next time (rule 17). */
export async function dropPartial(partialPath: string): Promise<void> {
  await rm(`${partialPath}.parts`, { force: true });
  await rm(partialPath, { force: true });
}

function modifiedAtOf(file: LargeFile): { modifiedAt?: string } {
  const modifiedAt = file.observed.modifiedAt ?? file.plan.modifiedAt;
  return modifiedAt === undefined ? {} : { modifiedAt };
}

/** Opens or makes the partial and re-hashes its recorded parts (rule 16); parts that differ are forgotten. */
async function provenExtents(
  pull: PullContext,
  file: LargeFile,
  partialPath: string,
  sidecarPath: string,
  context: CallContext,
): Promise<Extent[]> {
  try {
    await mkdir(pull.partialDir, { recursive: true });
    const recorded = readExtents(sidecarPath);
    if (recorded.length === 0 || !(await isThere(partialPath))) {
      await dropPartial(partialPath);
      const mode = file.plan.isExecutable === true ? 0o777 : 0o666;
      const handle = await open(partialPath, 'wx', mode);
      await handle.truncate(file.sizeBytes).finally(() => handle.close());
      return [];
    }
    if (file.pin.strength === 'weak') await moveToNewInode(partialPath);
    context.progress.bytesDone = 0;
    const cell = new Cell();
    const unwatch = watchCell(cell, context.signal);
    const timer = setInterval(() => {
      context.progress.bytesDone = cell.bytes;
    }, 200);
    try {
      const task = { cell: cell.memory, path: partialPath, extents: recorded };
      const hashed = await pull.pool.hashExtents(task);
      context.signal.throwIfAborted();
      if (hashed.kind === 'failed') throw fromPlainError(hashed.error);
      const sums = hashed.kind === 'hashed' ? hashed.sha256 : [];
      return recorded.filter((extent, index) => sums[index] === extent.sha256);
    } finally {
      clearInterval(timer);
      unwatch();
    }
  } catch (error) {
    if (context.signal.aborted) throw context.signal.reason;
    throw toDestinationError(error, 'open the partial', partialPath);
  }
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** With a weak pin a former attempt may still write: it keeps the old inode, this attempt gets a copy (rule 13). */
async function moveToNewInode(partialPath: string): Promise<void> {
  const copy = `${partialPath}.copy`;
  await rm(copy, { force: true });
  await copyFile(partialPath, copy, constants.COPYFILE_FICLONE);
  await rename(copy, partialPath);
}

function frontierOf(extents: readonly Extent[]): number {
  let end = 0;
  for (const extent of [...extents].sort((a, b) => a.offsetBytes - b.offsetBytes)) {
    if (extent.offsetBytes > end) break;
    end = Math.max(end, extent.offsetBytes + extent.lengthBytes);
  }
  return end;
}

interface Gap {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

/** What no proven part covers, cut at part boundaries unless one stream has to take it in a row. */
function gapsOf(extents: readonly Extent[], sizeBytes: number, isParallel: boolean): Gap[] {
  const gaps: Gap[] = [];
  const add = (from: number, to: number): void => {
    let offsetBytes = from;
    while (offsetBytes < to) {
      const boundary = isParallel
        ? Math.min(to, (Math.floor(offsetBytes / PART_BYTES) + 1) * PART_BYTES)
        : to;
      gaps.push({ offsetBytes, lengthBytes: boundary - offsetBytes });
      offsetBytes = boundary;
    }
  };
  let end = 0;
  for (const extent of [...extents].sort((a, b) => a.offsetBytes - b.offsetBytes)) {
    if (extent.offsetBytes > end) add(end, extent.offsetBytes);
    end = Math.max(end, extent.offsetBytes + extent.lengthBytes);
  }
  if (end < sizeBytes) add(end, sizeBytes);
  return gaps;
}

interface Places {
  readonly partialPath: string;
  readonly sidecarPath: string;
  readonly extents: readonly Extent[];
  readonly cell: Cell;
}

/** Fetches all gaps. A strong pin lets several streams work; a weak one only a single stream (rule 12). */
async function fetchGaps(
  pull: PullContext,
  file: LargeFile,
  places: Places,
  context: CallContext,
): Promise<void> {
  const isParallel = file.pin.strength === 'strong';
  const gaps = gapsOf(places.extents, file.sizeBytes, isParallel);
  const done: Extent[] = [...places.extents];
  let failure: unknown;
  const stream = async (): Promise<void> => {
    for (;;) {
      const gap = gaps.shift();
      if (gap === undefined || failure !== undefined || places.cell.isStopped) return;
      const taken = await pull.permits.take(1, context.signal);
      try {
        const outcome = await fetchGap(pull, file, places, gap, !isParallel);
        done.push({ offsetBytes: gap.offsetBytes, lengthBytes: outcome.lengthBytes, sha256: '' });
        places.cell.frontier = frontierOf(done);
        if (outcome.kind === 'failed') failure ??= fromPlainError(outcome.error);
      } finally {
        pull.permits.give(taken);
      }
    }
  };
  const lanes = isParallel ? Math.min(STREAMS, gaps.length) : 1;
  const results = await Promise.allSettled(Array.from({ length: lanes }, stream));
  context.signal.throwIfAborted();
  const rejected = results.find((result) => result.status === 'rejected');
  const error: unknown = failure ?? rejected?.reason;
  if (error !== undefined) throw asWaybillError(error);
}

function fetchGap(
  pull: PullContext,
  file: LargeFile,
  places: Places,
  gap: Gap,
  movesFrontier: boolean,
): Promise<FetchRangeOutcome> {
  return pull.pool.fetchRange({
    address: pull.address,
    cell: places.cell.memory,
    sourcePath: file.plan.sourcePath ?? file.plan.path,
    partialPath: places.partialPath,
    sidecarPath: places.sidecarPath,
    offsetBytes: gap.offsetBytes,
    lengthBytes: gap.lengthBytes,
    partBytes: PART_BYTES,
    sizeBytes: file.sizeBytes,
    pin: file.pin,
    movesFrontier,
  });
}
