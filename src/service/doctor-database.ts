/** The check of the databases of the local service, which are disposable (rule 5). */
import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { shellQuote } from '../model/shell-quote.js';
import { sizeOf } from './database.js';
import type { DoctorCheck } from './doctor.js';
import { serviceFiles } from './service-files.js';

/** How every SQLite database begins. */
const MAGIC = 'SQLite format 3\0';
const DATABASE = /^temporal-.*\.db$/u;
const SET_ASIDE = /^temporal-.*\.db\.damaged/u;

/** None is damaged, and none that was lies around. */
export function checkDatabase(stateDir: string): DoctorCheck {
  const name = 'database';
  const { folder } = serviceFiles(stateDir);
  const names = namesIn(folder);
  const garbage = names.filter((one) => DATABASE.test(one) && !isSqlite(join(folder, one)));
  if (garbage.length > 0) {
    const finding =
      `${garbage.map((one) => join(folder, one)).join(', ')} is no database any more; the next start moves it ` +
      'aside, and pulls go on from their destinations';
    return { name, result: 'warning', finding, remedy: 'waybill up' };
  }
  const aside = names.filter((one) => SET_ASIDE.test(one)).map((one) => join(folder, one));
  if (aside.length > 0) {
    const finding = `a damaged one was set aside, and nothing needs it: ${aside.join(', ')}`;
    const remedy = `rm -f ${aside.map(shellQuote).join(' ')}`;
    return { name, result: 'warning', finding, remedy };
  }
  const found = names.filter((one) => DATABASE.test(one));
  return { name, result: 'ok', finding: found.length === 0 ? 'none yet' : found.join(', ') };
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

/**
 * An empty file is a database to be; one that cannot be read is not judged, and neither is one whose first page may be
 * in its write-ahead log.
 */
function isSqlite(path: string): boolean {
  if (sizeOf(`${path}-wal`) > 0) return true;
  try {
    const fd = openSync(path, 'r');
    try {
      const head = Buffer.alloc(MAGIC.length);
      const length = readSync(fd, head, 0, head.length, 0);
      return length === 0 || head.toString('latin1') === MAGIC;
    } finally {
      closeSync(fd);
    }
  } catch {
    return true;
  }
}
