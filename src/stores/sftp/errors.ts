/** Errors of the SFTP store, and the one place that knows the status codes of SFTP. */
import { WaybillError } from '../../model/errors.js';
import type { ErrorCode, ErrorContext } from '../../model/errors.js';

/** Where it happened. */
export interface SftpPlace {
  readonly operation: string;
  /** Relative to the store's root. */
  readonly path: string;
  /** `sftp://user@host/absolute/path`, for the message. */
  readonly address: string;
}

/** An error of this store. */
export function sftpError(
  code: ErrorCode,
  why: string,
  { operation, path, address }: SftpPlace,
  over: ErrorContext = {},
): WaybillError {
  const shown = address.length > 400 ? `${address.slice(0, 400)}…` : address;
  return new WaybillError(code, `${shown} ${why}`, { operation, store: 'sftp', path, ...over });
}

/** An error of the connection before a path is known. */
export function connectError(
  code: ErrorCode,
  message: string,
  over: ErrorContext = {},
): WaybillError {
  return new WaybillError(code, message, { operation: 'connect', store: 'sftp', ...over });
}

/** What a status of SFTP (version 3) means. */
const STATUSES: Readonly<
  Record<number, readonly [code: ErrorCode, why: string, over?: ErrorContext]>
> = {
  1: ['WB_SIZE_MISMATCH', 'ended before its size'],
  2: ['WB_NOT_FOUND', 'does not exist'],
  3: ['WB_PERMISSION_DENIED', 'may not be read by this user'],
  4: ['WB_UNAVAILABLE', 'cannot be read', { scope: 'file' }],
  5: ['WB_UNAVAILABLE', 'cannot be read: the server does not understand the request'],
  6: ['WB_UNAVAILABLE', 'cannot be read: the server has no connection'],
  7: ['WB_UNAVAILABLE', 'cannot be read: the server lost its connection'],
  8: ['WB_UNSUPPORTED', 'cannot be read: the server does not have this operation'],
};

/** The number of "no such file", and of the end of a file or a listing. */
export const NO_SUCH_FILE = 2;
export const END_OF_FILE = 1;

/** A server's answer that something did not work. */
export class StatusError extends Error {
  override readonly name = 'StatusError';

  constructor(
    readonly status: number,
    /** The server's own words. */
    readonly said: string,
  ) {
    super(`SFTP status ${status}: ${said}`);
  }
}

/** Translates what a session rejects with; errors of ours get the place that they lack. */
export function errorOfSession(cause: unknown, place: SftpPlace): Error {
  if (cause instanceof StatusError) {
    const [code, why, over] = STATUSES[cause.status] ?? ['WB_UNEXPECTED', 'cannot be read'];
    const isPlain = cause.status === 2 || cause.status === 3;
    const said = isPlain || cause.said === '' ? '' : ` (${cause.said.slice(0, 200)})`;
    return sftpError(code, `${why}${said}`, place, { cause, ...over });
  }
  if (cause instanceof WaybillError && cause.store === 'sftp' && cause.path === undefined) {
    return new WaybillError(cause.code, cause.message, {
      operation: place.operation,
      store: 'sftp',
      path: place.path,
      scope: cause.scope,
      retryable: cause.retryable,
      advice: cause.advice,
      cause: cause.cause,
    });
  }
  return cause instanceof Error ? cause : new Error(String(cause));
}
