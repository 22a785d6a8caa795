/** Flushing what was written, by what the file system makes of it. */
import { fsync, fsyncSync, statfsSync } from 'node:fs';
import { promisify } from 'node:util';

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

function isInMemory(folder: string): boolean {
  if (process.platform !== 'linux') return false;
  try {
    const { type } = statfsSync(folder);
    return type === TMPFS || type === RAMFS;
  } catch {
    return false;
  }
}
