/** Checks of the folders that Waybill writes: state and cache. */
import { accessSync, constants, lstatSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { DoctorCheck } from './doctor.js';
import { networkFileSystem } from './file-system.js';
import { serviceFiles } from './service-files.js';

const MiB = 1024 * 1024;
/** The database grows by about 2 KiB a pack; a binary and logs need some. */
const LITTLE_BYTES = 512 * MiB;
const TOO_LITTLE_BYTES = 32 * MiB;

/** The state folder is ours, private and can be written. */
export function checkState(stateDir: string): DoctorCheck {
  const name = 'state folder';
  const remedy = 'set WAYBILL_STATE_DIR to a folder that you own';
  const found = look(stateDir);
  if (found.problem !== undefined) {
    return { name, result: 'problem', finding: found.problem, remedy };
  }
  if (found.mode !== undefined && (found.mode & 0o077) !== 0) {
    const finding = `others on this host can look into ${stateDir}`;
    return { name, result: 'warning', finding, remedy: `chmod 700 ${stateDir}` };
  }
  const network = networkFileSystem(stateDir);
  if (network !== undefined) {
    const { folder } = serviceFiles(stateDir);
    const where =
      folder === stateDir ? 'and nothing else is local' : `the database is in ${folder}`;
    const finding = `${stateDir} is on a network file system (${network}); ${where}`;
    return { name, result: 'warning', finding, remedy: 'set WAYBILL_STATE_DIR to a local folder' };
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
  const { problem } = look(cacheDir);
  if (problem === undefined) return { name, result: 'ok', finding: cacheDir };
  return {
    name,
    result: 'problem',
    finding: problem,
    remedy: 'set WAYBILL_CACHE_DIR to a folder that you own',
  };
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
  return {
    name,
    result,
    finding,
    remedy: 'make room, or move them: WAYBILL_STATE_DIR, WAYBILL_CACHE_DIR',
  };
}

/** What is known of a folder: its mode where it exists, what is wrong with it otherwise. */
function look(path: string): { readonly mode?: number; readonly problem?: string } {
  const nearest = nearestExisting(path);
  try {
    const found = lstatSync(nearest);
    const uid = process.getuid?.();
    if (nearest === path && uid !== undefined && found.uid !== uid) {
      return { problem: `${path} belongs to user ${found.uid}, not to you (${uid})` };
    }
    accessSync(nearest, constants.W_OK | constants.X_OK);
    return nearest === path ? { mode: found.mode & 0o777 } : {};
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    return { problem: `${nearest} cannot be written (${why})` };
  }
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
