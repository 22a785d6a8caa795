/** Every number of the workflows, with its reason. */
import { ActivityCancellationType, type ActivityOptions } from '@temporalio/workflow';
import type { Tuning } from './messages.js';

/** What a pull uses where its input says nothing else. */
export const DEFAULT_TUNING: Tuning = {
  // Each unit is itself parallel (parts, or a pack's connections), so few at once fill a link.
  window: 6,
  // 8 shards of 6 units: more would only queue at the workers, and each open one costs the client a call a look.
  openShards: 8,
  // Up to here one workflow tells the whole story in one page of Temporal; about 7 events a unit.
  unitsInRoot: 300,
  // About 8,000 events, below the 10,000 of rule 29.
  unitsPerRun: 1_000,
  // A restarted server is back within seconds; a source that is down for an hour is asked once a minute.
  probeFirstMs: 5_000,
  probeMaxMs: 60_000,
  // Rule 18.
  diskProbes: 3,
  // A wrong address should not look like patience; nothing is lost by giving up before the first byte.
  giveUpUnreachedMs: 60_000,
  // Local workers need about a second to start; a cluster's redeploy is longer, and is then said.
  noWorkerMs: 20_000,
};

/**
 * Attempts are not bounded here: the activity counts its own failures and ends itself with a final one. A lost
 * worker or a shutdown so never costs a try that counts (rule 28).
 */
const RETRY = {
  initialInterval: '1s',
  backoffCoefficient: 2,
  // A long file that breaks now and then goes on within seconds, however often that was.
  maximumInterval: '10s',
} as const;

/** No heartbeat for this long means that the process is dead (rule 27); cancelling is noticed at a heartbeat. */
const HEARTBEAT_TIMEOUT = '30s';

const common = {
  retry: RETRY,
  heartbeatTimeout: HEARTBEAT_TIMEOUT,
  // Nothing may write any more once the destination is given back; the default would not wait.
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
} satisfies ActivityOptions;

/**
 * What a pull is planned and ended with goes before the bytes of all others (the usual priority is 3): a small pull is not
 * stuck behind a large one. A server that knows no priorities ignores it.
 */
const FIRST = { priority: { priorityKey: 2 } } satisfies ActivityOptions;

/** Options of each kind of activity. `startToCloseTimeout` only ends what hangs in spite of heartbeats. */
export const POLICIES = {
  /** Requests to a tracking server; no file is touched. */
  resolve: { ...common, ...FIRST, startToCloseTimeout: '10m' },
  /** Probes of the file system, a look at what is there: quick, but on a share it may wait. */
  claim: { ...common, ...FIRST, startToCloseTimeout: '30m' },
  /** A listing of millions of names; sealed pages make a new attempt quick. */
  planPages: { ...common, ...FIRST, startToCloseTimeout: '12h' },
  nameUnits: { ...common, ...FIRST, startToCloseTimeout: '2m' },
  /** A terabyte at 10 MB/s takes 28 hours; the heartbeat finds what is dead. */
  fetch: { ...common, startToCloseTimeout: '7d' },
  /** One small file at the destination; a disk that does not take it is no reason to wait longer. */
  tune: { ...common, ...FIRST, startToCloseTimeout: '1m', scheduleToCloseTimeout: '5m' },
  recordFailure: { ...common, ...FIRST, startToCloseTimeout: '5m' },
  /** Hashes at worst the whole tree again after a reboot. */
  seal: { ...common, ...FIRST, startToCloseTimeout: '24h' },
  /** Writes the lists of what is there. Best effort: the owner file also tells by itself that its pull has ended. */
  release: { ...common, ...FIRST, startToCloseTimeout: '10m', scheduleToCloseTimeout: '15m' },
} as const satisfies Record<string, ActivityOptions>;

/**
 * A workflow task of a shard that a killed worker held goes to another after this; the other shards go on meanwhile. It is no
 * shorter because a worker that has just started on a busy host reads a history again, besides a journal of a million lines:
 * 22 s were seen. A task that is late is taken away and begins anew, and at 5 s some never ended.
 */
export const SHARD_TASK_TIMEOUT = '30s';

/** Pages planned in one activity, at most: the first few come one by one so that bytes start to move. */
export const MAX_PAGES_AT_ONCE = 8;
