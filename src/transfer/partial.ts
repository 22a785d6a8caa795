/** The partial of a large file on disk: made, found again, and its recorded parts proven (rules 12, 13, 16). */
import { constants } from 'node:fs';
import { copyFile, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fromPlainError } from '../model/errors.js';
import type { Pin } from '../model/object-entry.js';
import { toDestinationError } from './destination-error.js';
import { makeFolderInside, remove } from './durable-file.js';
import type { ThreadPool } from './pool.js';
import { isProvenDead, isThisProcess, thisProcess } from './process-identity.js';
import { appendWriter, readSidecar } from './sidecar.js';
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

/** Opens or makes the partial; answers the parts that its sidecar claims. They are not proven yet. */
export async function openPartial(file: PartialFile): Promise<Extent[]> {
  const { partialPath } = file;
  try {
    await makeFolderInside(dirname(partialPath));
    const { extents: recorded, writer } = readSidecar(file.sidecarPath);
    if (recorded.length === 0 || !(await isThere(partialPath))) {
      await dropPartial(partialPath);
      const handle = await open(partialPath, 'wx', file.isExecutable ? 0o777 : 0o666);
      await handle.truncate(file.sizeBytes).finally(() => handle.close());
      appendWriter(file.sidecarPath, thisProcess());
      return [];
    }
    const mayStillWrite = writer !== undefined && !isThisProcess(writer) && !isProvenDead(writer);
    // One that has a second name was published already: nobody writes into a published file.
    const isShared = (await stat(partialPath)).nlink > 1;
    if (file.pin.strength === 'weak' || mayStillWrite || isShared) {
      await moveToNewInode(partialPath);
    }
    appendWriter(file.sidecarPath, thisProcess());
    return recorded;
  } catch (error) {
    throw toDestinationError(error, 'open the partial', partialPath);
  }
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

/** A former attempt that may still write keeps the old inode, this attempt gets a copy (rule 13). */
async function moveToNewInode(partialPath: string): Promise<void> {
  const copy = `${partialPath}.copy`;
  await rm(copy, { force: true });
  await copyFile(partialPath, copy, constants.COPYFILE_FICLONE);
  await rename(copy, partialPath);
}
