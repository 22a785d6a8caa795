/** Answers and network failures of an FTP server as errors of the table. */
import { WaybillError, type ErrorCode, type ErrorContext } from '../../model/errors.js';
import { asError } from '../lib/as-error.js';
import { errorOfNetwork } from '../lib/http-errors.js';
import type { FtpConfig } from './config.js';
import { NOT_FTP, Refusal, type Reply, wordsOf } from './replies.js';

/** What was being done. */
export interface Asked {
  readonly operation: string;
  /** Relative to the store's root. */
  readonly path: string;
}

type Row = readonly [code: ErrorCode, what: string, over?: ErrorContext];

const SOURCE = { scope: 'source' } as const;
const FINAL = { scope: 'source', retryable: false } as const;

const BY_CODE: Readonly<Record<number, Row>> = {
  120: ['WB_UNAVAILABLE', 'is not ready yet'],
  332: ['WB_UNSUPPORTED', 'wants an account beside user and password (ACCT)', FINAL],
  425: ['WB_UNAVAILABLE', 'cannot open the data connection'],
  426: ['WB_UNAVAILABLE', 'broke the transfer off', { scope: 'file' }],
  450: ['WB_UNAVAILABLE', 'has the file in use', { scope: 'file' }],
  451: ['WB_UNAVAILABLE', 'failed', { scope: 'file' }],
  550: ['WB_NOT_FOUND', 'does not have it'],
  551: ['WB_UNAVAILABLE', 'failed', { scope: 'file' }],
  553: ['WB_PERMISSION_DENIED', 'does not allow the name'],
};

/** Some say so with 421, others (ProFTPD) with the code of a wrong password. */
const TOO_MANY =
  /too many|(maximum|max)\b.*\b(connections?|clients?|users?|logins?)|limit.*reached/i;

/** Whether a server has as many connections as it takes: ask later, or with fewer. */
export function isTooMany(cause: unknown): boolean {
  if (!(cause instanceof Refusal)) return false;
  const { code } = cause.reply;
  if (!['connect', 'USER', 'PASS', 'AUTH'].includes(cause.command)) return false;
  return code === 421 || ([430, 500, 530].includes(code) && TOO_MANY.test(wordsOf(cause.reply)));
}

function rowOf({ reply, command }: Refusal, config: FtpConfig): Row {
  const { code } = reply;
  const words = wordsOf(reply);
  const wantsTls =
    config.tls === 'none' && code >= 400 && /\b(TLS|SSL|encrypt|secure)/i.test(words);
  if (wantsTls && code !== 550) {
    return [
      'WB_CONFIG_INVALID',
      'wants TLS: write ftpes://, or set WAYBILL_FTP_TLS=explicit',
      FINAL,
    ];
  }
  if (command === 'AUTH') {
    return [
      'WB_CONFIG_INVALID',
      'offers no TLS on this port: write ftp:// if that is meant',
      FINAL,
    ];
  }
  if (command === 'PROT' || command === 'PBSZ') {
    return ['WB_UNSUPPORTED', 'does not encrypt data connections, so nothing is read', FINAL];
  }
  if (code === 530 || code === 430 || (command === 'PASS' && code >= 500)) {
    const what = `does not let this user in (${config.login.from}): set WAYBILL_FTP_USER and WAYBILL_FTP_PASSWORD, or correct ~/.netrc`;
    return ['WB_UNAUTHENTICATED', what, SOURCE];
  }
  if (code === 421) return ['WB_UNAVAILABLE', 'ends the connection'];
  if (code === 550 && saysForbidden(reply)) {
    return ['WB_PERMISSION_DENIED', 'forbids it', { scope: 'file' }];
  }
  const known = BY_CODE[code];
  if (known) return known;
  if (code >= 500 && code < 505) {
    return ['WB_UNSUPPORTED', `does not know ${command}, without which nothing is read`, FINAL];
  }
  return ['WB_UNAVAILABLE', `refuses ${command}`];
}

/** Whether a refusal says that something is there, and not for this user. */
export function saysForbidden(reply: Reply): boolean {
  return /permission|denied|not allowed|forbidden|access is|prohibited/i.test(wordsOf(reply));
}

/** The error of what a connection threw; errors of ours pass through. */
export function ftpErrorOf(cause: unknown, asked: Asked, config: FtpConfig): Error {
  if (cause instanceof WaybillError) return withPlace(cause, asked);
  const context: ErrorContext = { ...asked, store: 'ftp' };
  if (isTooMany(cause)) {
    const said = asError(cause).message;
    const message = `${config.service} has as many connections as it takes (${said})`;
    return new WaybillError('WB_RATE_LIMITED', message, { ...context, cause });
  }
  if (cause instanceof Refusal) {
    const [code, what, over] = rowOf(cause, config);
    const message = `${placeOf(asked, config)} ${what} (${cause.command}: ${cause.message})`;
    return new WaybillError(code, message, { ...context, ...over, cause });
  }
  const code = codeOf(cause);
  if (code === NOT_FTP) {
    const message = `${config.service} does not speak FTP: ${asError(cause).message}; check the port, and whether ftps:// or ftp:// is meant`;
    return new WaybillError('WB_CONFIG_INVALID', message, { ...context, ...FINAL, cause });
  }
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG') {
    const message = `${config.service} does not speak TLS from the first byte: write ftpes:// where it is asked for by AUTH TLS, or ftp:// without it`;
    return new WaybillError('WB_CONFIG_INVALID', message, { ...context, ...FINAL, cause });
  }
  return errorOfNetwork(cause, {
    ...asked,
    store: 'ftp',
    address: config.service,
    trust: config.certificates.trust,
    hasIdentity: config.certificates.hasIdentity,
  });
}

/** What is asked for, as a person would write it. */
export function placeOf({ path }: Asked, config: FtpConfig): string {
  const shown = path.toWellFormed();
  if (shown === '') return config.root;
  return config.root.endsWith('/') ? config.root + shown : `${config.root}/${shown}`;
}

function withPlace(error: WaybillError, asked: Asked): WaybillError {
  if (error.path !== undefined || error.scope !== 'file') return error;
  return new WaybillError(error.code, error.message, { ...asked, store: 'ftp', cause: error });
}

/** The code of an error of the network; empty where it has none. */
export function codeOf(cause: unknown): string {
  const code: unknown =
    typeof cause === 'object' && cause !== null ? Reflect.get(cause, 'code') : undefined;
  return typeof code === 'string' ? code : '';
}
