/** The one error that Waybill throws, its plain form, and what a pull's failures mean for its exit code. */
import { ERRORS } from './error-table.js';
import type { ErrorCode, ErrorRow, ErrorScope } from './error-table.js';

export { ERRORS, isErrorCode } from './error-table.js';
export type { ErrorCode, ErrorRow, ErrorScope } from './error-table.js';
/** The row of a code. */
export function errorRow(code: ErrorCode): ErrorRow {
  return ERRORS[code];
}

/** What goes with an error beside its message; every field is free of secrets. */
export interface ErrorContext {
  /** What was being done: `stat`, `list`, `openRead`, `resolve`, `claim`, ... */
  readonly operation?: string;
  /** The store that it happened in: `s3`, `http`, ... */
  readonly store?: string;
  /** The path, relative to the source's root. */
  readonly path?: string;
  /**
   * How long the source asked to wait, from Retry-After. Of the destination: when to look again, because something that ends by
   * itself is in the way.
   */
  readonly retryAfterMs?: number;
  /** Overrides the table where this one case differs, e.g. a 500 that is known to be final. */
  readonly retryable?: boolean;
  /** Overrides the table: a 403 on the bucket is about the source, a 403 on an object about a file. */
  readonly scope?: ErrorScope;
  /** What to do in this one case, instead of what the table says; empty where the message says it. */
  readonly advice?: string;
  readonly cause?: unknown;
}

/**
 * The only error that Waybill throws on purpose. `message` says what failed, on what, why and what to do,
 * and never holds a secret. Foreign errors are translated once, where they are understood, and kept as `cause`.
 */
export class WaybillError extends Error {
  override readonly name = 'WaybillError';
  readonly code: ErrorCode;
  readonly scope: ErrorScope;
  readonly retryable: boolean;
  readonly exitCode: number;
  readonly operation: string | undefined;
  readonly store: string | undefined;
  readonly path: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly advice: string;

  constructor(code: ErrorCode, message: string, context: ErrorContext = {}) {
    super(message, context.cause === undefined ? undefined : { cause: context.cause });
    const found = ERRORS[code];
    this.code = code;
    this.scope = context.scope ?? found.scope;
    this.retryable = context.retryable ?? found.retryable;
    this.exitCode = found.exitCode;
    this.operation = context.operation;
    this.store = context.store;
    this.path = context.path;
    this.retryAfterMs = context.retryAfterMs;
    this.advice = context.advice ?? found.advice;
  }
}

/** The plain form of an error that crosses threads, processes and files. */
export interface PlainError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly scope: ErrorScope;
  readonly retryable: boolean;
  readonly operation?: string;
  readonly store?: string;
  readonly path?: string;
  readonly retryAfterMs?: number;
  /** Where it was thrown; only of what nobody expected. */
  readonly stack?: string;
}

/** Where an error that nobody expected was thrown; undefined of any other. */
export function stackOfUnexpected(error: unknown): string | undefined {
  const known = asWaybillError(error);
  if (known.code !== 'WB_UNEXPECTED') return undefined;
  return known.cause instanceof Error ? known.cause.stack : known.stack;
}

/** Makes the plain form. Anything that is not a WaybillError becomes WB_UNEXPECTED with its message. */
export function toPlainError(error: unknown): PlainError {
  const known = asWaybillError(error);
  const stack = stackOfUnexpected(known);
  return {
    code: known.code,
    message: known.message,
    scope: known.scope,
    retryable: known.retryable,
    ...(known.operation === undefined ? {} : { operation: known.operation }),
    ...(known.store === undefined ? {} : { store: known.store }),
    ...(known.path === undefined ? {} : { path: known.path }),
    ...(known.retryAfterMs === undefined ? {} : { retryAfterMs: known.retryAfterMs }),
    ...(stack === undefined ? {} : { stack }),
  };
}

/** The error behind a plain form. */
export function fromPlainError(plain: PlainError): WaybillError {
  const error = new WaybillError(plain.code, plain.message, plain);
  if (plain.stack !== undefined) error.stack = plain.stack;
  return error;
}

/** The error itself if it is one of ours, else WB_UNEXPECTED around it. Never NOT_FOUND. */
export function asWaybillError(error: unknown): WaybillError {
  if (error instanceof WaybillError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new WaybillError('WB_UNEXPECTED', message, { cause: error });
}

/**
 * Where nothing was published, the most serious class decides the exit code, in this order. A conflict (9) comes after what is
 * wrong with the source or the disk, and before what another try, a sign-in or another name mends: a person has to decide.
 */
const SERIOUS_FIRST: readonly number[] = [6, 8, 11, 7, 9, 5, 4, 12];

/**
 * The exit code of a pull from what failed in it.
 * @param codes the codes of the failures, in any order
 * @param publishedFiles how many files are in place
 */
export function exitCodeOf(codes: readonly ErrorCode[], publishedFiles: number): number {
  if (codes.length === 0) return 0;
  if (publishedFiles > 0) return ERRORS.WB_PARTIAL.exitCode;
  const found = codes.map((code) => ERRORS[code].exitCode);
  const decisive = SERIOUS_FIRST.find((exitCode) => found.includes(exitCode));
  // No file fails with one of the others; whichever came first must not decide.
  return decisive ?? Math.max(...found);
}
