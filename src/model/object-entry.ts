/** What a store says about one object, before a byte of it was read. */
import type { SpecialKind } from './special.js';

/**
 * How an object's version is recognised again (rule 12). `strong`: a version id, a generation or a strong
 * ETag, equal only if the bytes are equal. `weak`: Last-Modified or mtime together with the size, or a `W/` ETag.
 */
export interface Pin {
  readonly strength: 'strong' | 'weak';
  /** Opaque and comparable with `===`. Its prefix names its kind: `etag:`, `version:`, `generation:`, `mtime:`, `ctime:`. */
  readonly value: string;
}

/** The names of the digests that Waybill knows how to compute and compare. */
export type DigestName = 'sha256' | 'sha1' | 'md5' | 'crc32' | 'crc32c' | 'crc64nvme' | 'md5crc';

/**
 * Digests of a whole object as lowercase hex, big-endian. A composite (multipart) value is not one, unless it says how it is made:
 * `md5crc` is what HDFS has of a file, the MD5 of its blocks' MD5s of their chunks' CRCs, with their sizes in front:
 * `crc32c/512/134217728/HEX`.
 */
export type Digests = Partial<Record<DigestName, string>>;

/** One thing at a source. */
export interface ObjectEntry {
  /** Relative to the store's root, POSIX, no leading or trailing slash; '' is the root itself. */
  readonly path: string;
  readonly kind: 'file' | 'directory' | 'special';
  /** Of kind `special`: which. */
  readonly special?: SpecialKind;
  /** Absent where the store does not know it, or only roughly; never -1. */
  readonly sizeBytes?: number;
  /** ISO 8601, UTC. */
  readonly modifiedAt?: string;
  readonly isExecutable?: boolean;
  readonly pin?: Pin;
  /** Checksums that lie with the source. A SHA-256 lifts the file to level `published`, any other to `provider`. */
  readonly digests?: Digests;
  /** They were computed for this answer: they prove the way, and reach `provider` whatever their name. */
  readonly areDigestsFresh?: true;
  /**
   * Those of `digests` that a registry wrote down when the object was logged. Bytes that differ from them are another
   * version's, which was written over this one: WB_VERSION_OVERWRITTEN.
   */
  readonly recordedDigests?: readonly DigestName[];
  /**
   * The service computes more digests where it is asked for them, which takes it as long as reading the file: `beside` the
   * reading, or `after` it where it has no connection to spare.
   */
  readonly digestsOnRequest?: 'beside' | 'after';
}

/**
 * Whether two pins name the same version. An absent pin equals nothing. A pin may grow strong with the age of what it names
 * (a local file's does): that is no change.
 */
export function samePin(a: Pin | undefined, b: Pin | undefined): boolean {
  return a !== undefined && b !== undefined && a.value === b.value;
}

/** Whether two pins prove that the bytes are the same: both strong, and equal. */
export function sameStrongPin(a: Pin | undefined, b: Pin | undefined): boolean {
  return a?.strength === 'strong' && b?.strength === 'strong' && samePin(a, b);
}
