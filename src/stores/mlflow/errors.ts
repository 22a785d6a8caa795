/**
 * What MLflow's failed answers mean. MLflow answers errors in five shapes: its own JSON, FastAPI's `{"detail"}`, plain
 * text (basic-auth), HTML (unknown routes, crashes, proxies in front), and nothing. Its status alone does not tell
 * a missing object from a broken server.
 */
import * as z from 'zod';
import { asWaybillError, WaybillError } from '../../model/errors.js';
import type { ErrorCode, ErrorContext } from '../../model/errors.js';
import { isClientCertificatePage, refusedClient } from '../lib/tls-errors.js';
import { refusalIn, wordsOfStorage } from './storage-refusal.js';

/** A failed answer, its body read (up to some KiB). */
export interface FailedAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
  readonly retryAfterMs?: number;
  /** Of a redirect. */
  readonly location?: string;
}

/** What was asked: for the message and the error's fields. */
export interface Asked {
  readonly operation: string;
  /** `run abc`, `the files of run abc`: ends the sentence `MLflow at http://... has no ...`. */
  readonly what: string;
  /** Scheme, host and port of the server. */
  readonly server: string;
  readonly path?: string;
}

/** A proxy may turn the name of an error code into its protobuf number (mlflow `databricks.proto`). */
const CODE_BY_NUMBER: Readonly<Record<string, string>> = {
  1: 'INTERNAL_ERROR',
  2: 'TEMPORARILY_UNAVAILABLE',
  4: 'BAD_REQUEST',
  5: 'SERVICE_UNDER_MAINTENANCE',
  7: 'DEADLINE_EXCEEDED',
  9: 'RESOURCE_EXHAUSTED',
  11: 'NOT_FOUND',
  13: 'UNAUTHENTICATED',
  1000: 'INVALID_PARAMETER_VALUE',
  1001: 'ENDPOINT_NOT_FOUND',
  1004: 'PERMISSION_DENIED',
  1005: 'FEATURE_DISABLED',
  1006: 'CUSTOMER_UNAUTHORIZED',
  1007: 'REQUEST_LIMIT_EXCEEDED',
  1010: 'NOT_IMPLEMENTED',
  3002: 'RESOURCE_DOES_NOT_EXIST',
};

const ErrorBody = z.object({
  error_code: z.union([z.string(), z.number().transform(String)]).optional(),
  message: z.string().optional(),
  detail: z.unknown().optional(),
});

/** The error code and the server's own words, whatever the shape of the body. */
export function readErrorBody({ text }: Pick<FailedAnswer, 'text'>): {
  name: string;
  message: string;
} {
  // Flask calls its plain texts HTML too (basic-auth's 401): the text itself tells.
  const isHtml = /^\s*<(!doctype|html)/i.test(text);
  if (isHtml) {
    const title = /<title>([^<]{1,200})<\/title>/i.exec(text)?.[1]?.trim();
    return { name: '', message: title === undefined ? 'an HTML page' : `an HTML page "${title}"` };
  }
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return { name: '', message: text.trim().slice(0, 400) };
  }
  const parsed = ErrorBody.safeParse(body);
  if (!parsed.success) return { name: '', message: text.trim().slice(0, 400) };
  const { error_code: given = '', message, detail } = parsed.data;
  const words = message ?? (typeof detail === 'string' ? detail : JSON.stringify(detail ?? ''));
  return { name: CODE_BY_NUMBER[given] ?? given, message: words.slice(0, 400) };
}

/**
 * The words by which the storage behind MLflow says that an object is missing, inside a status 500, or those that MLflow puts
 * before whatever its storage says: each kind of storage has its own, and long names push them out of what is read.
 */
const MISSING_INSIDE_500 =
  /HeadObject|NoSuchKey|\(404\)|BlobNotFound|No such file or directory|failures occurred while downloading/;

/** Whether a failed answer is a 500 that may mean 404: to be confirmed by listing the parent. */
export function mayMeanMissing(answer: FailedAnswer): boolean {
  return answer.status === 500 && MISSING_INSIDE_500.test(readErrorBody(answer).message);
}

/** Whether the server lacks this feature, so that another route is taken. */
export function meansFeatureAbsent(answer: FailedAnswer): boolean {
  const { name } = readErrorBody(answer);
  if (answer.status === 501 || name === 'NOT_IMPLEMENTED' || name === 'FEATURE_DISABLED')
    return true;
  return isUnknownRoute(answer, name);
}

/** A route that this server does not have answers 404 with an HTML page, FastAPI's own text, or ENDPOINT_NOT_FOUND. */
function isUnknownRoute({ status, contentType, text }: FailedAnswer, name: string): boolean {
  if (name === 'ENDPOINT_NOT_FOUND') return true;
  if (status === 405) return true;
  return status === 404 && name === '' && (/html/i.test(contentType) || /"Not Found"/.test(text));
}

/** Artifact serving switched off is a decision of the server's operator: waiting does not help. */
const DISABLED =
  /disabled due to the mlflow server running with|Artifact serving is (disabled|not configured)/i;

type Verdict = readonly [ErrorCode, string, Pick<ErrorContext, 'retryable' | 'scope'>?];

function verdictOf(answer: FailedAnswer, asked: Asked): Verdict {
  const { status } = answer;
  const { name, message } = readErrorBody(answer);
  const { server, what } = asked;
  const said = message === '' ? `status ${status}` : `${message} (${status})`;
  if (status >= 300 && status < 400) {
    return [
      'WB_SIGN_IN_PAGE',
      `MLflow at ${server} answers with a redirect to ${originOf(answer.location)}: set MLFLOW_TRACKING_URI to the ` +
        'address that answers, or sign in where a login page is in front of it',
      { scope: 'source' },
    ];
  }
  if (DISABLED.test(answer.text)) {
    return [
      'WB_CONFIG_INVALID',
      `MLflow at ${server} does not serve artifacts: start it with --serve-artifacts (it said: ${said})`,
      { scope: 'source' },
    ];
  }
  if (isUnknownRoute(answer, name)) {
    return [
      'WB_CONFIG_INVALID',
      `${server} has no such MLflow route for ${what}: check MLFLOW_TRACKING_URI, with its path where the server ` +
        `runs under --static-prefix (it answered ${said})`,
      { scope: 'source' },
    ];
  }
  if (name === 'RESOURCE_DOES_NOT_EXIST' || name === 'NOT_FOUND' || status === 404) {
    return ['WB_NOT_FOUND', `MLflow at ${server} has no ${what}: ${said}`];
  }
  if (status === 400 && message === 'Invalid path') {
    return ['WB_UNSUPPORTED', `MLflow at ${server} refuses the name of ${what}`, { scope: 'file' }];
  }
  // A missing alias is 400 INVALID_PARAMETER_VALUE, not 404.
  if (status === 400 && /\b(alias|version|model|run|experiment)\b.* not found/i.test(message)) {
    return ['WB_NOT_FOUND', `MLflow at ${server} has no ${what}: ${said}`];
  }
  if (status === 401 || name === 'UNAUTHENTICATED' || name === 'CUSTOMER_UNAUTHORIZED') {
    return [
      'WB_UNAUTHENTICATED',
      `MLflow at ${server} wants a sign-in for ${what}: set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, ` +
        `or MLFLOW_TRACKING_TOKEN (${said})`,
    ];
  }
  if (status === 403) {
    // Rights in MLflow hold for an experiment or a model, never for one file.
    return [
      'WB_PERMISSION_DENIED',
      `MLflow at ${server} does not permit this account to read the ${what}: ${said}`,
      { scope: 'source' },
    ];
  }
  if (status === 429)
    return ['WB_RATE_LIMITED', `MLflow at ${server} asks for fewer requests: ${said}`];
  if (status === 408 || status === 504) {
    return ['WB_TIMEOUT', `MLflow at ${server} took too long for ${what}: ${said}`];
  }
  if (status === 501 || name === 'NOT_IMPLEMENTED') {
    return ['WB_UNSUPPORTED', `MLflow at ${server} cannot do this for ${what}: ${said}`];
  }
  const refused = verdictOfStorage(answer, asked);
  if (refused !== undefined) return refused;
  if (status >= 500) {
    // Of a listing that fails MLflow says nothing.
    const isMute = status === 500 && /Internal Server Error/.test(message);
    const why = isMute ? '; its log says why (may it read its own storage?)' : '';
    return ['WB_UNAVAILABLE', `MLflow at ${server} failed on ${what}: ${said}${why}`];
  }
  if (status < 400) {
    const message = `MLflow at ${server} answers in an unexpected way for ${what}: ${said}`;
    return ['WB_UNAVAILABLE', message, { retryable: false, scope: 'file' }];
  }
  return ['WB_USAGE', `MLflow at ${server} refused the request for ${what}: ${said}`];
}

/** Nobody's sign-in at MLflow helps where MLflow's own storage refuses MLflow. */
function verdictOfStorage(answer: FailedAnswer, asked: Asked): Verdict | undefined {
  const words = wordsOfStorage(answer, asked.path ?? '');
  const how = words === undefined ? undefined : refusalIn(words);
  if (words === undefined || how === undefined) return undefined;
  const isKnown = how === 'does not let it';
  return [
    'WB_PERMISSION_DENIED',
    `MLflow at ${asked.server} could not read ${asked.what}, as the storage behind it ${how}: ${JSON.stringify(words.slice(0, 300))}. ` +
      (isKnown
        ? 'Its operator lets the account of the server list and read its artifact root (permission to read on a disk, SFTP or ' +
          'FTP; s3:ListBucket and s3:GetObject; Storage Blob Data Reader; storage.objects.list and storage.objects.get)'
        : 'Its operator gives the server credentials that are valid for its artifact root') +
      '; yours for MLflow are not what is wrong',
    { scope: isKnown ? 'file' : 'source' },
  ];
}

/** Whether a server failed by itself, as one does that cannot read its own storage; of a listing it does not say why. */
export function isServersFailure(error: unknown): boolean {
  return asWaybillError(error).code === 'WB_UNAVAILABLE';
}

/** The same error, with another way out. */
export function withAdvice(error: unknown, wayOut: string): WaybillError {
  const { code, message, scope, retryable, operation, path, retryAfterMs } = asWaybillError(error);
  return mlflowError(code, `${message}; or ${wayOut}`, {
    operation: operation ?? 'resolve',
    scope,
    retryable,
    ...(path === undefined ? {} : { path }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    cause: error,
  });
}

function originOf(location: string | undefined): string {
  if (location === undefined) return 'nowhere';
  return URL.canParse(location) ? new URL(location).origin : 'another path';
}

function wantsCertificate({ status }: FailedAnswer, { server }: Asked): Verdict {
  const [code, what, over] = refusedClient(`HTTP ${status}`, undefined);
  return [code, `MLflow at ${server} ${what}`, over];
}

/** The error that a failed answer is. */
export function errorOfAnswer(answer: FailedAnswer, asked: Asked): WaybillError {
  const [code, message, overrides = {}] = isClientCertificatePage(answer.status, answer.text)
    ? wantsCertificate(answer, asked)
    : verdictOf(answer, asked);
  return new WaybillError(code, message, {
    operation: asked.operation,
    store: 'mlflow',
    ...(asked.path === undefined ? {} : { path: asked.path }),
    ...(answer.retryAfterMs === undefined ? {} : { retryAfterMs: answer.retryAfterMs }),
    ...overrides,
  });
}

/** An error of this store with its usual fields. */
export function mlflowError(
  code: ErrorCode,
  message: string,
  context: Omit<ErrorContext, 'store'>,
): WaybillError {
  return new WaybillError(code, message, { store: 'mlflow', ...context });
}
