/** Whoever looks on while attempts are made: metrics, traces and the log. Nothing that they do may cost an attempt. */
import type { WaybillError } from '../model/errors.js';
import type { UnitProgress } from '../transfer/api.js';

/** Which attempt it is. */
export interface AttemptFacts {
  /** The name that Temporal shows: `fetchPack`. */
  readonly activity: string;
  readonly pullId: string;
  /** The run of the pull's root workflow. */
  readonly runId: string;
  readonly attempt: number;
}

/** How an attempt ended. */
export type AttemptEnd =
  | { readonly kind: 'done'; readonly result: unknown }
  /** Cancelled, paused, or handed back by a worker that shuts down. */
  | { readonly kind: 'stopped' }
  /** `isFinal`: Temporal does not try again by itself; the workflow decides. */
  | { readonly kind: 'failed'; readonly error: WaybillError; readonly isFinal: boolean };

/** Looks on at one attempt. */
export interface AttemptWatch {
  /** The counters may have moved; called every second or so, and before the end. */
  moved?(progress: UnitProgress): void;
  ended(end: AttemptEnd): void;
}

/** Is told of every attempt that begins, and of its input where that names a claimed pull. */
export type AttemptWatcher = (facts: AttemptFacts, input?: unknown) => AttemptWatch;
