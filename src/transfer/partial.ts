/** The partial of a large file on disk: made, found again, and its recorded parts proven (rules 12, 13, 16). */
import { open, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fromPlainError } from '../model/errors.js';
import type { Pin } from '../model/object-entry.js';
import { moveToNewInode, type CopyWatch } from './copy-partial.js';
import { errnoOf, toDestinationError } from './destination-error.js';
import { makeFolderInside, remove } from './durable-file.js';
import type { ThreadPool } from './pool.js';
import { isProvenDead, isThisProcess, thisProcess } from './process-identity.js';
import { appendWriter, readSidecar } from './sidecar.js';
import { BLOCK_BYTES } from './space.js';
import type { Cell } from './thread/cell.js';
import type { Extent } from './thread/tasks.js';

/** What a partial has to be. */
export interface PartialFile {
  readonly partialPath: string;
  readonly sidecarPath: string;
  readonly sizeBytes: number;
  readonly pin: Pin;
  readonly isExecutable: boolean;
}

/**
 * Opens or makes the partial; answers the parts that its sidecar claims. They are not proven yet. Rejects with the signal's
 * reason, or with WB_DESTINATION_FAILED and its kin.
 * @param watch of what a copy of a large one takes
 */
export async function openPartial(file: PartialFile, watch: CopyWatch): Promise<Extent[]> {
  const { partialPath } = file;
  try {
    await makeFolderInside(dirname(partialPath));
    const recorded = await takenOver(file, watch);
    if (recorded.length === 0) {
      await dropPartial(partialPath);
      const handle = await open(partialPath, 'wx', file.isExecutable ? 0o777 : 0o666);
      await handle.truncate(file.sizeBytes).finally(() => handle.close());
    }
    appendWriter(file.sidecarPath, thisProcess());
    return recorded;
  } catch (error) {
    watch.signal.throwIfAborted();
    throw toDestinationError(error, 'open the partial', partialPath);
  }
}

/** The recorded parts of a partial that this attempt may write to; none where it starts from nothing. */
async function takenOver(file: PartialFile, watch: CopyWatch): Promise<Extent[]> {
  const { partialPath, pin, sidecarPath } = file;
  const { extents: recorded, writer } = readSidecar(sidecarPath);
  if (recorded.length === 0 || !(await isThere(partialPath))) return [];
  const mayStillWrite = writer !== undefined && !isThisProcess(writer) && !isProvenDead(writer);
  // One that has a second name was published already: nobody writes into a published file.
  const isShared = (await stat(partialPath)).nlink > 1;
  if (pin.strength === 'strong' && !mayStillWrite && !isShared) return recorded;
  try {
    await moveToNewInode(partialPath, recorded, watch);
    return recorded;
  } catch (error) {
    // One that fits once and not twice comes again: nobody would ever make room for the copy.
    if (NO_SPACE.includes(errnoOf(error) ?? '') && (await fitsAnew(file))) return [];
    throw error;
  }
}

const NO_SPACE = ['ENOSPC', 'EDQUOT'];

/** Whether there is room for all of a file once its partial has gone. */
async function fitsAnew({ partialPath, sizeBytes }: PartialFile): Promise<boolean> {
  const { bavail, bsize } = await statfs(dirname(partialPath));
  const { blocks } = await stat(partialPath);
  return bavail * bsize + blocks * BLOCK_BYTES >= sizeBytes;
}

/** Forgets a partial whose bytes were wrong: it starts from nothing the next time (rule 17). */
export async function dropPartial(partialPath: string): Promise<void> {
  await remove(`${partialPath}.parts`);
  await remove(partialPath);
}

/**
 * Hashes recorded parts again and answers those that are what they claim. Rejects with the signal's reason.
 * @param cell counts the bytes that were checked, and stops
 */
export async function proveExtents(
  pool: ThreadPool,
  partialPath: string,
  recorded: readonly Extent[],
  cell: Cell,
  signal: AbortSignal,
): Promise<Extent[]> {
  if (recorded.length === 0) return [];
  const task = { cell: cell.memory, path: partialPath, extents: recorded };
  const hashed = await pool.hashExtents(task);
  signal.throwIfAborted();
  if (hashed.kind === 'failed') throw fromPlainError(hashed.error);
  const sums = hashed.kind === 'hashed' ? hashed.digests : [];
  return recorded.filter(({ mac, sha256 }, index) => {
    const sum = sums[index];
    return sum !== undefined && sum === (mac ?? sha256);
  });
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
