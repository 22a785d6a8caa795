/** What tells whether a file was touched since, as the file system says it. Loaded in threads: no schema is needed here. */
import type { LocalStamp } from './manifest.js';

/** The facts of a local file, from `stat` with big integers. */
export function localStampOf(stats: {
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly ino: bigint;
}): LocalStamp {
  return {
    mtimeNs: String(stats.mtimeNs),
    ctimeNs: String(stats.ctimeNs),
    inode: String(stats.ino),
  };
}

/** Whether two stamps are of the same untouched file. An absent stamp equals nothing. */
export function sameLocalStamp(a: LocalStamp | undefined, b: LocalStamp | undefined): boolean {
  if (a === undefined || b === undefined) return false;
  return a.mtimeNs === b.mtimeNs && a.ctimeNs === b.ctimeNs && a.inode === b.inode;
}
