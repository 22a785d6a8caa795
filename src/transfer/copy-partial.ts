/** A partial on an inode of its own: a former attempt that may still write keeps the old one (rule 13). */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, open, readdir, rename, rm, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Run } from './extents.js';

/** What one read and one write move. */
const PIECE_BYTES = 4 * 1024 * 1024;

/** How a copy is watched and ended: of a large partial it takes minutes where the file system shares no blocks. */
export interface CopyWatch {
  readonly signal: AbortSignal;
  readonly onBytes: (count: number) => void;
}

/**
 * Gives a partial a new inode with the same recorded runs; what lies between them is not copied. Rejects with the signal's
 * reason, and with the file system's errors; then the partial is as it was.
 */
export async function moveToNewInode(
  partialPath: string,
  recorded: readonly Run[],
  { signal, onBytes }: CopyWatch,
): Promise<void> {
  await dropCopies(partialPath);
  const copy = `${partialPath}${COPY}${randomBytes(4).toString('hex')}`;
  try {
    if (!(await isCloned(partialPath, copy))) {
      await copyRuns(partialPath, copy, recorded, (count) => {
        onBytes(count);
        signal.throwIfAborted();
      });
    }
    signal.throwIfAborted();
    await rename(copy, partialPath);
  } catch (error) {
    await rm(copy, { force: true });
    throw error;
  }
}

const COPY = '.copy-';

/** What attempts left that were killed in the middle of it. */
async function dropCopies(partialPath: string): Promise<void> {
  const folder = dirname(partialPath);
  const prefix = `${basename(partialPath)}${COPY}`;
  for (const name of await readdir(folder)) {
    if (name.startsWith(prefix)) await rm(join(folder, name), { force: true });
  }
}

/** Whether the file system could share the blocks, which takes no time. */
async function isCloned(from: string, to: string): Promise<boolean> {
  return copyFile(from, to, constants.COPYFILE_FICLONE_FORCE).then(
    () => true,
    () => false,
  );
}

async function copyRuns(
  from: string,
  to: string,
  runs: readonly Run[],
  copied: (count: number) => void,
): Promise<void> {
  await rm(to, { force: true });
  const source = await open(from, 'r');
  try {
    const { size, mode } = await source.stat();
    const target = await open(to, 'wx', mode & 0o777);
    try {
      await target.truncate(size);
      const buffer = Buffer.allocUnsafe(PIECE_BYTES);
      for (const run of runs) await copyRun(source, target, run, buffer, copied);
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

async function copyRun(
  source: FileHandle,
  target: FileHandle,
  { offsetBytes, lengthBytes }: Run,
  buffer: Buffer,
  copied: (count: number) => void,
): Promise<void> {
  const end = offsetBytes + lengthBytes;
  for (let at = offsetBytes; at < end;) {
    const { bytesRead } = await source.read(buffer, 0, Math.min(buffer.length, end - at), at);
    // Shorter than its record says: the proof of its parts finds that out.
    if (bytesRead === 0) return;
    for (let done = 0; done < bytesRead;) {
      const { bytesWritten } = await target.write(buffer, done, bytesRead - done, at + done);
      done += bytesWritten;
    }
    at += bytesRead;
    copied(bytesRead);
  }
}
