/** File system errors of a source as errors of the table. */
import { asError } from '../lib/as-error.js';
import { WaybillError, type ErrorCode, type ErrorContext } from '../../model/errors.js';

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
  ESTALE: ['WB_UNAVAILABLE', 'is on a network share whose handle is stale: mount it again'],
  EIO: ['WB_UNAVAILABLE', 'cannot be read: the disk or the share reports an input/output error'],
  EREMOTEIO: ['WB_UNAVAILABLE', 'cannot be read: the share reports an input/output error'],
  ETIMEDOUT: ['WB_TIMEOUT', 'is on a network share that does not answer'],
  EHOSTDOWN: ['WB_UNAVAILABLE', 'is on a network share whose server is down'],
  ENOTCONN: ['WB_UNAVAILABLE', 'is on a mount whose server is gone: mount it again'],
};

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
  if (error instanceof WaybillError || !('code' in error)) return error;
  const code = String(error.code);
  const row = CODES[code];
  if (row) return localError(row[0], row[1], place, { cause, ...row[2] });
  return localError('WB_UNEXPECTED', `cannot be read (${code})`, place, { cause });
}
