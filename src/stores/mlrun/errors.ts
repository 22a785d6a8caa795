/** What MLRun's failed answers mean: FastAPI's `{"detail"}`, or what a proxy in front of it sends. */
import { WaybillError } from '../../model/errors.js';
import type { ErrorCode, ErrorContext } from '../../model/errors.js';
import { isClientCertificatePage, refusedClient } from '../lib/tls-errors.js';
import type { MlrunConfig } from './config.js';

/** An error of this store. */
export function mlrunError(code: ErrorCode, message: string, context: ErrorContext): WaybillError {
  return new WaybillError(code, message, { store: 'mlrun', ...context });
}

/** A failed answer, its body read. */
export interface FailedAnswer {
  readonly status: number;
  readonly text: string;
  readonly retryAfterMs?: number;
}

/** What was asked: for the message and the error's fields. */
export interface Asked {
  readonly operation: string;
  /** Ends the sentence `MLRun at http://... has no ...`. */
  readonly what: string;
  readonly path?: string;
}

/** The server's own words. */
export function wordsOf({ text, status }: FailedAnswer): string {
  if (/^\s*</.test(text)) return `an HTML page, status ${status}`;
  let detail: unknown;
  try {
    detail = (JSON.parse(text) as { detail?: unknown } | null)?.detail;
  } catch {
    detail = text;
  }
  const said = detailText(detail);
  return said === '' ? `status ${status}` : `${said} (${status})`;
}

function detailText(detail: unknown): string {
  if (typeof detail === 'string') return detail.trim().slice(0, 400);
  const reason: unknown =
    typeof detail === 'object' && detail !== null
      ? (Reflect.get(detail, 'reason') ?? Reflect.get(detail, 'err'))
      : undefined;
  if (typeof reason === 'string') return reason.trim().slice(0, 400);
  return detail === undefined ? '' : JSON.stringify(detail).slice(0, 400);
}

/** Whether the server has no such route at all, which older servers say of newer ones. */
export function isUnknownRoute({ status, text }: FailedAnswer): boolean {
  return (
    status === 405 || (status === 404 && /^\s*\{\s*"detail"\s*:\s*"Not Found"\s*\}\s*$/.test(text))
  );
}

/** The files that the server's own file proxy refuses to pass on, whoever asks. */
export function isUnauthorizedPath({ status, text }: FailedAnswer): boolean {
  return status === 403 && /Unauthorized path/i.test(text);
}

const SIGN_IN =
  'MLRUN_HTTPDB__USER and MLRUN_HTTPDB__PASSWORD, MLRUN_HTTPDB__TOKEN, or V3IO_ACCESS_KEY';

/** The error of a failed answer. */
export function errorOfAnswer(
  answer: FailedAnswer,
  { operation, what, path }: Asked,
  { server, signInFrom }: MlrunConfig,
): WaybillError {
  const { status, retryAfterMs } = answer;
  const said = wordsOf(answer);
  const about = {
    operation,
    ...(path === undefined ? {} : { path }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
  const fail = (code: ErrorCode, message: string, more: ErrorContext = {}): WaybillError =>
    mlrunError(code, message, { ...about, ...more });
  if (isClientCertificatePage(status, answer.text)) {
    const [code, wants, over] = refusedClient(`HTTP ${status}`, undefined);
    return fail(code, `MLRun at ${server} ${wants}`, over);
  }
  if (status >= 300 && status < 400) {
    const message = `${server} answers with a redirect: set MLRUN_DBPATH to the address that answers, or sign in where a login page is in front of it`;
    return fail('WB_SIGN_IN_PAGE', message, { scope: 'source' });
  }
  if (status === 401) {
    const how =
      signInFrom === ''
        ? `no sign-in is set: set ${SIGN_IN}`
        : `it does not accept ${signInFrom}: set it anew`;
    return fail(
      'WB_UNAUTHENTICATED',
      `MLRun at ${server} wants a sign-in for ${what}; ${how} (${said})`,
    );
  }
  if (status === 403) {
    const who =
      signInFrom === '' ? `nobody in particular (set ${SIGN_IN})` : `the user of ${signInFrom}`;
    return fail(
      'WB_PERMISSION_DENIED',
      `MLRun at ${server} does not permit ${who} to read ${what}: ${said}`,
      { scope: 'source' },
    );
  }
  if (isUnknownRoute(answer)) {
    const message = `${server} has no such MLRun route for ${what}: check MLRUN_DBPATH (it answered ${said})`;
    return fail('WB_CONFIG_INVALID', message, { scope: 'source' });
  }
  if (status === 404) return fail('WB_NOT_FOUND', `MLRun at ${server} has no ${what}: ${said}`);
  if (status === 429)
    return fail('WB_RATE_LIMITED', `MLRun at ${server} asks for fewer requests: ${said}`);
  if (status === 408 || status === 504) {
    return fail('WB_TIMEOUT', `MLRun at ${server} took too long for ${what}: ${said}`);
  }
  if (status >= 500) return fail('WB_UNAVAILABLE', `MLRun at ${server} failed on ${what}: ${said}`);
  // What is wrong with the request for one file is not wrong with those for the others.
  const scope = path === undefined || path === '' ? {} : { scope: 'file' as const };
  return fail('WB_UNAVAILABLE', `MLRun at ${server} refused the request for ${what}: ${said}`, {
    ...scope,
    retryable: false,
  });
}
