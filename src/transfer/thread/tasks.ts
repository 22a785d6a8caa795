/** The messages between the main thread and the threads that move bytes. All are structured clones. */
import type { PlainError } from '../../model/errors.js';
import type { DigestName, Digests, Pin } from '../../model/object-entry.js';
import type { StoreAddress } from '../../stores/store.js';
import type { LocalStamp } from '../../manifest/index.js';
import type { MayReplace } from '../take-name.js';
import type { Requirement } from '../prove.js';
import type { DigestSpec } from './hashes.js';
import type { TaskPace } from './pace.js';

/** What an answer of the source said about the object. */
export interface Observed {
  readonly pin?: Pin;
  readonly sizeBytes?: number;
  readonly modifiedAt?: string;
  readonly digests?: Digests;
  readonly areDigestsFresh?: true;
  readonly recordedDigests?: readonly DigestName[];
  readonly ending: 'length' | 'framing' | 'close';
  /** The service's clock when it answered. */
  readonly answeredAt?: string;
}

/** One file to fetch from its first byte to its last. */
export interface WholeFile {
  /** Path at the source. */
  readonly sourcePath: string;
  /** Absolute path of the partial to create; it must not exist. */
  readonly partialPath: string;
  readonly sizeBytes?: number;
  readonly pin?: Pin;
  /** Digests that are known already and will be compared. */
  readonly digests?: Digests;
  readonly modifiedAt?: string;
  readonly isExecutable?: boolean;
}

/** Where bytes come from, and over which connections. */
export interface SourceOfTask {
  readonly address: StoreAddress;
  /**
   * Tasks of different rounds share no store and no connection: a pull sees no list that an earlier one has read, and wrong
   * bytes are asked for over another connection (rule 17).
   */
  readonly round: string;
  readonly pace: TaskPace;
}

/** Fetches several files, each into its own partial, flushed when the task answers. */
export interface FetchFilesTask extends SourceOfTask {
  readonly cell: SharedArrayBuffer;
  readonly files: readonly WholeFile[];
  readonly concurrency: number;
  /** A file that turns out to be at least so large, with a strong pin, is left to `FetchRangeTask`s. */
  readonly largeFromBytes: number;
}

/** How one file of a FetchFilesTask went. */
export type WholeFileOutcome =
  | {
      readonly kind: 'fetched';
      readonly sizeBytes: number;
      readonly digests: Digests & { readonly sha256: string };
      readonly observed: Observed;
      /** Of the flushed partial; a rename keeps both. */
      readonly stamp: { readonly inode: string; readonly mtimeNs: string };
    }
  | { readonly kind: 'large'; readonly observed: Observed }
  | { readonly kind: 'failed'; readonly error: PlainError }
  | { readonly kind: 'stopped' };

/** Fetches several files as FetchFilesTask does, and proves each. */
export interface FetchPackTask extends Omit<FetchFilesTask, 'files'> {
  /** The entries of the plan as their page has them, a line feed between two. */
  readonly plans: string;
  /** Absolute path of the partials, up to `-` and the file's position. */
  readonly partialPrefix: string;
  readonly attempts: number;
  readonly required: Requirement;
}

/** How a pack went, in columns: one object for all that went well, and one for each other file. */
export interface FetchPackOutcome {
  /** Positions of the files that are proven and flushed; the other columns are about these. */
  readonly proven: Uint32Array;
  /** `headOfLine` of each, a line feed between two. */
  readonly heads: string;
  readonly sizes: Float64Array;
  /** Indices into LEVELS. */
  readonly levels: Uint8Array;
  /** Of each the mtime in nanoseconds and the inode of its partial; a rename keeps both. */
  readonly stamps: BigInt64Array;
  readonly warnings: readonly string[];
  /** A file that was refused has no partial any more (rule 17). */
  readonly others: readonly {
    readonly position: number;
    readonly outcome: Exclude<WholeFileOutcome, { kind: 'fetched' }>;
  }[];
}

/** Fetches a range of one object into its partial at the same offset, and records what has come. */
export interface FetchRangeTask extends SourceOfTask {
  readonly cell: SharedArrayBuffer;
  readonly sourcePath: string;
  readonly partialPath: string;
  readonly sidecarPath: string;
  readonly offsetBytes: number;
  readonly lengthBytes: number;
  /** What came is recorded every so many bytes; a multiple of it ends at the object's end. */
  readonly recordBytes: number;
  readonly sizeBytes: number;
  readonly pin?: Pin;
  /** The range is one of a single stream from the front: the hash follows it directly. */
  readonly movesFrontier: boolean;
}

/** How a FetchRangeTask went; `lengthBytes` is what was written and recorded. */
export type FetchRangeOutcome =
  | {
      readonly kind: 'fetched' | 'stopped';
      readonly lengthBytes: number;
      readonly observed?: Observed;
    }
  | {
      readonly kind: 'failed';
      readonly lengthBytes: number;
      readonly error: PlainError;
      /** The source answered a range with 416, or with another one: its ranges cannot be relied on (rule 12). */
      readonly isRangeRefused?: true;
    };

/** Hashes a partial behind the writers, up to the shared frontier, then flushes it. */
export interface FollowTask {
  readonly cell: SharedArrayBuffer;
  readonly partialPath: string;
  readonly sizeBytes: number;
  readonly digests: readonly DigestSpec[];
  /** Set before the flush. */
  readonly modifiedAt?: string;
}

export type FollowOutcome =
  | {
      readonly kind: 'hashed';
      readonly digests: Digests & { readonly sha256: string };
      readonly stamp: { readonly inode: string; readonly mtimeNs: string };
    }
  | { readonly kind: 'failed'; readonly error: PlainError }
  | { readonly kind: 'stopped' };

/** A run of bytes in a file with its digest: a PartMac's, or SHA-256 where an earlier release wrote it. */
export interface Extent {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
  readonly mac?: string;
  readonly sha256?: string;
}

/** Re-hashes recorded extents of a file (rule 16), or a whole file when an extent covers it. */
export interface HashExtentsTask {
  readonly cell: SharedArrayBuffer;
  readonly path: string;
  readonly extents: readonly Extent[];
}

/** One digest for each extent, in order, of the kind that it has (default SHA-256); undefined where the file ends before it. */
export type HashExtentsOutcome =
  | { readonly kind: 'hashed'; readonly digests: readonly (string | undefined)[] }
  | { readonly kind: 'failed'; readonly error: PlainError }
  | { readonly kind: 'stopped' };

/** A flushed partial and the name that it gets. */
export interface NameToTake {
  readonly partialPath: string;
  /** The path to rename to: below a folder that is held open until the task has answered. */
  readonly target: string;
  readonly mayReplace: MayReplace;
  /** The path that an error names. */
  readonly shown: string;
}

/** Gives partials their final names, one after another. Paths with a NUL between two: no path has one. */
export interface TakeNamesTask {
  readonly partialPaths: string;
  readonly targets: string;
  readonly shown: string;
  /** Of the names, by their position, that may replace something. */
  readonly mayReplace: ReadonlyMap<number, MayReplace>;
}

/** How names went, in columns. */
export interface TakeNamesOutcome {
  /** Of each name that was taken mtime, ctime in nanoseconds and inode; zeros for the others. */
  readonly stamps: BigInt64Array;
  /** How the names went that have no stamp. */
  readonly others: ReadonlyMap<number, TakeNameOutcome>;
}

/** How one name went. `occupied`: something else is there, and both are as they were. */
export type TakeNameOutcome =
  | {
      readonly kind: 'taken';
      /** Absent: somebody has taken the file away at once. */
      readonly stamp?: LocalStamp;
    }
  | { readonly kind: 'occupied' }
  | { readonly kind: 'failed'; readonly error: PlainError };
