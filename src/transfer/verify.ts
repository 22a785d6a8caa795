/** `waybill verify`: what is on disk, held against the record of what arrived. */
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { WaybillError } from '../model/errors.js';
import type { ErrorCode } from '../model/errors.js';
import { compareSorted } from '../manifest/index.js';
import type { Receipt, Seal } from '../manifest/index.js';
import type { UnitProgress } from './api.js';
import { errnoOf, toDestinationError } from './destination-error.js';
import { hashFiles } from './hash-files.js';
import type { FileToHash, Hashed } from './hash-files.js';
import { checkRecord, findRecord, readManifest, readRecord, readSums } from './read-record.js';
import type { RecordPlace } from './read-record.js';
import { walkTree } from './walk-tree.js';
import type { FoundFile } from './walk-tree.js';

/** How a file differs. `stale`: the source no longer had it at the last pull; it is kept, and is no difference. */
export type Difference = 'changed' | 'missing' | 'extra' | 'stale';

/** One file that is not as the record says. */
export interface Finding {
  readonly kind: Difference;
  /** Relative to the destination; for display only, where the name on disk is no UTF-8. */
  readonly path: string;
  /** `12 bytes instead of 10`, `other bytes: SHA-256 …`, ... */
  readonly why: string;
}

/** What a verification found. */
export interface VerifyReport {
  /** Absolute path of the folder or file. */
  readonly destination: string;
  readonly kind: 'tree' | 'file';
  readonly state: 'complete' | 'partial' | 'sealed';
  readonly isQuick: boolean;
  /** Every file of the record is there and unchanged, nothing is extra, and the record fits together. */
  readonly ok: boolean;
  /** WB_LOCAL_DAMAGE for differences, else WB_PARTIAL for a partial pull; absent when all is well. */
  readonly code?: ErrorCode;
  /** Files of the record that were looked at, stale ones apart. */
  readonly files: number;
  /** Bytes that were hashed; 0 when quick. */
  readonly bytesHashed: number;
  readonly counts: Readonly<Record<Difference, number>>;
  /** The first MAX_FINDINGS of each kind. */
  readonly findings: readonly Finding[];
  /** What is wrong with the record itself: it was edited, or a part of it is missing. */
  readonly recordProblems: readonly string[];
  /** Where it was pulled from, as asked; absent for a tree that was sealed here. */
  readonly source?: string;
  /** What the receipt or the seal says of the whole tree. */
  readonly treeDigest: string;
  /** The paths that the pull could not bring, for a partial one. */
  readonly failed: readonly string[];
}

/** How to verify. When the signal aborts, the call rejects with the signal's reason. */
export interface VerifyOptions {
  /** Compare sizes only, and read no file. */
  readonly isQuick?: boolean;
  readonly signal?: AbortSignal;
  readonly progress?: UnitProgress;
  /** Is told every finding, also those beyond the report's. */
  readonly onFinding?: (finding: Finding) => void;
}

/** How many findings of each kind a report keeps. */
export const MAX_FINDINGS = 1_000;

interface Wanted {
  readonly path: string;
  readonly sha256: string;
  readonly sizeBytes?: number;
  readonly isStale?: true;
  readonly isLeft?: true;
}

interface OnDisk extends FoundFile {
  readonly sizeBytes: number;
}

type Pair = { readonly path: string; readonly wanted?: Wanted; readonly disk?: OnDisk };

/**
 * Verifies a destination, or a tree that was sealed. Throws WB_NOT_FOUND where there is no record, WB_PARTIAL where
 * a pull left files out and no lists, WB_LOCAL_DAMAGE where the record is too damaged to judge by; differences are
 * no error but in the report.
 */
export async function verifyTree(path: string, options: VerifyOptions = {}): Promise<VerifyReport> {
  const place = await findRecord(path);
  const record = await readRecord(place);
  const check = await checkRecord(place, record);
  if (record.state === 'partial' && check.trusted === undefined)
    throw partial(place, record.receipt);
  const said: Receipt | Seal = record.receipt ?? record.seal;
  if (check.trusted === undefined) {
    const message = `the record of ${place.destination} cannot be relied on: ${check.problems.join('; ')}`;
    throw new WaybillError('WB_LOCAL_DAMAGE', message, { operation: 'verify' });
  }
  if (options.progress) {
    Object.assign(options.progress, {
      phase: 'hashing',
      filesTotal: said.counts.files,
      bytesTotal: said.bytes,
    } satisfies Partial<UnitProgress>);
  }
  const staleNames = new Set(record.receipt?.stale.first);
  const wanted = check.trusted === 'manifest' ? readManifest(place) : readSums(place);
  const pairs = pairUp(wanted, place, options.signal);
  const tally = new Tally(options.onFinding, staleNames);
  const fileOf = (pair: Pair): FileToHash | undefined =>
    options.isQuick === true || pair.wanted === undefined || isStale(pair) || !mayBeSame(pair)
      ? undefined
      : { path: join(place.filesRoot, pair.path), expectedBytes: pair.disk?.sizeBytes ?? 0 };
  for await (const { item, hashed } of hashFiles(pairs, fileOf, options)) {
    tally.judge(item, hashed, options.isQuick === true);
    if (options.progress) options.progress.name = item.path;
  }
  const ok = tally.isClean && check.problems.length === 0 && record.state !== 'partial';
  const code = tally.isClean && check.problems.length === 0 ? 'WB_PARTIAL' : 'WB_LOCAL_DAMAGE';
  return {
    destination: place.destination,
    kind: place.kind,
    state: record.state,
    isQuick: options.isQuick === true,
    ok,
    ...(ok ? {} : { code }),
    files: tally.files,
    bytesHashed: tally.bytesHashed,
    counts: tally.counts,
    findings: tally.findings,
    recordProblems: check.problems,
    ...(record.receipt === undefined ? {} : { source: record.receipt.source.asked }),
    treeDigest: said.treeDigest,
    failed: (record.receipt?.failures ?? []).map((failure) => failure.path),
  };
}

/** A partial pull keeps its digests in the journal until the same pull completes it. */
function partial(place: RecordPlace, receipt: Receipt): WaybillError {
  const names = (receipt.failures ?? []).slice(0, 3).map(({ path }) => JSON.stringify(path));
  const count = receipt.counts.filesFailed ?? receipt.failures?.length ?? 0;
  const message =
    `the pull into ${place.destination} is partial: ${count} of ${receipt.counts.files + count} files failed (${names.join(', ')}${count > names.length ? ', …' : ''}). ` +
    `The same pull completes it; then it can be verified`;
  return new WaybillError('WB_PARTIAL', message, { operation: 'verify' });
}

/** The record and the disk side by side. */
async function* pairUp(
  wanted: AsyncIterable<Wanted>,
  place: RecordPlace,
  signal: AbortSignal | undefined,
): AsyncGenerator<Pair> {
  if (place.kind === 'file') {
    for await (const entry of wanted) yield await pairOf(place, entry);
    return;
  }
  const walk = walkTree(place.filesRoot, signal === undefined ? {} : { signal });
  for await (const both of compareSorted(wanted, walk, () => true)) {
    if (both.verdict === 'extra') yield { path: both.path, disk: { ...both.b, sizeBytes: 0 } };
    else yield await pairOf(place, both.a);
  }
}

async function pairOf(place: RecordPlace, wanted: Wanted): Promise<Pair> {
  const { path } = wanted;
  try {
    const stats = await lstat(join(place.filesRoot, path));
    const kind = stats.isFile() ? 'file' : stats.isSymbolicLink() ? 'link' : 'special';
    return { path, wanted, disk: { path, kind, isNameValid: true, sizeBytes: stats.size } };
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return { path, wanted };
    throw toDestinationError(error, 'look at', path);
  }
}

function mayBeSame({ wanted, disk }: Pair): boolean {
  if (wanted === undefined || disk?.kind !== 'file') return false;
  return wanted.sizeBytes === undefined || wanted.sizeBytes === disk.sizeBytes;
}

/** Judges pair after pair and keeps count. */
class Tally {
  readonly counts: Record<Difference, number> = { changed: 0, missing: 0, extra: 0, stale: 0 };
  readonly findings: Finding[] = [];
  files = 0;
  bytesHashed = 0;

  constructor(
    private readonly onFinding: ((finding: Finding) => void) | undefined,
    private readonly staleNames: ReadonlySet<string>,
  ) {}

  get isClean(): boolean {
    return this.counts.changed + this.counts.missing + this.counts.extra === 0;
  }

  judge(pair: Pair, hashed: Hashed | undefined, isQuick: boolean): void {
    const { path, wanted, disk } = pair;
    if (hashed?.kind === 'hashed') this.bytesHashed += hashed.sizeBytes;
    if (wanted === undefined) {
      if (this.staleNames.has(path)) this.add('stale', path, STALE);
      else
        this.add('extra', path, disk?.kind === 'file' ? 'not in the record' : `a ${nameOf(disk)}`);
      return;
    }
    if (wanted.isStale === true) {
      if (disk !== undefined && wanted.isLeft !== true) this.add('stale', path, STALE);
      return;
    }
    this.files += 1;
    if (disk === undefined) this.add('missing', path, 'it is gone');
    else if (disk.kind !== 'file') this.add('changed', path, `a ${nameOf(disk)} is in its place`);
    else if (!mayBeSame(pair)) {
      const why = `${disk.sizeBytes} bytes instead of ${wanted.sizeBytes ?? 0}`;
      this.add('changed', path, why);
    } else if (!isQuick) this.judgeHash(wanted, hashed);
  }

  private judgeHash(wanted: Wanted, hashed: Hashed | undefined): void {
    if (hashed?.kind === 'hashed') {
      if (hashed.sha256 === wanted.sha256) return;
      const why = `other bytes: SHA-256 ${hashed.sha256} instead of ${wanted.sha256}`;
      this.add('changed', wanted.path, why);
    } else if (hashed?.kind === 'changed') {
      this.add('changed', wanted.path, 'it was being written to while it was read');
    } else if (hashed?.kind === 'failed') this.add('changed', wanted.path, hashed.error.message);
    else this.add('changed', wanted.path, 'it could not be read as a file');
  }

  private add(kind: Difference, path: string, why: string): void {
    const finding = { kind, path, why };
    this.counts[kind] += 1;
    if (this.counts[kind] <= MAX_FINDINGS) this.findings.push(finding);
    this.onFinding?.(finding);
  }
}

/** Of these only the name is told: no word is said about their bytes. */
function isStale({ wanted }: Pair): boolean {
  return wanted?.isStale === true;
}

const STALE = 'the source no longer had it at the last pull';

function nameOf(disk: OnDisk | undefined): string {
  if (disk?.kind === 'link') return 'symbolic link';
  return disk?.isNameValid === false ? 'name that is no UTF-8' : 'socket, FIFO, device or folder';
}
