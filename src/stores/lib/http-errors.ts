/** The one place where HTTP statuses and network failures become errors of the table. */
import { WaybillError, type ErrorCode, type ErrorContext } from '../../model/errors.js';
import { asError } from './as-error.js';
import { LengthError, type BodyFailure, type Headers } from './exchange.js';
import { retryAfterMsOf } from './http-headers.js';

/** What an error message says besides its cause. */
export interface Circumstances {
  readonly operation: string;
  readonly store: string;
  /** Relative to the store's root; '' or absent: the root. */
  readonly path?: string;
  /** The address, redacted. */
  readonly address: string;
  /** Credentials were left behind at a redirect to another origin. */
  readonly droppedCredentials?: boolean;
}

type Row = readonly [code: ErrorCode, what: string, over?: ErrorContext];

const BY_STATUS: Readonly<Record<number, Row>> = {
  401: ['WB_UNAUTHENTICATED', 'wants a sign-in', { scope: 'source' }],
  402: ['WB_PERMISSION_DENIED', 'wants a payment'],
  403: ['WB_PERMISSION_DENIED', 'forbids it'],
  404: ['WB_NOT_FOUND', 'does not have it'],
  407: [
    'WB_CONFIG_INVALID',
    'is behind a proxy that wants a password: put it into HTTPS_PROXY=http://user:password@host:port',
    { scope: 'source' },
  ],
  408: ['WB_TIMEOUT', 'gave up waiting'],
  410: ['WB_NOT_FOUND', 'no longer has it'],
  412: ['WB_SOURCE_CHANGED', 'has another version of it by now'],
  416: ['WB_SIZE_MISMATCH', 'says that it is shorter than the range asked for'],
  425: ['WB_UNAVAILABLE', 'answers too early'],
  429: ['WB_RATE_LIMITED', 'asks for fewer requests'],
  451: ['WB_PERMISSION_DENIED', 'withholds it for legal reasons'],
  501: ['WB_UNAVAILABLE', 'does not know how to answer', { retryable: false }],
  505: ['WB_UNAVAILABLE', 'does not speak this HTTP', { retryable: false }],
};

function rowOf(status: number): Row {
  const known = BY_STATUS[status];
  if (known) return known;
  if (status >= 500) return ['WB_UNAVAILABLE', 'failed'];
  if (status >= 400)
    return ['WB_UNAVAILABLE', 'refuses the request', { retryable: false, scope: 'file' }];
  return ['WB_UNAVAILABLE', 'answers in an unexpected way', { retryable: false, scope: 'file' }];
}

/**
 * The error of an answer that is no success.
 * @param text the body's words, already shortened by `errorTextOf`
 */
export function errorOfStatus(
  answer: { readonly status: number; readonly headers: Headers; readonly text: string },
  where: Circumstances,
): WaybillError {
  const [code, what, over] = rowOf(answer.status);
  const retryAfterMs = retryAfterMsOf(answer.headers);
  const said = answer.text === '' ? '' : `: ${answer.text}`;
  const isAboutCredentials = code === 'WB_UNAUTHENTICATED' || code === 'WB_PERMISSION_DENIED';
  const left =
    where.droppedCredentials && isAboutCredentials
      ? '; it was redirected there, and credentials do not follow to another host: use its own address'
      : '';
  return new WaybillError(code, `${where.address} ${what} (HTTP ${answer.status})${said}${left}`, {
    ...contextOf(where),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...over,
  });
}

/** The error of a request that got no answer. An error of ours passes through. */
export function errorOfNetwork(cause: unknown, where: Circumstances): WaybillError {
  const ours = findOurs(cause);
  if (ours) return ours;
  const code = codeOf(cause);
  const certificate = certificateProblem(code, cause);
  if (certificate !== undefined) {
    const message =
      `the certificate of ${where.address} is not trusted (${certificate}): ` +
      'point SSL_CERT_FILE or REQUESTS_CA_BUNDLE to the PEM file of its authority';
    return new WaybillError('WB_UNAVAILABLE', message, {
      ...contextOf(where),
      retryable: false,
      cause,
    });
  }
  const proxyStatus = /Proxy response \((\d+)\)|Proxy Authentication Required \((407)\)/.exec(
    asError(cause).message,
  );
  if (proxyStatus) {
    const status = Number(proxyStatus[1] ?? proxyStatus[2]);
    return errorOfStatus(
      { status: status === 407 ? 407 : 502, headers: {}, text: `the proxy said ${status}` },
      where,
    );
  }
  if (code === 'UND_ERR_INVALID_ARG') {
    const message = `${where.address} cannot be asked: ${asError(cause).message}`;
    return new WaybillError('WB_CONFIG_INVALID', message, { ...contextOf(where), cause });
  }
  const isTimeout = TIMEOUTS.has(code);
  return new WaybillError(
    isTimeout ? 'WB_TIMEOUT' : 'WB_UNAVAILABLE',
    `${where.address} ${REASONS[code] ?? `cannot be reached (${code === '' ? asError(cause).message : code})`}`,
    { ...contextOf(where), cause },
  );
}

/** The error of a body that broke off. */
export function errorOfBody(failure: BodyFailure, where: Circumstances): WaybillError {
  const { cause, receivedBytes, announcedBytes } = failure;
  const ours = findOurs(cause);
  if (ours) return ours;
  const code = codeOf(cause);
  const isShort = code === 'UND_ERR_SOCKET' || code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH';
  if (announcedBytes !== undefined && (cause instanceof LengthError || isShort)) {
    return new WaybillError(
      'WB_SIZE_MISMATCH',
      `${where.address} announced ${announcedBytes} bytes and sent ${receivedBytes}`,
      { ...contextOf(where), cause },
    );
  }
  const isStall = TIMEOUTS.has(code);
  const of = announcedBytes === undefined ? '' : ` of ${announcedBytes}`;
  return new WaybillError(
    isStall ? 'WB_TIMEOUT' : 'WB_UNAVAILABLE',
    `${where.address} ${isStall ? 'fell silent' : 'broke off'} after ${receivedBytes}${of} bytes`,
    // The server did answer: when all of it is gone, the next request finds out.
    { ...contextOf(where), ...(isStall ? {} : { scope: 'file' as const }), cause },
  );
}

const TIMEOUTS = new Set([
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'ETIMEDOUT',
]);

const REASONS: Readonly<Record<string, string>> = {
  UND_ERR_CONNECT_TIMEOUT: 'does not accept the connection in time',
  ETIMEDOUT: 'does not accept the connection in time',
  UND_ERR_HEADERS_TIMEOUT: 'accepted the request and did not answer in time',
  UND_ERR_SOCKET: 'closed the connection instead of answering',
  ECONNRESET: 'reset the connection instead of answering',
  EPIPE: 'closed the connection instead of answering',
  ECONNREFUSED: 'refuses connections (is the service running, and the port right?)',
  ENOTFOUND: 'has a host name that cannot be found (ENOTFOUND)',
  EAI_AGAIN: 'has a host name that cannot be looked up at the moment (EAI_AGAIN)',
  EHOSTUNREACH: 'cannot be reached: no route to the host',
  ENETUNREACH: 'cannot be reached: no network',
  ERR_SSL_WRONG_VERSION_NUMBER: 'does not speak TLS on this port: write http:// if that is meant',
};

/** OpenSSL's verification results, as Node names them. */
const CERTIFICATE =
  /^(CERT_|UNABLE_TO_|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT|INVALID_CA|INVALID_PURPOSE|ERR_TLS_CERT_ALTNAME_INVALID|HOSTNAME_MISMATCH)/;

function certificateProblem(code: string, cause: unknown): string | undefined {
  if (CERTIFICATE.test(code)) return code;
  const inner = codeOf(asError(cause).cause);
  return CERTIFICATE.test(inner) ? inner : undefined;
}

function contextOf(where: Circumstances): ErrorContext {
  return {
    operation: where.operation,
    store: where.store,
    ...(where.path === undefined ? {} : { path: where.path }),
  };
}

function findOurs(cause: unknown): WaybillError | undefined {
  if (cause instanceof WaybillError) return cause;
  const inner = asError(cause).cause;
  return inner instanceof WaybillError ? inner : undefined;
}

function codeOf(cause: unknown): string {
  if (typeof cause !== 'object' || cause === null) return '';
  const code: unknown = Reflect.get(cause, 'code');
  if (typeof code === 'string') return code;
  // A name with several addresses fails with all their errors together.
  const errors: unknown = Reflect.get(cause, 'errors');
  return Array.isArray(errors) ? codeOf(errors[0]) : '';
}
