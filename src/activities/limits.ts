/** Every number of the activities, with its reason. */
import type { UnitProgress } from '../transfer/api.js';

/** People see bytes move every second; Temporal's own throttle decides what is really sent. */
export const BEAT_EVERY_MS = 1_000;

/** What is over sooner never costs Temporal a heartbeat. */
export const FIRST_BEAT_AFTER_MS = 150;

/**
 * Nothing changes for so long and the attempt stops itself (rule 27). Downloads are judged by bytes; the rest has
 * limits of its own, because a slow disk or a long listing is no broken network.
 */
export const STALLED_AFTER_MS: Readonly<Record<UnitProgress['phase'], number>> = {
  // A few requests to a tracking server.
  resolving: 120_000,
  // One page of a listing; the largest come after a minute or two from a busy object store.
  listing: 300_000,
  // Where a store is more patient by its settings, or for an answer, it is waited for (pulse.ts).
  fetching: 60_000,
  // Local reads: a disk that gives no byte for two minutes is not coming back.
  hashing: 120_000,
  're-checking': 120_000,
  // A flush of a pack to a slow network share, or of a large file of which the kernel holds many GiB.
  flushing: 600_000,
  // Writing and flushing the records of a million files.
  sealing: 1_800_000,
};

/** Phases in which a source is waited for. */
export const WAITS_FOR_SOURCE: readonly UnitProgress['phase'][] = [
  'resolving',
  'listing',
  'fetching',
];

/** A store ends a silence that its settings allow itself, and says more about it: it goes first. */
export const STORE_GOES_FIRST_MS = 15_000;

/** Attempts in a row without progress before the pull is told, which then stops all lanes and probes. */
export const TRIES_WITHOUT_PROGRESS = 4;

/** Rule 17: wrong bytes are fetched again from scratch this often in all, then the file has failed. */
export const TRIES_WITH_WRONG_BYTES = 3;

/** A source that asks for a longer pause than this blocks the pull, visibly, instead of a hidden wait per file. */
export const LONGEST_HIDDEN_WAIT_MS = 10_000;

/** No contact with Temporal for the heartbeat timeout: another attempt may run already, this one ends (rule 13). */
export const SILENT_AFTER_MS = 30_000;

/** So many hosts, one after another, may not see a destination before the pull is blocked by it. */
export const TRIES_ELSEWHERE = 4;
