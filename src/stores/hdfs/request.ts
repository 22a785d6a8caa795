/** A question to a file system, and what comes back from whoever was asked. */
import { WaybillError } from '../../model/errors.js';
import { percentEncodePath } from '../lib/byte-names.js';
import type { HttpAnswer } from '../lib/http-client.js';
import type { NameService } from './name-service.js';
import type { Sent } from './negotiate.js';

/** A question to a file system. */
export interface HdfsRequest {
  readonly service: NameService;
  /** Absolute at the file system. */
  readonly at: string;
  readonly op: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly operation: string;
  /** Relative to the store's root, for errors. */
  readonly path: string;
  readonly signal?: AbortSignal | undefined;
}

/** An answer, with what was sent: a success, or a redirect that was not followed. */
export interface NodeAnswer {
  readonly answer: HttpAnswer;
  readonly sent: Sent;
}

/** The path of a URL. WB_UNSAFE_PATH where the name cannot be told to a server. */
export function urlPathOf({ at, operation, path }: HdfsRequest): string {
  const isPlain = at.isWellFormed() && !/(^|\/)\.{1,2}(\/|$)/.test(at);
  if (isPlain) return `/webhdfs/v1${percentEncodePath(at)}`;
  const message = `the name ${JSON.stringify(path.slice(0, 200))} cannot be asked for`;
  throw new WaybillError('WB_UNSAFE_PATH', message, { operation, store: 'hdfs', path });
}

/** Nobody answers there for now: another node may. */
export function mayBeElsewhere(error: unknown): error is WaybillError {
  if (!(error instanceof WaybillError)) return false;
  return (error.code === 'WB_UNAVAILABLE' || error.code === 'WB_TIMEOUT') && error.retryable;
}
