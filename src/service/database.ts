/** What is done about a database that Temporal cannot use: it is disposable (rule 5). */
import {
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  readSync,
  renameSync,
  statSync,
} from 'node:fs';
import { isErrno } from './errno.js';

/** How SQLite, and Temporal over an empty file, say that a database is no longer one. */
const DAMAGE = /file is not a database|no such table|disk image is malformed|database corruption/u;

/** More of a log is not read: the last words count. */
const MAX_READ_BYTES = 256 * 1024;

/** How long a file is; 0 where it is not there. */
export function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** Whether what Temporal has logged since a length of its log says that its database is damaged. */
export function tellsOfDamage(log: string, sinceBytes: number): boolean {
  try {
    const fd = openSync(log, 'r');
    try {
      const { size } = fstatSync(fd);
      // A log that was cut meanwhile is shorter.
      const from = Math.max(size < sinceBytes ? 0 : sinceBytes, size - MAX_READ_BYTES);
      const text = Buffer.alloc(size - from);
      readSync(fd, text, 0, text.length, from);
      return DAMAGE.test(text.toString('utf8'));
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false;
    throw error;
  }
}

/** Moves a database, with its write-ahead log, to names that end in `.damaged`; an earlier one there is replaced. */
export function setAside(database: string): void {
  for (const suffix of ['', '-wal', '-shm']) {
    const path = `${database}${suffix}`;
    if (existsSync(path)) renameSync(path, `${database}.damaged${suffix}`);
  }
}
