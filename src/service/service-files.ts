/** Where the local service keeps what it keeps, and how private it is. */
import { createHash } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WaybillError } from '../model/errors.js';
import { isErrno } from './errno.js';

/** A Unix socket's path ends at 107 bytes on Linux and 103 on macOS. */
const MAX_SOCKET_PATH_BYTES = 100;

/** The files of one state folder. */
export interface ServiceFiles {
  /** `service.json`, mode 0600. */
  readonly record: string;
  readonly controlSocket: string;
  readonly serviceLog: string;
  readonly temporalLog: string;
  readonly workerLog: string;
  /** The key behind the fingerprints of credentials, mode 0600. */
  readonly fingerprintKey: string;
  /** A database belongs to the server version that made it (rule 9), and its ports belong to the database. */
  database(serverVersion: string): string;
  ports(serverVersion: string): string;
}

/** Names the files of a state folder; creates nothing. */
export function serviceFiles(stateDir: string): ServiceFiles {
  return {
    record: join(stateDir, 'service.json'),
    controlSocket: controlSocketPath(stateDir),
    serviceLog: join(stateDir, 'service.log'),
    temporalLog: join(stateDir, 'temporal.log'),
    workerLog: join(stateDir, 'worker.log'),
    fingerprintKey: join(stateDir, 'credentials.key'),
    database: (serverVersion) => join(stateDir, `temporal-${serverVersion}.db`),
    ports: (serverVersion) => join(stateDir, `temporal-${serverVersion}.ports.json`),
  };
}

/**
 * Creates a folder that only its owner may enter, or makes an existing one so.
 * @throws WaybillError WB_CONFIG_INVALID when it cannot be created, belongs to someone else or is a link
 */
export function makePrivateFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    const found = lstatSync(path);
    const uid = process.getuid?.();
    if (uid !== undefined && found.uid !== uid) throw notOurs(path, `belongs to user ${found.uid}`);
    if ((found.mode & 0o777) !== 0o700) chmodSync(path, 0o700);
  } catch (error) {
    if (error instanceof WaybillError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw notOurs(path, `cannot be used (${why})`, error);
  }
}

/** Replaces a private file in one step: nobody ever reads half of it. */
export function writePrivateFile(path: string, text: string): void {
  const beside = `${path}.${process.pid}.new`;
  rmSync(beside, { force: true });
  writeFileSync(beside, text, { mode: 0o600, flag: 'wx' });
  renameSync(beside, path);
}

/** Creates the folder that the control socket lies in, where that is not the state folder itself. */
export function makeSocketFolder(stateDir: string): void {
  const folder = shortSocketFolder(stateDir);
  if (controlSocketPath(stateDir).startsWith(`${folder}/`)) makePrivateFolder(folder);
}

/** Removes a file that may not be there. */
export function removeFile(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch (error) {
    if (!isErrno(error, 'ENOTDIR')) throw error;
  }
}

function controlSocketPath(stateDir: string): string {
  const inside = join(stateDir, 'control.sock');
  if (Buffer.byteLength(inside) <= MAX_SOCKET_PATH_BYTES) return inside;
  return join(shortSocketFolder(stateDir), 'control.sock');
}

function shortSocketFolder(stateDir: string): string {
  const hash = createHash('sha256').update(stateDir).digest('hex').slice(0, 16);
  const temporary = tmpdir();
  const base = Buffer.byteLength(temporary) <= 40 ? temporary : '/tmp';
  return join(base, `waybill-${process.getuid?.() ?? 'user'}-${hash}`);
}

function notOurs(path: string, why: string, cause?: unknown): WaybillError {
  return new WaybillError(
    'WB_CONFIG_INVALID',
    `The state folder ${path} ${why}. Name one that you own with WAYBILL_STATE_DIR.`,
    { operation: 'open state folder', ...(cause === undefined ? {} : { cause }) },
  );
}
