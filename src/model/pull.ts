/** What a pull is asked to do, how far it is, and how it ended: the shapes that every room shares. */
import type { ErrorCode } from './errors.js';
import type { Level, LevelCounts } from './level.js';
import type { SpecialCounts } from './special.js';

/** Rises when a request or a reply changes in a way that an older worker or client must not ignore (rule 9). */
export const PROTOCOL = 1;

/** What is done with files that are already at the destination. */
export const IF_EXISTS = ['update', 'overwrite', 'skip', 'fail'] as const;
export type IfExists = (typeof IF_EXISTS)[number];

/** What the caller expects the bytes to be. */
export type Expectation =
  | { readonly kind: 'digest'; readonly sha256: string }
  /** A SHA256SUMS or a Waybill manifest: an absolute path or a URI that the worker reads. */
  | { readonly kind: 'list'; readonly location: string };

/** Where bytes come from, without secrets. */
export interface SourceRequest {
  /** As asked, redacted (rule 3). */
  readonly uri: string;
  /** Non-secret settings by the name of their environment variable (`AWS_REGION`, `MLFLOW_TRACKING_URI`, ...). */
  readonly settings: Readonly<Record<string, string>>;
  /** The fingerprint under which the caller handed secrets to the local service (rule 2); absent: none. */
  readonly credentials?: string;
  /** A named connection of the worker's configuration. */
  readonly connection?: string;
}

/** A pull as asked. It is the workflow's input and, at the destination, `.waybill/pull.json`. */
export interface PullRequest {
  readonly protocol: number;
  readonly source: SourceRequest;
  readonly destination: {
    /** Absolute, symbolic links resolved as far as the path exists. */
    readonly path: string;
    /** The user's word ended in a slash, or names an existing folder: a single file goes inside. */
    readonly isFolder: boolean;
  };
  readonly filters: {
    readonly include: readonly string[];
    readonly exclude: readonly string[];
    /** Exactly these paths; absent: all. */
    readonly files?: readonly string[];
  };
  readonly ifExists: IfExists;
  readonly requireLevel: Level;
  /**
   * `--require none` was typed: a body whose end only the closing of the connection tells is accepted (rule 11).
   */
  readonly acceptUnprovenLength: boolean;
  readonly expect?: Expectation;
  readonly checksum: boolean;
  readonly prune: boolean;
  readonly reread: boolean;
  readonly replaceSource: boolean;
  readonly takeOver: boolean;
  /** Connections to the source at once; absent: chosen by Waybill. */
  readonly concurrency?: number;
  /** Bytes a second over all connections of a worker; absent: no limit. */
  readonly maxBytesPerSecond?: number;
  /** Requests a second to the source, of a worker; absent: no limit. */
  readonly maxRequestsPerSecond?: number;
  /** No byte and no entry for so long ends the pull, resumable; absent: never. */
  readonly giveUpAfterMs?: number;
  /** The whole pull may take so long; absent: no limit. */
  readonly timeoutMs?: number;
  readonly maxFiles?: number;
  readonly maxBytes?: number;
}

/** How fast a pull may go. It can be changed while it runs; absent: as it was, null: no limit. */
export interface PullLimits {
  /** Connections to the source at once. */
  readonly concurrency?: number;
  readonly maxBytesPerSecond?: number | null;
  readonly maxRequestsPerSecond?: number | null;
  /** As in the request; null: never. */
  readonly giveUpAfterMs?: number | null;
}

/** What a pull is doing, in the order that it usually does it. */
export const PHASES = [
  'resolving',
  'listing',
  'fetching',
  're-checking',
  'sealing',
  'paused',
  'blocked',
  'waiting for a worker',
  'done',
] as const;
export type Phase = (typeof PHASES)[number];

/** A failure as it is shown: capped in number and length (rule 29); the journal has all of them. */
export interface Failure {
  readonly path: string;
  readonly code: ErrorCode;
  readonly message: string;
}

/** How far a pull is. Counts never go back while it runs. */
export interface PullProgress {
  readonly phase: Phase;
  /** Why it is blocked or paused, or what it waits for. */
  readonly reason?: string;
  readonly filesPlanned: number;
  readonly bytesPlanned: number;
  /** Whether the two above are final. */
  readonly isPlanComplete: boolean;
  readonly filesDone: number;
  readonly bytesDone: number;
  /** Of the files done: those that were already in place. */
  readonly filesKept: number;
  readonly filesFailed: number;
  readonly failures: readonly Failure[];
  /** Retries so far, of activities. */
  readonly retries: number;
  readonly startedAt: string;
  /** How fast it may go; absent: as fast as it can. */
  readonly limits?: PullLimits;
}

/** What is being moved right now, from the heartbeats. */
export interface InFlight {
  readonly name: string;
  readonly bytesDone: number;
  readonly bytesTotal: number;
  readonly attempt: number;
  /** The last failure of this unit, when it is being tried again. */
  readonly lastFailure?: string;
}

/** The reason of a look that no worker answered: what is known then is what was seen before, if anything was. */
export const NO_WORKER_ANSWERS = 'no worker answers';

/** The reason of a pull whose next step no worker has taken yet. */
export const NO_WORKER_TAKES = 'no worker takes the work';

/** Whether a pull waits for nothing but a worker. */
export function waitsForWorker(reason: string | undefined): boolean {
  return reason === NO_WORKER_ANSWERS || reason === NO_WORKER_TAKES;
}

/** How many connections a worker is found to be worth at the source, and why. */
export interface Concurrency {
  readonly worker: string;
  /** So many it may have now. */
  readonly connections: number;
  /** The last changes, the latest first. */
  readonly decisions: readonly {
    /** ISO 8601, by the worker's clock. */
    readonly time: string;
    readonly text: string;
  }[];
}

/** Progress with what is in flight: what `status` and `watch` show. */
export interface PullStatus {
  readonly pullId: string;
  readonly runId: string;
  readonly state: 'running' | 'done' | 'failed' | 'cancelled' | 'unknown';
  readonly source: string;
  readonly destination: string;
  readonly progress: PullProgress;
  readonly inFlight: readonly InFlight[];
  /** One for each worker that fetches; absent: none does. */
  readonly concurrency?: readonly Concurrency[];
  /** Present once it has ended. */
  readonly result?: PullResult;
}

/** Why a pull ended before it was through: it was cancelled, gave up, the disk was full, ... */
export interface PullEnd {
  readonly code: ErrorCode;
  readonly message: string;
}

/** How a pull ended. */
export interface PullResult {
  readonly ok: boolean;
  readonly exitCode: number;
  /** Absent when all is well. */
  readonly code?: ErrorCode;
  readonly message?: string;
  /** Absolute path of the file or folder. */
  readonly destination: string;
  readonly treeDigest?: string;
  readonly omsDigest?: string | null;
  readonly files: number;
  readonly bytes: number;
  readonly filesFetched: number;
  readonly bytesFetched: number;
  readonly filesKept: number;
  readonly filesStale: number;
  readonly filesSkipped: number;
  /** Of what was skipped: FIFOs, sockets and devices at the source. Absent: none. */
  readonly specials?: SpecialCounts;
  readonly levels: LevelCounts;
  readonly failures: readonly Failure[];
  readonly filesFailed: number;
  readonly warnings: readonly string[];
}
