/**
 * Reading files back past the page cache, in a thread of its own: file calls here are synchronous on purpose. What the
 * kernel still has in memory proves nothing about the disk.
 */
import { createHash } from 'node:crypto';
import { closeSync, constants, openSync, readSync, statfsSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { toPlainError, type PlainError } from '../../model/errors.js';
import { toDestinationError } from '../destination-error.js';
import { Cell } from './cell.js';

/** Files to read back, by absolute path; bytes are counted into the cell. */
export interface ReadBackTask {
  readonly cell: SharedArrayBuffer;
  readonly paths: readonly string[];
}

/** One file, read back. `why` tells why the page cache could not be passed by: then memory may have answered. */
export type ReadBackOutcome =
  | { readonly kind: 'read'; readonly sha256: string; readonly why?: string }
  | { readonly kind: 'failed'; readonly error: PlainError }
  | { readonly kind: 'stopped' };

const READ_BYTES = 1_048_576;

/** What every disk's sectors divide; O_DIRECT wants offsets, lengths and memory on such a border. */
const BORDER_BYTES = 4_096;

/** Memory comes on a border of so many bytes. */
const MEMORY_STEP_BYTES = 16;

/** Types of statfs(2) of file systems that take O_DIRECT and answer from memory all the same. */
const IN_MEMORY: ReadonlyMap<number, string> = new Map([
  [0x01021994, 'tmpfs keeps files in memory, there is no disk below it'],
  [0x858458f6, 'ramfs keeps files in memory, there is no disk below it'],
  [0x2fc12fc1, 'ZFS may answer from a cache of its own'],
]);

/** Runs a ReadBackTask: one outcome for each path, in order. Never rejects. */
export async function readBack(task: ReadBackTask): Promise<ReadBackOutcome[]> {
  const cell = new Cell(task.cell);
  const memory = new AlignedMemory();
  const outcomes: ReadBackOutcome[] = [];
  for (const path of task.paths) {
    try {
      outcomes.push(await readOne(path, cell, memory));
    } catch (error) {
      const translated = toDestinationError(error, 'read back', path);
      outcomes.push({ kind: 'failed', error: toPlainError(translated) });
    }
  }
  return outcomes;
}

async function readOne(path: string, cell: Cell, memory: AlignedMemory): Promise<ReadBackOutcome> {
  const inMemory = IN_MEMORY.get(statfsSync(path).type >>> 0);
  const fd = inMemory === undefined ? openDirect(path) : undefined;
  if (fd !== undefined) {
    try {
      if (memory.fits(fd)) return await hashOf(fd, cell, memory.buffer);
    } finally {
      closeSync(fd);
    }
  }
  const why = inMemory ?? 'the file system takes no O_DIRECT';
  const buffered = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const read = await hashOf(buffered, cell, memory.buffer);
    return read.kind === 'read' ? { ...read, why } : read;
  } finally {
    closeSync(buffered);
  }
}

function openDirect(path: string): number | undefined {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_DIRECT);
  } catch (error) {
    if (isRefusal(error)) return undefined;
    throw error;
  }
}

function isRefusal(error: unknown): boolean {
  return ['EINVAL', 'ENOTSUP', 'EOPNOTSUPP'].includes((error as NodeJS.ErrnoException).code ?? '');
}

async function hashOf(fd: number, cell: Cell, buffer: Buffer): Promise<ReadBackOutcome> {
  const hash = createHash('sha256');
  for (let position = 0; ;) {
    if (cell.isStopped) return { kind: 'stopped' };
    const read = readSync(fd, buffer, 0, READ_BYTES, position);
    if (read === 0) return { kind: 'read', sha256: hash.digest('hex') };
    // A short read in the middle would leave the border; its tail is read again, or is the end of the file.
    const isWholeBlocks = read % BORDER_BYTES === 0 || read < BORDER_BYTES;
    const used = isWholeBlocks ? read : read - (read % BORDER_BYTES);
    hash.update(buffer.subarray(0, used));
    cell.addChecked(used);
    position += used;
    if (read % BORDER_BYTES !== 0 && isWholeBlocks) {
      return { kind: 'read', sha256: hash.digest('hex') };
    }
    await nextTurn();
  }
}

/** Memory on a border that the disk accepts. JavaScript cannot see addresses, so the border is found by trying. */
class AlignedMemory {
  private readonly memory = Buffer.allocUnsafeSlow(READ_BYTES + BORDER_BYTES);
  // A large allocation starts 16 bytes after the beginning of a page.
  private shift = BORDER_BYTES - MEMORY_STEP_BYTES;

  get buffer(): Buffer {
    return this.memory.subarray(this.shift, this.shift + READ_BYTES);
  }

  /** Whether the file can be read into this memory; tries every border until one is accepted. */
  fits(fd: number): boolean {
    for (let tried = 0; tried < BORDER_BYTES; tried += MEMORY_STEP_BYTES) {
      try {
        readSync(fd, this.buffer, 0, BORDER_BYTES, 0);
        return true;
      } catch (error) {
        if (!isRefusal(error)) throw error;
        this.shift = (this.shift + MEMORY_STEP_BYTES) % BORDER_BYTES;
      }
    }
    return false;
  }
}
