/**
 * The engine that moves bytes, as its callers see it. It knows no Temporal: activities adapt it, and the command
 * line's in-process commands (`ls`, `verify`, `seal`, `--dry-run`) use parts of it directly.
 *
 * Every method may be run twice with the same input, at any moment after a kill, and gives the same answer.
 * All throw WaybillError; an abort rejects with the signal's reason.
 */
import type { ConcurrencyNote } from './concurrency/source-host.js';
import type { Patience } from '../stores/store.js';
import type { LevelCounts } from '../model/level.js';
import type { Mount } from '../model/mount-table.js';
import type { Failure, PullEnd, PullLimits, PullRequest, PullResult } from '../model/pull.js';

/** What a unit of work is doing. The caller reads it by a timer and sends it as a heartbeat (rule 27). */
export interface UnitProgress {
  phase: 'resolving' | 'listing' | 'fetching' | 'hashing' | 're-checking' | 'flushing' | 'sealing';
  /** The file or folder at hand. */
  name: string;
  filesDone: number;
  filesTotal: number;
  /** Bytes of this unit in place or in its partials; may fall when an attempt starts again. */
  bytesDone: number;
  bytesTotal: number;
  /** What of these earlier attempts had left in place: it is no progress of this one. */
  filesFound?: number;
  bytesFound?: number;
  /** Bytes read back from the disk so far: a long check or hash that brings nothing is no standstill (rule 27). */
  bytesChecked?: number;
  /** A file that was there before, read from end to end to know what it is; people see it in place of `name`. */
  checking?: { readonly name: string; readonly bytesTotal: number; bytesDone: number } | undefined;
  /** Time that it was held back on purpose (a limit, no free connection): rises while it is no standstill. */
  heldMs: number;
  /** The kind of the store that the bytes come from: `s3`. */
  store?: string;
  /** How long its store waits for the source; absent: no network lies between. */
  patience?: Patience;
  /** An answer of the source is waited for, and not the next bytes of one. */
  awaitsSource?: boolean;
  /** Bytes that this attempt brought over the network; never falls. */
  bytesFetched?: number;
  /** Files that this attempt has put in place, by how well each is proven. */
  published?: LevelCounts;
  /** How many connections the source is found to be worth, and why; absent: it fetches nothing. */
  concurrency?: ConcurrencyNote;
}

/** Progress of work that has done nothing yet. */
export function startProgress(phase: UnitProgress['phase']): UnitProgress {
  return {
    phase,
    name: '',
    filesDone: 0,
    filesTotal: 0,
    bytesDone: 0,
    bytesTotal: 0,
    heldMs: 0,
  };
}

/** What every call gets beside its input. */
export interface CallContext {
  readonly signal: AbortSignal;
  /** Written by the engine, read by the caller. */
  readonly progress: UnitProgress;
  /** Which attempt this is, from 1; recorded with each file. */
  readonly attempt: number;
}

/** A claimed pull: all that later calls need to find the rest on disk. Under 2 KiB. */
export interface PullRef {
  readonly pullId: string;
  /** The workflow run that claimed it; the plan carries the same name. */
  readonly runId: string;
  /** Absolute path of the record folder, `DEST/.waybill` or `.<name>.waybill` beside a single file. */
  readonly recordDir: string;
  /** The random id in destination.json (rule 7). */
  readonly destinationId: string;
  /** The owner's epoch (rule 6). */
  readonly epoch: number;
  /** The mount point of the destination's file system when it was claimed; absent: it is the root's own. */
  readonly mount?: string;
}

/** What a source turned out to be, once per run. Under 2 KiB, no secret. */
export interface ResolvedSource {
  /** The storage URI; equal to the source where it is no reference. */
  readonly uri: string;
  readonly settings: Readonly<Record<string, string>>;
  readonly revision?: string;
  readonly transport?: string;
  readonly facts?: Readonly<Record<string, string>>;
  readonly kind: 'file' | 'tree';
  /** The name of a single file, or of the tree for display. */
  readonly name: string;
}

/** The answer of `claim`. */
export interface Claim {
  readonly ref: PullRef;
  /** Absolute path of what the pull will have brought: the folder, or the single file. */
  readonly destination: string;
  /**
   * The whole plan must be made before the first unit runs: the destination holds things that may conflict, or
   * a limit or a folding file system asks for it.
   */
  readonly needsWholePlan: boolean;
}

/** The answer of `planPage`. Under 2 KiB. */
export interface PlannedPage {
  readonly page: number;
  /** Units in this page, numbered from 0. */
  readonly units: number;
  /** Files and bytes to fetch in this page. */
  readonly files: number;
  readonly bytes: number;
  /** Files already in place, and their bytes. */
  readonly keptFiles: number;
  readonly keptBytes: number;
  /** Files that were refused already (unsafe names, collisions); they are in the journal. */
  readonly failedFiles: number;
  readonly failures: readonly Failure[];
  /** No page follows. */
  readonly isLast: boolean;
}

/** Names one unit of a page. `entry` names one single file in it that left its pack (rule 26). */
export interface UnitRef {
  readonly ref: PullRef;
  readonly page: number;
  readonly unit: number;
  readonly entry?: number;
}

/** A label for people, and whether the unit is a single large file or a pack. */
export interface UnitLabel {
  readonly kind: 'file' | 'pack';
  /** Path, or `12 files, 180 MiB: first.bin …`; cut to 120 bytes. */
  readonly label: string;
  readonly files: number;
  readonly bytes: number;
}

/** The answer of `fetchUnit`. Under 2 KiB. */
export interface UnitResult {
  readonly files: number;
  readonly bytes: number;
  /** Bytes that came over the network, files refetched included. */
  readonly bytesFetched: number;
  /** Indices (for `UnitRef.entry`) of files that left the pack with a file-scoped error and want their own attempt. */
  readonly expelled: readonly number[];
}

/** What a call is about, as far as it is known before it begins. */
export interface About {
  readonly ref?: PullRef;
  readonly request?: PullRequest;
}

/** The shares that a call depends on. */
export interface Shares {
  readonly source?: Mount;
  readonly destination?: Mount;
}

/** Which shares work depends on, and whether they answer. Nothing here waits for a share. */
export interface ShareWatch {
  of(about: About): Promise<Shares>;
  /** Whether it answers within a few seconds. */
  answers(share: Mount): Promise<boolean>;
}

/** The engine. */
export interface TransferEngine {
  /** Absent: it works on no file system. */
  readonly shares?: ShareWatch;
  /** Resolves a reference, chooses the transport, tells a file from a tree. Touches no destination. */
  resolve(input: { request: PullRequest }, context: CallContext): Promise<ResolvedSource>;
  /** Takes ownership (rules 6, 7), writes the request beside it, checks free space and existing content. */
  claim(
    input: { pullId: string; runId: string; request: PullRequest; resolved: ResolvedSource },
    context: CallContext,
  ): Promise<Claim>;
  /**
   * Plans page 0, 1, 2, ... of the listing and seals it on disk. A page that is sealed already is answered from
   * disk. The last page throws WB_CONFLICT, WB_LIMIT_EXCEEDED or WB_NOTHING_MATCHES where the whole plan shows it.
   */
  planPage(input: { ref: PullRef; page: number }, context: CallContext): Promise<PlannedPage>;
  /** Labels of the next units from `from` on: as many as fit into an activity's result, at least one. */
  nameUnits(input: { ref: PullRef; page: number; from: number }): Promise<readonly UnitLabel[]>;
  /**
   * Fetches, proves and publishes one unit, skipping what the journal has. Throws a file-scoped error for a
   * single file, and for a pack where more than ten of its files fail (rule 26); else source- and destination-scoped
   * ones only.
   */
  fetchUnit(input: UnitRef, context: CallContext): Promise<UnitResult>;
  /**
   * Records that a unit has finally failed, so that `seal` reports it: every file of it that is not in place, with
   * the same failure. Answers how many.
   */
  recordFailure(input: UnitRef & { failure: Failure }): Promise<{ readonly files: number }>;
  /**
   * Ends the pull: compares plan and journal, writes SHA256SUMS, manifest and receipt (or receipt.partial.json), releases
   * the destination. Cannot be cancelled from its first write on (rule 20).
   */
  seal(input: { ref: PullRef }, context: CallContext): Promise<PullResult>;
  /** Changes how fast the pull goes, also for what is in flight and for the other workers, which look every two seconds. */
  tune(input: { ref: PullRef; limits: PullLimits }): Promise<void>;
  /**
   * Gives the destination up without sealing it; journal and recorded parts stay (rule 28). Where something is in
   * place and `end` says why the pull ended, it leaves receipt.partial.json with its lists, and answers the result.
   */
  release(input: { ref: PullRef; end?: PullEnd }): Promise<PullResult | undefined>;
  /** Frees threads and connections. */
  close(): Promise<void>;
}

/** Bytes that an activity's input and result may have (rule 29). */
export const MAX_ACTIVITY_PAYLOAD_BYTES = 2_048;
