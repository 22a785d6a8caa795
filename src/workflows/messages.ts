/**
 * What is said to a running pull and asked of it, and the inputs and results of its workflows. The client and the
 * workflows both read this file, so it holds names and shapes only and needs no package.
 */
import type { ErrorScope, ErrorCode } from '../model/errors.js';
import type { Failure, PullProgress, PullRequest } from '../model/pull.js';
import type { PullRef } from '../transfer/api.js';

/** The names of the workflow types, as Temporal's pages show them. */
export const PULL_WORKFLOW = 'pull';
export const SHARD_WORKFLOW = 'shard';

/** The names of signals. */
export const SIGNALS = {
  /** Stops the bytes at the next part boundary; what ran is queued again (rule 28). */
  pause: 'pause',
  /** Goes on after `pause`. */
  resume: 'resume',
  /** Tries at once what is waiting for its next try. */
  retryNow: 'retryNow',
  /** `PullLimits`: how fast it may go from now on. */
  tune: 'tune',
  /** Root to shard (`boolean`): start no new unit, another shard is blocked; or go on. */
  hold: 'hold',
  /** Shard to root (`ShardBlocked`): this shard is blocked, or no longer. */
  shardBlocked: 'shardBlocked',
} as const;

/**
 * The last argument of every signal to a pull of the local service: signed with the others, it makes a signal hold for one
 * run, once (rule 1). The guard takes it off.
 */
export interface SignalWord {
  /** The run of the root that is meant. */
  readonly run: string;
  readonly nonce: string;
}

/** Whether the last argument of a signal is its word. */
export function isSignalWord(value: unknown): value is SignalWord {
  return (
    typeof value === 'object' &&
    value !== null &&
    'run' in value &&
    typeof value.run === 'string' &&
    'nonce' in value &&
    typeof value.nonce === 'string'
  );
}

/** The names of queries. */
export const QUERIES = {
  /** RootProgress: what its open shards have done is not in it, and stands in their memos. */
  progress: 'progress',
  /** `string[]`: workflow ids of the open shards of a pull. Workers before `openShards` of RootProgress are asked for them. */
  openShards: 'openShards',
  /** UnitTotals of a shard whose memo does not have them. */
  shardTotals: 'shardTotals',
} as const;

/** Sums over finished units. */
export interface UnitTotals {
  readonly filesDone: number;
  readonly bytesDone: number;
  /** Bytes that came over the network. */
  readonly bytesFetched: number;
  readonly filesFailed: number;
  /** The first few (rule 29). */
  readonly failures: readonly Failure[];
  readonly retries: number;
}

/** What a root answers. Its counts and the list are of one moment: no shard is in both, or in neither. */
export interface RootProgress extends PullProgress {
  /** Workflow ids of the shards whose work is not counted yet. */
  readonly openShards?: readonly string[];
}

/** What a shard writes into its own memo: Temporal tells it without a worker that answers. */
export interface ShardMemo {
  readonly totals: Omit<UnitTotals, 'failures'>;
  /** Only written when one came: they are long, and units are many (rule 29). */
  readonly failures?: readonly Failure[];
}

/** Why nothing moves. */
export interface Block {
  readonly code: ErrorCode;
  readonly scope: ErrorScope;
  readonly message: string;
  /** Probes that failed since it blocked. */
  readonly probes: number;
}

/** A block as the next run of a shard takes it over. */
export interface Blocked {
  readonly block: Block;
  /** Since when, and until when the source asked to be left alone, in workflow time. */
  readonly sinceMs: number;
  readonly quietUntilMs: number;
}

/** What a shard tells its root when its lanes stop or go on. */
export interface ShardBlocked {
  readonly shardId: string;
  readonly block?: Block;
  /** Bytes or files arrive now: the clock of `giveUpAfterMs` starts again. */
  readonly hasProgressed: boolean;
  /** When something last arrived, in workflow time: since then that clock runs. */
  readonly movedAtMs?: number;
}

/** Everything that may be tuned; it travels in the input so that a replay sees the same numbers. */
export interface Tuning {
  /** Units at once in one workflow. Each is itself parallel. */
  readonly window: number;
  /** Shards open at once. */
  readonly openShards: number;
  /** Up to so many units run in the root itself, without shards. */
  readonly unitsInRoot: number;
  /** A shard starts a new run after so many units, once drained. */
  readonly unitsPerRun: number;
  /** First and longest wait between two probes of a blocked pull. */
  readonly probeFirstMs: number;
  readonly probeMaxMs: number;
  /** Probes of a full disk before the pull ends (rule 18). */
  readonly diskProbes: number;
  /** How long an unreachable source is asked before anything was ever fetched. */
  readonly giveUpUnreachedMs: number;
  /** How long an activity waits for a worker before the pull says so. */
  readonly noWorkerMs: number;
}

/** The input of `pull`. */
export interface PullInput {
  /** The workflow's own id, which it checks: a signed input cannot be replayed under another (rule 1). */
  readonly pullId: string;
  readonly request: PullRequest;
  /** The task queue whose workers see the destination. */
  readonly transferQueue: string;
  readonly tuning?: Partial<Tuning>;
  /** The payloads of this pull are signed: what is not is not believed (rule 1). Its shards get the same. */
  readonly isSigned?: true;
}

/** A page of the plan and how many units it has. */
export interface PageUnits {
  readonly page: number;
  readonly units: number;
}

/** A unit, or one file that left its pack. */
export interface Job {
  readonly page: number;
  readonly unit: number;
  readonly entry?: number;
}

/** The input of `shard`, also from one run to the next. */
export interface ShardInput {
  readonly ref: PullRef;
  readonly rootId: string;
  readonly transferQueue: string;
  readonly tuning: Tuning;
  readonly pages: readonly PageUnits[];
  readonly isPaused: boolean;
  readonly isHeld: boolean;
  /** It keeps its totals in its memo; shards that were started before that was so have it not. */
  readonly keepsMemo?: true;
  /** Only from run to run: what is already done, what was put back, and why nothing may start. */
  readonly carried?: {
    readonly next: Job;
    readonly again: readonly Job[];
    readonly totals: UnitTotals;
    readonly blocked?: Blocked;
  };
}

/** The small facts that go with a pull in Temporal's own records, so that it can be listed without asking it. */
export interface PullMemo {
  readonly source: string;
  readonly destination: string;
  readonly requestFingerprint: string;
  /** The same without what `tune` can change; older clients do not write it. */
  readonly workFingerprint?: string;
}
