/** SFTP addresses as people write them. */
import { posix } from 'node:path';
import { WaybillError } from '../../model/errors.js';

/** Where a source is. */
export interface SftpAddress {
  /** Absent: what the configuration says, else the user of this machine. */
  readonly user?: string;
  /** A name that `~/.ssh/config` may know. */
  readonly host: string;
  readonly port?: number;
  /** Absolute; or relative to the home folder, where the address began with `/~`. */
  readonly path: string;
}

const FORM =
  /^sftp:\/\/(?:([^/?#@]*)@)?(\[[0-9a-fA-F:.]+(?:%[\w.]+)?\]|[^/?#@:[\]]+)(?::(\d{1,5}))?(\/[^?#]*)?([?#].*)?$/is;

/** Reads an address. A malformed one is WB_USAGE. */
export function parseSftpUri(uri: string): SftpAddress {
  const match = FORM.exec(uri);
  if (!match) throw refusal(uri, 'write sftp://user@host:port/absolute/path');
  const [, user, host = '', port, path = '/', rest] = match;
  if (user?.includes(':') === true) {
    throw refusal(
      uri.replace(/:[^:@/]*@/, ':***@'),
      'it holds a password; set WAYBILL_SFTP_PASSWORD instead',
    );
  }
  if (rest !== undefined) throw refusal(uri, 'write ? as %3F and # as %23');
  const number = port === undefined ? undefined : Number(port);
  if (number !== undefined && (number < 1 || number > 65_535)) {
    throw refusal(uri, `${port ?? ''} is no port`);
  }
  return {
    ...(user === undefined || user === '' ? {} : { user: decoded(user, uri) }),
    host: host.replace(/^\[|\]$/g, '').toLowerCase(),
    ...(number === undefined ? {} : { port: number }),
    path: pathOf(decoded(path, uri), uri),
  };
}

/** The last part of the path; undefined for the root and the home folder. */
export function localNameOfSftp(uri: string): string | undefined {
  try {
    const name = posix.basename(parseSftpUri(uri).path);
    return name === '' || name === '.' || name === '..' ? undefined : name;
  } catch {
    return undefined;
  }
}

/** `/~` and what follows it is the home folder, as curl and the drafts of the scheme have it. */
function pathOf(path: string, uri: string): string {
  if (path.includes('\0')) throw refusal(uri, 'it contains a NUL character');
  const home = /^\/~(?:\/(.*))?$/s.exec(path);
  const normal = posix.normalize(home ? `./${home[1] ?? ''}` : path);
  if (normal.startsWith('..')) throw refusal(uri, 'it leads out of the home folder');
  return normal.length > 1 ? normal.replace(/\/$/, '') : normal;
}

function decoded(text: string, uri: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw refusal(uri, 'it is not correctly percent-encoded (write % as %25)', cause);
  }
}

function refusal(uri: string, why: string, cause?: unknown): WaybillError {
  return new WaybillError('WB_USAGE', `the source ${JSON.stringify(uri)} is refused: ${why}`, {
    operation: 'open',
    store: 'sftp',
    cause,
  });
}
