/** Where the file system of a folder is mounted: what a person has to mount again when it is gone (rule 7). */
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/** The mount point above a folder that is there, or the folder itself; undefined where it is on the root's file system. */
export async function mountPointOf(folder: string): Promise<string | undefined> {
  for (let at = folder; at !== dirname(at); at = dirname(at)) {
    if (await isMountPoint(at)) return at;
  }
  return undefined;
}

/** Whether something is mounted there. A mount of the same file system once more (`mount --bind`) cannot be told. */
export async function isMountPoint(folder: string): Promise<boolean> {
  try {
    const [own, parent] = await Promise.all([stat(folder), stat(dirname(folder))]);
    return own.dev !== parent.dev;
  } catch {
    // It is not there, or what serves it has ended.
    return false;
  }
}
