/** File system errors of a source as errors of the table. */
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { asError } from '../lib/as-error.js';
import { namedErrnoOf } from '../../model/errno.js';
import { WaybillError, type ErrorCode, type ErrorContext } from '../../model/errors.js';
import {
  describeMount,
  isShare,
  mountAbove,
  MOUNT_TABLE,
  mountsOf,
  type Mount,
} from '../../model/mount-table.js';

const CODES: Readonly<
  Record<string, readonly [code: ErrorCode, why: string, over?: ErrorContext]>
> = {
  ENOENT: ['WB_NOT_FOUND', 'does not exist'],
  ENOTDIR: ['WB_NOT_FOUND', 'does not exist (a part of its path is a file)'],
  ENAMETOOLONG: ['WB_NOT_FOUND', 'cannot exist: the name is too long'],
  EACCES: ['WB_PERMISSION_DENIED', 'may not be read by this user'],
  EPERM: ['WB_PERMISSION_DENIED', 'may not be read by this user'],
  ELOOP: ['WB_UNSAFE_PATH', 'is a symbolic link that leads in circles'],
  EMFILE: ['WB_UNAVAILABLE', 'cannot be opened: too many open files (raise `ulimit -n`)'],
  ENFILE: ['WB_UNAVAILABLE', 'cannot be opened: too many open files on this host'],
  ESTALE: ['WB_UNAVAILABLE', 'has a stale handle: its server has another file there, or none'],
  EIO: ['WB_UNAVAILABLE', 'cannot be read: the disk or the share reports an input/output error'],
  EREMOTEIO: ['WB_UNAVAILABLE', 'cannot be read: the share reports an input/output error'],
  ETIMEDOUT: ['WB_TIMEOUT', 'is on a network share that does not answer'],
  EHOSTDOWN: ['WB_UNAVAILABLE', 'is on a network share whose server is down'],
  ENOTCONN: ['WB_UNAVAILABLE', 'is on a mount whose server is gone: mount it again'],
};

/** Errors of a server behind a mount: which one it is helps. */
const OF_A_SERVER = new Set([
  ...['ESTALE', 'EIO', 'EREMOTEIO', 'ETIMEDOUT', 'EHOSTDOWN', 'ENOTCONN', 'EACCES', 'EPERM'],
]);

/** Of these the whole share may have nothing to say: a handle of one file, a bad block. */
const OF_A_FILE = new Set(['ESTALE', 'EIO', 'EREMOTEIO']);

/** Where it happened. */
export interface LocalPlace {
  readonly operation: string;
  /** Relative to the root. */
  readonly path: string;
  /** The absolute path, for the message. */
  readonly absolute: string;
}

/** An error of the local store. */
export function localError(
  code: ErrorCode,
  why: string,
  place: LocalPlace,
  over: ErrorContext = {},
): WaybillError {
  const { operation, path, absolute } = place;
  const shown = JSON.stringify(absolute.length > 400 ? `${absolute.slice(0, 400)}…` : absolute);
  return new WaybillError(code, `${shown} ${why}`, { operation, store: 'local', path, ...over });
}

/** Translates what `node:fs` throws; errors of ours pass through. */
export function errorOfFileSystem(cause: unknown, place: LocalPlace): Error {
  const error = asError(cause);
  const code = errnoOf(error);
  if (error instanceof WaybillError || code === undefined) return error;
  const row = CODES[code];
  if (row === undefined) {
    return localError('WB_UNEXPECTED', `cannot be read (${code})`, place, { cause });
  }
  const share = OF_A_SERVER.has(code) ? shareUnder(place.absolute) : undefined;
  const told = share === undefined ? row[1] : `${row[1]}; it is on ${describeMount(share)}`;
  return localError(row[0], `${told}${hintOf(code, share)}`, place, { cause, ...row[2] });
}

/** Whether a failure may be about its file alone, where the rest of the share answers. */
export function mayBeOfFile(error: unknown): error is WaybillError {
  if (!(error instanceof WaybillError) || error.scope !== 'source') return false;
  return OF_A_FILE.has(errnoOf(error.cause) ?? '');
}

function errnoOf(error: unknown): string | undefined {
  return namedErrnoOf(error, constants.errno);
}

/** The same failure, of one file. */
export function ofFileAlone(error: WaybillError): WaybillError {
  const { operation, path = '', message, cause } = error;
  const about = { operation: operation ?? 'openRead', store: 'local', path, cause };
  return new WaybillError(error.code, message, { ...about, scope: 'file' });
}

/** The share that an absolute path lies on, where it names no link. The table is in memory: no server is asked. */
function shareUnder(absolute: string): Mount | undefined {
  try {
    const mount = mountAbove(mountsOf(readFileSync(MOUNT_TABLE, 'utf8')), absolute);
    return mount !== undefined && isShare(mount) ? mount : undefined;
  } catch {
    return undefined;
  }
}

function hintOf(code: string, share: Mount | undefined): string {
  if (share === undefined) return '';
  if (code === 'EACCES' || code === 'EPERM') {
    const isRoot = process.getuid?.() === 0;
    return isRoot ? ', whose server may give root no rights (root_squash): be another user' : '';
  }
  return `: see that \`ls ${share.point}\` answers, else mount it again`;
}
