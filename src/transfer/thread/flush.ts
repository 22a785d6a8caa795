/** Flushing what was written, by what the file system makes of it. */
import { fsync, fsyncSync, statfsSync } from 'node:fs';
import { promisify } from 'node:util';
import { LONG_FLUSH_FROM_BYTES } from '../long-flush.js';
import type { Cell } from './cell.js';

/** Flushes an open file to the disk. Rejects as `fsync` does. */
export type Flush = (fd: number) => Promise<void> | void;

/** Of file systems in memory: there a flush waits for nothing, and handing it to another thread costs more than all the rest. */
const TMPFS = 0x01021994;
const RAMFS = 0x858458f6;

const besides = promisify(fsync);

/** How files in a folder are flushed: at once where that waits for no disk, else beside this thread's other work. */
export function flusherOf(folder: string): Flush {
  return isInMemory(folder) ? fsyncSync : besides;
}

/**
 * Brings a file's last bytes and its time to the disk. While that may take minutes the cell says so; the many small files
 * do not pay for it.
 */
export async function flushCounted(
  cell: Cell,
  sizeBytes: number,
  flush: () => Promise<void> | void,
): Promise<void> {
  if (sizeBytes < LONG_FLUSH_FROM_BYTES) return flush();
  cell.startFlush();
  try {
    await flush();
  } finally {
    cell.endFlush();
  }
}

function isInMemory(folder: string): boolean {
  if (process.platform !== 'linux') return false;
  try {
    const { type } = statfsSync(folder);
    return type === TMPFS || type === RAMFS;
  } catch {
    return false;
  }
}
