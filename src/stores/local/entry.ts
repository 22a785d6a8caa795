/** What a file system says about a file, as an entry of the model. */
import type { BigIntStats } from 'node:fs';
import type { ObjectEntry, Pin } from '../../model/object-entry.js';

/** The weak pin of a file: modification time in nanoseconds, size and inode. */
export function pinOfStats(stats: BigIntStats): Pin {
  return { strength: 'weak', value: `mtime:${stats.mtimeNs}+${stats.size}+${stats.ino}` };
}

/** The modification time, to the millisecond. */
export function modifiedAtOf(stats: BigIntStats): string {
  return new Date(Number(stats.mtimeNs / 1_000_000n)).toISOString();
}

/** The entry of a regular file or a folder. */
export function entryOf(path: string, stats: BigIntStats): ObjectEntry {
  if (stats.isDirectory()) return { path, kind: 'directory', modifiedAt: modifiedAtOf(stats) };
  return {
    path,
    kind: 'file',
    sizeBytes: Number(stats.size),
    modifiedAt: modifiedAtOf(stats),
    isExecutable: (stats.mode & 0o111n) !== 0n,
    pin: pinOfStats(stats),
  };
}
