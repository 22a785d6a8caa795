/** The one place where HTTP statuses and network failures become errors of the table. */
import { WaybillError, type ErrorCode, type ErrorContext } from '../../model/errors.js';
import { asError } from './as-error.js';
import { LengthError, type BodyFailure } from './body-stream.js';
import type { Headers } from './exchange.js';
import { retryAfterMsOf } from './http-headers.js';
import { isClientCertificatePage, refusedClient, tlsVerdict } from './tls-errors.js';
import { TrickleError } from './trickle.js';

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
  /** The proxy that the request went through. */
  readonly proxy?: ProxyInUse;
  /** What to set where the authority of a certificate is unknown. */
  readonly trust?: string;
  /** A client certificate is configured for this origin. */
  readonly hasIdentity?: boolean;
}

/** A proxy, as messages name it. */
export interface ProxyInUse {
  /** Without user and password. */
  readonly address: string;
  readonly variable: string;
  readonly hasPassword: boolean;
}

type Row = readonly [code: ErrorCode, what: string, over?: ErrorContext];

const BY_STATUS: Readonly<Record<number, Row>> = {
  401: ['WB_UNAUTHENTICATED', 'wants a sign-in', { scope: 'source' }],
  402: ['WB_PERMISSION_DENIED', 'wants a payment'],
  403: ['WB_PERMISSION_DENIED', 'forbids it'],
  404: ['WB_NOT_FOUND', 'does not have it'],
  408: ['WB_TIMEOUT', 'gave up waiting'],
  410: ['WB_NOT_FOUND', 'no longer has it'],
  412: ['WB_SOURCE_CHANGED', 'has another version of it by now'],
  416: ['WB_SIZE_MISMATCH', 'says that it is shorter than the range asked for'],
  // Misdirected, or as of old a server with too many connections: over fewer and newer ones it answers.
  421: ['WB_RATE_LIMITED', 'does not serve this connection'],
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
  if (answer.status === 407) return proxyWantsPassword(where);
  const [code, what, over] = isClientCertificatePage(answer.status, answer.text)
    ? refusedClient(`HTTP ${answer.status}`, where.hasIdentity)
    : rowOf(answer.status);
  const retryAfterMs = retryAfterMsOf(answer.headers);
  const said = answer.text === '' ? '' : `: ${answer.text}`;
  const isAboutCredentials = code === 'WB_UNAUTHENTICATED' || code === 'WB_PERMISSION_DENIED';
  const left =
    where.droppedCredentials && isAboutCredentials
      ? '; it was redirected there, and credentials do not follow to another host: use its own address'
      : '';
  // Without TLS a proxy answers in the source's place, and nothing tells the two apart.
  const { proxy } = where;
  const isAmbiguous = proxy !== undefined && where.address.startsWith('http:');
  const via = isAmbiguous ? ` (through ${nameOf(proxy)}, which may be who says so)` : '';
  return new WaybillError(
    code,
    `${where.address} ${what} (HTTP ${answer.status})${said}${left}${via}`,
    {
      ...contextOf(where),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      ...over,
    },
  );
}

/** The error of a request that got no answer. An error of ours passes through. */
export function errorOfNetwork(cause: unknown, where: Circumstances): WaybillError {
  const ours = findOurs(cause);
  if (ours) return ours;
  const code = codeOf(cause);
  const tls = tlsVerdict(cause, where.trust ?? 'set SSL_CERT_FILE', where.hasIdentity ?? false);
  if (tls) {
    const [tlsCode, what, over] = tls;
    return new WaybillError(tlsCode, `${where.address} ${what}`, {
      ...contextOf(where),
      ...over,
      cause,
    });
  }
  const proxyStatus = /Proxy (?:response|Authentication Required) \((\d+)\)/.exec(
    asError(cause).message,
  )?.[1];
  if (proxyStatus !== undefined) return errorOfProxyStatus(Number(proxyStatus), where, cause);
  if (code === 'UND_ERR_INVALID_ARG') {
    const message = `${where.address} cannot be asked: ${asError(cause).message}`;
    return new WaybillError('WB_CONFIG_INVALID', message, { ...contextOf(where), cause });
  }
  const isTimeout = TIMEOUTS.has(code);
  const reason =
    REASONS[code] ?? `cannot be reached (${code === '' ? asError(cause).message : code})`;
  return new WaybillError(
    isTimeout ? 'WB_TIMEOUT' : 'WB_UNAVAILABLE',
    where.proxy === undefined
      ? `${where.address} ${reason}`
      : `${where.address}: ${nameOf(where.proxy)} ${reason}; correct or unset ${where.proxy.variable}, or add the host to NO_PROXY`,
    { ...contextOf(where), cause },
  );
}

function nameOf({ address, variable }: ProxyInUse): string {
  return `the proxy ${address} (${variable})`;
}

function proxyWantsPassword(where: Circumstances): WaybillError {
  const { proxy } = where;
  const message =
    proxy === undefined
      ? `${where.address} answers as a proxy that wants a password (HTTP 407)`
      : proxy.hasPassword
        ? `${where.address}: ${nameOf(proxy)} does not accept the user and password that ${proxy.variable} holds (HTTP 407); ` +
          'a character such as @ or / in a password is written %40 or %2F'
        : `${where.address}: ${nameOf(proxy)} wants a password (HTTP 407): set ${proxy.variable}=http://user:password@host:port`;
  return new WaybillError('WB_CONFIG_INVALID', message, { ...contextOf(where), scope: 'source' });
}

/** A proxy answered CONNECT, and did not connect. */
function errorOfProxyStatus(status: number, where: Circumstances, cause: unknown): WaybillError {
  // 401 is not for proxies, but some answer it to a wrong password.
  if (status === 407 || status === 401) return proxyWantsPassword(where);
  const name = where.proxy === undefined ? 'the proxy' : nameOf(where.proxy);
  const isFinal = status >= 400 && status < 500 && status !== 408 && status !== 429;
  const what = isFinal
    ? `refuses to connect to it (HTTP ${status}); ask whoever runs the proxy, or add the host to NO_PROXY`
    : `cannot connect to it (HTTP ${status})`;
  return new WaybillError('WB_UNAVAILABLE', `${where.address}: ${name} ${what}`, {
    ...contextOf(where),
    ...(isFinal ? { retryable: false, scope: 'source' as const } : {}),
    cause,
  });
}

/**
 * The error of a body that broke off. A connection that ended before its time is the network's fault, whatever was announced;
 * only a body that has its proper end, and another length, is a wrong one.
 */
export function errorOfBody(failure: BodyFailure, where: Circumstances): WaybillError {
  const { cause, receivedBytes, announcedBytes } = failure;
  const ours = findOurs(cause);
  if (ours) return ours;
  const code = codeOf(cause);
  if (announcedBytes !== undefined && cause instanceof LengthError) {
    return new WaybillError(
      'WB_SIZE_MISMATCH',
      `${where.address} announced ${announcedBytes} bytes and sent ${receivedBytes}`,
      { ...contextOf(where), cause },
    );
  }
  const isStall = TIMEOUTS.has(code);
  const of = announcedBytes === undefined ? '' : ` of ${announcedBytes}`;
  const what =
    cause instanceof TrickleError
      ? `${cause.message} and was given up`
      : isStall
        ? 'fell silent'
        : 'broke off';
  return new WaybillError(
    isStall ? 'WB_TIMEOUT' : 'WB_UNAVAILABLE',
    `${where.address} ${what} after ${receivedBytes}${of} bytes`,
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

const HANG_UPS = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);

/** The other end closed a connection instead of answering. */
export function isHangUp(cause: unknown): boolean {
  return HANG_UPS.has(codeOf(cause));
}

const REASONS: Readonly<Record<string, string>> = {
  UND_ERR_CONNECT_TIMEOUT: 'does not accept the connection in time',
  ETIMEDOUT: 'does not accept the connection in time',
  UND_ERR_HEADERS_TIMEOUT:
    'accepted the request and did not answer in time (WAYBILL_STALL_TIMEOUT=10m gives it longer)',
  UND_ERR_BODY_TIMEOUT: 'fell silent in the middle of its answer',
  UND_ERR_HEADERS_OVERFLOW: 'sends a head that is larger than any should be (16 KiB)',
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
