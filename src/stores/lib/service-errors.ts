/** What the error tables of the services (S3, Azure, GCS) share: how an answer fails, and how a row becomes an error. */
import { WaybillError } from '../../model/errors.js';
import type { ErrorCode, ErrorContext } from '../../model/errors.js';
import type { Headers } from './exchange.js';
import type { Circumstances } from './http-errors.js';
import { endingOf, retryAfterMsOf } from './http-headers.js';

/** An answer that is no success, its body read. */
export interface FailedAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** The beginning of the body; empty for HEAD. */
  readonly body: string;
  /** The body broke off, and the service's word may have been in what did not come. */
  readonly isCut?: boolean;
}

/** What a service's word for a failure means. */
export type ErrorRow = readonly [code: ErrorCode, what: string, over?: ErrorContext];

/** Of the whole source, not of one file. */
export const SOURCE = { scope: 'source' } as const;
/** Of the whole source, and the same however often it is asked. */
export const FINAL = { scope: 'source', retryable: false } as const;

function about({ operation, store, path }: Circumstances): ErrorContext {
  return { operation, store, ...(path === undefined ? {} : { path }) };
}

/** The error of a row. `reason`: what the service said, in its own words. */
export function errorOfRow(
  [code, what, over]: ErrorRow,
  headers: Headers,
  reason: string,
  asked: Circumstances,
): WaybillError {
  const retryAfterMs = retryAfterMsOf(headers);
  return new WaybillError(code, `${asked.address} ${what} (${reason})`, {
    ...about(asked),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...over,
  });
}

/**
 * The error of a text that is no answer, where it may be the beginning of one: nothing told its end, and what broke off looks
 * like what has ended. Undefined: it is something else. `start`: how an answer begins.
 */
export function cutListing(
  text: string,
  { start, headers }: { readonly start: string; readonly headers: Headers },
  asked: Circumstances,
): WaybillError | undefined {
  if (endingOf(headers) !== 'close' || !start.startsWith(text.trimStart().slice(0, start.length)))
    return undefined;
  const message = `${asked.address} broke off in the middle of its answer`;
  return new WaybillError('WB_UNAVAILABLE', message, about(asked));
}

/** The error of a refusal whose reason got lost on the way: the next answer brings it. */
export function cutRefusal(
  { status, isCut }: FailedAnswer,
  asked: Circumstances,
): WaybillError | undefined {
  if (isCut !== true || status < 400 || status >= 500) return undefined;
  const message = `${asked.address} broke off while it said why it refuses (HTTP ${status})`;
  return new WaybillError('WB_UNAVAILABLE', message, { ...about(asked), scope: 'file' });
}

/** Something else answered than the service. `how` says as what, and what to check. */
export function notTheService(asked: Circumstances, how: string): WaybillError {
  const message = `${asked.address} does not answer as ${how}`;
  const { operation, store } = asked;
  return new WaybillError('WB_CONFIG_INVALID', message, { operation, store, ...FINAL });
}
