/** What a failed TLS handshake means, and what to do about it. */
import type { ErrorCode, ErrorContext } from '../../model/errors.js';
import { asError } from './as-error.js';

/** A verdict: the code, the end of the sentence `https://host ...`, and what differs from the table. */
export type TlsVerdict = readonly [code: ErrorCode, what: string, over: ErrorContext];

const FINAL = { scope: 'source', retryable: false } as const;

/** Some certificates are for hundreds of names. */
const MAX_NAMES_CHARACTERS = 200;

/** OpenSSL's verification results, as Node names them. */
const UNTRUSTED =
  /^(CERT_|UNABLE_TO_|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT|INVALID_CA|INVALID_PURPOSE)/;

/** What a service says when it does not let this client in: alerts of RFC 8446, as OpenSSL names them. */
const REFUSED =
  /ALERT_(CERTIFICATE_REQUIRED|BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_(REVOKED|EXPIRED|UNKNOWN)|UNKNOWN_CA|ACCESS_DENIED|HANDSHAKE_FAILURE)$/;

/**
 * The verdict about a failed connection; undefined: it did not fail for its certificates.
 * @param trust what to set, or what is set, where the authority is unknown
 * @param hasIdentity whether a client certificate is configured for this connection
 */
export function tlsVerdict(
  cause: unknown,
  trust: string,
  hasIdentity: boolean,
): TlsVerdict | undefined {
  const code = codeOf(cause);
  if (code === 'CERT_HAS_EXPIRED') {
    return unavailable(
      'has a certificate that has expired: ask its owner to renew it, or set the clock of this machine if that is wrong',
    );
  }
  if (code === 'CERT_NOT_YET_VALID') {
    return unavailable(
      'has a certificate that is not valid yet: set the clock of this machine, or ask its owner',
    );
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return unavailable(
      `has a certificate for other names${namesOf(cause)}: use an address that it is for`,
    );
  }
  if (UNTRUSTED.test(code)) {
    return unavailable(`has a certificate that is not trusted (${code}): ${trust}`);
  }
  const alert = REFUSED.exec(code)?.[1];
  if (alert !== undefined) return refusedClient(alert, hasIdentity);
  return undefined;
}

/** Whether a failed handshake is a service that does not let this client in. */
export function isClientRefused(cause: unknown): boolean {
  return REFUSED.test(codeOf(cause));
}

/** The same where the service let the connection in and then said no: nginx answers 400 with a page, Apache and others 403. */
export function isClientCertificatePage(status: number, text: string): boolean {
  return (
    (status === 400 || status === 403 || status === 495 || status === 496) &&
    /SSL certificate|client certificate/i.test(text)
  );
}

/**
 * What a service means that wants a client certificate, or another one.
 * @param hasIdentity undefined: not known here
 */
export function refusedClient(said: string, hasIdentity: boolean | undefined): TlsVerdict {
  const variables =
    'WAYBILL_CLIENT_CERT_FILE and WAYBILL_CLIENT_KEY_FILE, or, for an MLflow server, MLFLOW_TRACKING_CLIENT_CERT_PATH';
  const what =
    hasIdentity === undefined
      ? `wants a client certificate that it accepts: check ${variables}`
      : hasIdentity
        ? `does not accept the client certificate: check ${variables}`
        : `wants a client certificate: set ${variables}`;
  return ['WB_UNAUTHENTICATED', `${what} (${said})`, FINAL];
}

function unavailable(what: string): TlsVerdict {
  return ['WB_UNAVAILABLE', what, FINAL];
}

/** The code of the error or of its cause: a client wraps what happened on the way through a proxy. */
function codeOf(cause: unknown): string {
  for (let error = cause, depth = 0; depth < 4; depth += 1) {
    if (typeof error !== 'object' || error === null) return '';
    const code: unknown = Reflect.get(error, 'code');
    const isTls = typeof code === 'string' && (UNTRUSTED.test(code) || /^ERR_(TLS|SSL)/.test(code));
    if (isTls) return code;
    error = asError(error).cause;
  }
  return '';
}

/** The names that the certificate is for, where the error or its cause has it. */
function namesOf(cause: unknown): string {
  for (let error = cause, depth = 0; depth < 4; depth += 1) {
    if (typeof error !== 'object' || error === null) return '';
    const certificate: unknown = Reflect.get(error, 'cert');
    if (typeof certificate === 'object' && certificate !== null) {
      const names: unknown = Reflect.get(certificate, 'subjectaltname');
      return typeof names === 'string' ? ` (${names.slice(0, MAX_NAMES_CHARACTERS)})` : '';
    }
    error = asError(error).cause;
  }
  return '';
}
