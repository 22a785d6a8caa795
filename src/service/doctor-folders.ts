/** Checks of the folders that Waybill writes: state and cache. */
import { accessSync, constants, lstatSync, statSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { shellQuote } from '../model/shell-quote.js';
import type { DoctorCheck } from './doctor.js';
import { isErrno } from './errno.js';
import { networkFileSystem } from './file-system.js';
import { serviceFiles } from './service-files.js';

const MiB = 1024 * 1024;
/** The database grows by about 2 KiB a pack; a binary and logs need some. */
const LITTLE_BYTES = 512 * MiB;
const TOO_LITTLE_BYTES = 32 * MiB;

/** The state folder is ours, private and can be written. */
export function checkState(stateDir: string): DoctorCheck {
  const name = 'state folder';
  const found = look(stateDir);
  const elsewhere = nameAnother('WAYBILL_STATE_DIR', 'state', stateDir);
  if (found.problem !== undefined) {
    const finding = `${found.problem}; name a folder that you own with WAYBILL_STATE_DIR`;
    return { name, result: 'problem', finding, ...remedyOf(found, elsewhere) };
  }
  if (found.mode !== undefined && (found.mode & 0o077) !== 0) {
    const finding = `others on this host can look into ${stateDir}`;
    return { name, result: 'warning', finding, remedy: `chmod 700 ${shellQuote(stateDir)}` };
  }
  const network = networkFileSystem(stateDir);
  if (network !== undefined) {
    const { folder } = serviceFiles(stateDir);
    const where =
      folder === stateDir ? 'and nothing else is local' : `the database is in ${folder}`;
    const finding = `${stateDir} is on a network file system (${network}); ${where}`;
    return { name, result: 'warning', finding, ...remedyOf({}, elsewhere) };
  }
  return {
    name,
    result: 'ok',
    finding: found.mode === undefined ? `${stateDir}, not made yet` : stateDir,
  };
}

/** The cache folder can be written. */
export function checkCache(cacheDir: string): DoctorCheck {
  const name = 'cache folder';
  const found = look(cacheDir);
  if (found.problem === undefined) return { name, result: 'ok', finding: cacheDir };
  const finding = `${found.problem}; name a folder that you own with WAYBILL_CACHE_DIR`;
  const elsewhere = nameAnother('WAYBILL_CACHE_DIR', 'cache', cacheDir);
  return { name, result: 'problem', finding, ...remedyOf(found, elsewhere) };
}

/** Enough room for the database, the logs and the Temporal CLI; the destinations are another matter. */
export async function checkDisk(stateDir: string, cacheDir: string): Promise<DoctorCheck> {
  const name = 'disk space';
  const found = await Promise.all(
    [...new Set([stateDir, cacheDir])].map(async (path) => {
      const { bavail, bsize } = await statfs(nearestExisting(path));
      return { path, freeBytes: bavail * bsize };
    }),
  );
  const finding = found
    .map(({ path, freeBytes }) => `${Math.floor(freeBytes / MiB)} MiB free for ${path}`)
    .join(', ');
  const leastBytes = Math.min(...found.map(({ freeBytes }) => freeBytes));
  if (leastBytes >= LITTLE_BYTES) return { name, result: 'ok', finding };
  const result = leastBytes < TOO_LITTLE_BYTES ? 'problem' : 'warning';
  // Only its owner knows what may go.
  const advice =
    'make room, or name folders elsewhere with WAYBILL_STATE_DIR and WAYBILL_CACHE_DIR';
  return { name, result, finding: `${finding}: ${advice}` };
}

/**
 * The command that takes another folder, for the rest of this shell; undefined where there is none to take.
 * The first of the user's own that can be written, private by its name where others write too.
 */
export function nameAnother(
  variable: string,
  kind: 'state' | 'cache',
  instead: string,
): string | undefined {
  const candidates = [
    join(homedir(), '.waybill', kind),
    ...['/var/tmp', tmpdir()].map((base) =>
      join(base, `waybill-${process.getuid?.() ?? 'user'}-${kind}`),
    ),
  ];
  const free = candidates.find(
    (path) =>
      path !== instead &&
      look(path).problem === undefined &&
      (kind === 'cache' || networkFileSystem(path) === undefined),
  );
  return free === undefined ? undefined : `export ${variable}=${shellQuote(free)}`;
}

interface Look {
  /** Where the folder exists. */
  readonly mode?: number;
  /** What is wrong with it. */
  readonly problem?: string;
  /** What mends it in place. */
  readonly mend?: string;
}

function remedyOf(found: Look, elsewhere: string | undefined): { readonly remedy?: string } {
  const remedy = found.mend ?? elsewhere;
  return remedy === undefined ? {} : { remedy };
}

/** What is known of a folder, or of the nearest one above it that exists. */
function look(path: string): Look {
  const nearest = nearestExisting(path);
  const found = lstatSync(nearest);
  const uid = process.getuid?.();
  const isOurs = uid === undefined || found.uid === uid;
  if (nearest === path && !isOurs) {
    return { problem: `${path} belongs to user ${found.uid}, not to you (${uid})` };
  }
  if (!found.isDirectory() && !isFolder(nearest)) return { problem: `${nearest} is no folder` };
  try {
    accessSync(nearest, constants.R_OK | constants.W_OK | constants.X_OK);
    return nearest === path ? { mode: found.mode & 0o777 } : {};
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    const problem = `${nearest} cannot be written (${why})`;
    const isMode = isOurs && isErrno(error, 'EACCES') && (found.mode & 0o700) !== 0o700;
    return isMode ? { problem, mend: `chmod u+rwx ${shellQuote(nearest)}` } : { problem };
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function nearestExisting(path: string): string {
  for (let current = path; ; current = dirname(current)) {
    try {
      lstatSync(current);
      return current;
    } catch {
      if (dirname(current) === current) return current;
    }
  }
}
