/** Where the local service keeps what it keeps, and how private it is. */
import { createHash } from 'node:crypto';
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  lstatSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { WaybillError } from '../model/errors.js';
import { HISTORY_FORMAT } from '../model/histories.js';
import { isErrno } from './errno.js';
import { networkFileSystem } from './file-system.js';
import { makeFolders } from './make-folders.js';

/** A Unix socket's path ends at 107 bytes on Linux and 103 on macOS. */
const MAX_SOCKET_PATH_BYTES = 100;

/** The files of one state folder. */
export interface ServiceFiles {
  /**
   * Where they lie: the state folder itself, or a local one in its place where that is on a network file system
   * (rule 8).
   */
  readonly folder: string;
  /** `service.json`, mode 0600. */
  readonly record: string;
  readonly controlSocket: string;
  readonly serviceLog: string;
  readonly temporalLog: string;
  readonly workerLog: string;
  /** The pulls that the worker has seen running, for the day on which the database is lost (rule 5). */
  readonly openPulls: string;
  /** The counts of running pulls as they were last shown; a folder. */
  readonly keptCounts: string;
  /** Which destinations lie on a mounted share (rule 7). */
  readonly mounts: string;
  /** The key behind the fingerprints of credentials, mode 0600. */
  readonly fingerprintKey: string;
  /** The key behind the signatures of payloads (rule 1), mode 0600. */
  readonly payloadKey: string;
  /**
   * A database belongs to the server version that made it and to the way its histories are written (rule 9), and its
   * ports belong to the database.
   */
  database(serverVersion: string): string;
  ports(serverVersion: string): string;
}

/** Names the files of a state folder; creates nothing. */
export function serviceFiles(stateDir: string): ServiceFiles {
  const folder = localFolder(stateDir);
  const base = (serverVersion: string): string =>
    join(folder, `temporal-${serverVersion}-${HISTORY_FORMAT}`);
  return {
    folder,
    record: join(folder, 'service.json'),
    controlSocket: controlSocketPath(folder),
    serviceLog: join(folder, 'service.log'),
    temporalLog: join(folder, 'temporal.log'),
    workerLog: join(folder, 'worker.log'),
    keptCounts: join(folder, 'counts'),
    openPulls: join(folder, 'pulls.json'),
    mounts: join(folder, 'mounts.json'),
    fingerprintKey: join(folder, 'credentials.key'),
    payloadKey: join(folder, 'payloads.key'),
    database: (serverVersion) => `${base(serverVersion)}.db`,
    ports: (serverVersion) => `${base(serverVersion)}.ports.json`,
  };
}

/**
 * A local, per-user folder in the place of one on a network file system: SQLite's log and locks, and Unix sockets,
 * belong to one host. Where there is no local folder either (everything is a network, or FUSE), the first stays.
 * @param networkOf tells the network file system of a path; undefined for a local one
 */
export function localFolder(
  stateDir: string,
  networkOf: (path: string) => string | undefined = networkFileSystem,
): string {
  if (networkOf(stateDir) === undefined) return stateDir;
  const base = ['/var/tmp', tmpdir()].find((path) => networkOf(path) === undefined);
  return base === undefined ? stateDir : join(base, perUserName(stateDir));
}

/**
 * Creates a folder that only its owner may enter, or makes an existing one so.
 * @returns whether it was created
 * @throws WaybillError WB_CONFIG_INVALID when it cannot be created, belongs to someone else or is a link
 */
export function makePrivateFolder(path: string): boolean {
  try {
    const isMade = makeFolders(path, 0o700);
    const found = lstatSync(path);
    const uid = process.getuid?.();
    if (uid !== undefined && found.uid !== uid) throw notOurs(path, `belongs to user ${found.uid}`);
    if ((found.mode & 0o777) !== 0o700) chmodSync(path, 0o700);
    // One that was made before may lie on what is read-only by now.
    accessSync(path, constants.W_OK);
    return isMade;
  } catch (error) {
    if (error instanceof WaybillError) throw error;
    throw notOurs(path, `cannot be used (${reasonOf(path, error)})`, error);
  }
}

/** The nearest folder that exists knows better than the error why nothing can be made in it. */
function reasonOf(path: string, error: unknown): string {
  let existing = path;
  while (!existsSync(existing)) existing = dirname(existing);
  try {
    accessSync(existing, constants.W_OK);
    if (isErrno(error, 'ENOENT')) return `nothing can be made in ${existing}`;
    return error instanceof Error ? error.message : String(error);
  } catch (refusal) {
    if (isErrno(refusal, 'EROFS')) return `${existing} is on a read-only file system`;
    return `${existing} cannot be written by user ${process.getuid?.() ?? 'unknown'}`;
  }
}

/** Replaces a private file in one step: nobody ever reads half of it. */
export function writePrivateFile(path: string, text: string): void {
  const beside = `${path}.${process.pid}.new`;
  rmSync(beside, { force: true });
  writeFileSync(beside, text, { mode: 0o600, flag: 'wx' });
  renameSync(beside, path);
}

/**
 * Makes the state folder and, where they lie elsewhere, the folders of its files and of its socket.
 * @param tell hears, once, that a folder on a network file system has a local one in its place (rule 8)
 */
export function makeServiceFolders(stateDir: string, tell?: (line: string) => void): void {
  const { folder, controlSocket } = serviceFiles(stateDir);
  makePrivateFolder(stateDir);
  if (folder !== stateDir && makePrivateFolder(folder)) {
    tell?.(
      `${stateDir} is on a network file system (${networkFileSystem(stateDir) ?? ''}): the local service keeps its ` +
        `database in ${folder}, which belongs to this host`,
    );
  }
  makePrivateFolder(folder);
  makePrivateFolder(dirname(controlSocket));
}

/** Removes a file that may not be there. */
export function removeFile(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch (error) {
    if (!isErrno(error, 'ENOTDIR')) throw error;
  }
}

function controlSocketPath(folder: string): string {
  const inside = join(folder, 'control.sock');
  if (Buffer.byteLength(inside) <= MAX_SOCKET_PATH_BYTES) return inside;
  const temporary = tmpdir();
  const base = Buffer.byteLength(temporary) <= 40 ? temporary : '/tmp';
  return join(base, perUserName(folder), 'control.sock');
}

function perUserName(folder: string): string {
  const hash = createHash('sha256').update(folder).digest('hex').slice(0, 16);
  return `waybill-${process.getuid?.() ?? 'user'}-${hash}`;
}

function notOurs(path: string, why: string, cause?: unknown): WaybillError {
  return new WaybillError(
    'WB_CONFIG_INVALID',
    `The state folder ${path} ${why}. Name one that you own with WAYBILL_STATE_DIR.`,
    { operation: 'open state folder', ...(cause === undefined ? {} : { cause }) },
  );
}
