/** What the client takes and gives beside the shapes of `model/pull.ts`. */
import type { TLSConfig } from '@temporalio/client';
import type { PayloadKeys } from '../codec/payload-keys.js';
import type { PullLimits, PullStatus } from '../model/pull.js';
import type { Tuning } from '../workflows/messages.js';

/** How Temporal is reached. */
export interface ClientOptions {
  /** `host:port` of Temporal's gRPC. */
  readonly address: string;
  /** Default `default`. */
  readonly namespace?: string;
  readonly tls?: TLSConfig | boolean;
  readonly apiKey?: string;
  /** Headers for every call. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Shown by Temporal beside what this client did; default `<host>/<pid>/client`. */
  readonly identity?: string;
  /** Prefix of the task queues, default `waybill`. */
  readonly queuePrefix?: string;
  /** Default 10 s. */
  readonly connectTimeoutMs?: number;
  /** Temporal has just answered somebody else: it is asked for nothing before what is wanted of it. */
  readonly isKnownToAnswer?: boolean;
  /**
   * The key of the local service, `payloads.key` of its state folder: payloads are signed with it, and an answer that is not
   * is not believed. Absent on a cluster, which has a sign-in of its own.
   */
  readonly payloadKey?: Buffer;
  /** A folder in which clients leave the counts that they have shown, so that the next one shows no less. */
  readonly keptCounts?: string;
  /** On a cluster: what is told Temporal is encrypted with these; every client and worker has the same. */
  readonly encryption?: PayloadKeys;
}

/** Options of `startPull`. */
export interface StartOptions {
  /** The site whose workers see the destination; absent: any worker (the local service). */
  readonly site?: string;
  readonly tuning?: Partial<Tuning>;
}

/** A pull that runs now. */
export interface StartedPull {
  readonly pullId: string;
  readonly runId: string;
  /** An equal request was running already: it goes on (if it was paused too), and nothing new was started. */
  readonly joined: boolean;
  /** It was joined, and stood still until now: who goes on with a paused pull may pause it again. */
  readonly wasPaused: boolean;
  /** It was joined although it had been asked for with other limits: these hold now; null: no limit. */
  readonly tuned?: PullLimits;
}

/** Which run, and where it brings what it fetches. */
export interface KnownRun {
  readonly runId: string;
  readonly destination: string;
}

/** One line of `waybill pulls`. */
export interface PullSummary {
  readonly pullId: string;
  readonly runId: string;
  readonly state: PullStatus['state'];
  readonly source: string;
  readonly destination: string;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly endedAt?: string;
}

/** Options of `watch`. */
export interface WatchOptions {
  /** Time between two looks; default 500 ms. */
  readonly intervalMs?: number;
  /** Time before the first one; default none. */
  readonly firstAfterMs?: number;
  /** How long Temporal may be unreachable before the watch throws WB_TEMPORAL_UNREACHABLE; default 2 minutes. */
  readonly unreachableForMs?: number;
  /** Ends the watch without an error. */
  readonly signal?: AbortSignal;
}

/** Options of `list`. */
export interface ListOptions {
  /** Default 1,000. */
  readonly limit?: number;
  /** One run of each pull. */
  readonly onlyLatest?: boolean;
  readonly onlyRunning?: boolean;
}
