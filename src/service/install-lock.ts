import { link, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { isErrno } from './errno.js';
import { isAlive } from './process-identity.js';

/** A lock whose holder has said nothing for so long belongs to a process of another host or container. */
const STALE_AFTER_MS = 30 * 60_000;
const POLL_MS = 500;

export interface InstallLockOptions {
  /** The lock file; its folder exists. */
  readonly path: string;
  /** Called once if another process holds the lock. */
  readonly onWait: (holderPid: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs `work` while no other process does, so that two commands started together do not fetch the same
 * thing twice. It saves work and is not needed for correctness: what is installed is put in place with
 * a rename. A lock whose holder is dead, or older than 30 minutes, is taken over.
 * @throws the signal's reason when it is aborted while waiting
 */
export async function withInstallLock<T>(
  { path, onWait, signal }: InstallLockOptions,
  work: () => Promise<T>,
): Promise<T> {
  await acquire(path, onWait, signal);
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

async function acquire(
  path: string,
  onWait: (pid: number) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  let told = false;
  while (!(await tryCreate(path))) {
    const holder = await readHolder(path);
    if (holder === undefined) continue;
    if (holder.isStale) {
      await rm(path, { force: true });
      continue;
    }
    if (!told) onWait(holder.pid);
    told = true;
    await sleep(POLL_MS, undefined, signal === undefined ? {} : { signal });
  }
}

/** The file appears with its content in one step, so that nobody reads an empty lock. */
async function tryCreate(path: string): Promise<boolean> {
  const own = `${path}.${process.pid}`;
  await writeFile(own, `${process.pid}\n`);
  try {
    await link(own, path);
    return true;
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false;
    throw error;
  } finally {
    await rm(own, { force: true });
  }
}

async function readHolder(path: string): Promise<{ pid: number; isStale: boolean } | undefined> {
  try {
    const [text, { mtimeMs }] = await Promise.all([readFile(path, 'utf8'), stat(path)]);
    const pid = Number.parseInt(text, 10);
    return { pid, isStale: !isAlive(pid) || Date.now() - mtimeMs > STALE_AFTER_MS };
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}
