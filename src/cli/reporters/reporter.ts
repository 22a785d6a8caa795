/** How a pull is told while it runs and when it ends. */
import type { PullEvent } from '../events.js';
import type { PullResult, PullStatus } from '../../model/pull.js';

/** Where more is known of what nobody expected. */
export interface Logs {
  /** The log of the worker, where it is on this host. */
  readonly workerLog?: string;
  /** The stack is wanted too. */
  readonly isDebug?: boolean;
}

/** What a pull is, for the one who tells of it. */
export interface PullLabel extends Logs {
  /** As asked, without secrets. */
  readonly source: string;
  /** Absolute path. */
  readonly destination: string;
  readonly pullId: string;
  /** Somebody else started it, and it was running already. */
  readonly joined: boolean;
  /** It stood still, and goes on now. */
  readonly goesOn: boolean;
  /** Which Temporal. */
  readonly temporal: string;
  /** `--if-exists skip`: what is left alone is worth a word. */
  readonly skipsExisting: boolean;
  /** What to type to go on. */
  readonly command: string;
}

/** The end of a command that left its pull before it ended. */
export interface Stopped {
  readonly exitCode: number;
  /** One of the error table, or null for a detached pull, which is well. */
  readonly code: 'WB_STOPPED' | null;
  /** What is kept, and what to type. */
  readonly lines: readonly string[];
  readonly destination: string;
}

/** How often a reporter has something to say. */
export interface Looks {
  /** Before the first look. */
  readonly firstAfterMs: number;
  /** Between two of them. */
  readonly everyMs: number;
}

/** Whoever reads along sees each of them. */
export const OFTEN: Looks = { firstAfterMs: 0, everyMs: 400 };

/** Tells of one pull. */
export interface Reporter {
  /** When the pull is looked at: each look costs the worker and Temporal some milliseconds. Its end is told at once, without. */
  readonly looks: Looks;
  /** Something before the pull runs: the service starts. */
  prelude(line: string): void;
  started(label: PullLabel): void;
  /** One more look; `events` is what happened since the last one. */
  update(status: PullStatus, events: readonly PullEvent[]): void;
  /** A sentence in between. */
  remark(text: string): void;
  finish(result: PullResult, label: PullLabel): void;
  stopped(stopped: Stopped): void;
  /** Gives the terminal back; may be called twice. */
  close(): void;
}
