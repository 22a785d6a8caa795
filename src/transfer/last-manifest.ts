/** What an earlier pull left at a destination. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  decodeManifest,
  decodeManifestLine,
  decodeReceipt,
  type ManifestEntry,
  type Receipt,
} from '../manifest/index.js';
import { readTextIfThere } from './durable-file.js';
import { RECORD_NAMES } from './layout.js';
import { LineFiles } from './lines/line-files.js';
import { MARKS, PathIndex } from './lines/path-index.js';
import { scanLines } from './lines/scan-lines.js';
import { digestOf } from './read-record.js';
import { lookAt } from './take-name.js';

/** Where a record may lie: in place, or set aside before new bytes came (rule 19). */
const places = (recordDir: string): readonly string[] => [
  recordDir,
  join(recordDir, RECORD_NAMES.previous),
];

/** The manifest of the pull before this one: an index in memory, the lines where they lie. */
export class LastManifest {
  private readonly files = new LineFiles();

  private constructor(
    private readonly index: PathIndex,
    /** Waybill wrote each line: the receipt beside it names just these bytes. */
    private readonly isProven: boolean,
    paths: readonly string[],
    inode: bigint | undefined,
    /** The receipt in place that names exactly these lists; absent where there is none, or where they were touched. */
    readonly receipt?: Receipt,
    /** What the files of the record in place looked like before they were read; absent where it is not whole. */
    readonly stamp?: string,
  ) {
    if (paths.length > 0) this.files.add(paths, inode);
  }

  /** There is none. */
  static none(): LastManifest {
    return new LastManifest(new PathIndex(), false, [], undefined);
  }

  /** Reads the one that lies in one of two places (rule 19). Throws WB_LOCAL_DAMAGE; ENOENT where it is not there. */
  static async read(
    recordDir: string,
    place: string,
    stamp: string | undefined,
  ): Promise<LastManifest> {
    const path = join(place, RECORD_NAMES.manifest);
    const { ino } = await stat(path, { bigint: true });
    const paths = places(recordDir).map((one) => join(one, RECORD_NAMES.manifest));
    const receipt = await receiptThere(place);
    const { index, digest } = await indexManifest(path);
    const isProven = receipt !== undefined && receipt.manifestDigest === digest;
    if (!isProven) await checkLines(path);
    const isWhole = isProven && place === recordDir && (await hasSums(place, receipt));
    return isWhole
      ? new LastManifest(index, isProven, paths, ino, receipt, stamp)
      : new LastManifest(index, isProven, paths, ino);
  }

  /** How many files it names, stale ones too. */
  get size(): number {
    return this.index.size;
  }

  /** Its line of a file; undefined where it has none. */
  async get(path: string): Promise<ManifestEntry | undefined> {
    const slot = this.index.find(path);
    if (slot === undefined) return undefined;
    const entry = await this.lineAt(this.index.placeAt(slot));
    return entry.path === path ? entry : undefined;
  }

  /** Forgets what was noted. */
  forgetNotes(): void {
    this.index.unmark(MARKS.planned | MARKS.brought);
  }

  /** Notes that a file is planned, and whether it is in place as planned: `beside` leaves out the latter. */
  note(path: string, isBrought: boolean): void {
    this.index.markPath(path, isBrought ? MARKS.planned | MARKS.brought : MARKS.planned);
  }

  /** Every file that was not noted as brought, in the order of the manifest; `isPlanned`: it was noted. */
  async *beside(): AsyncGenerator<{ entry: ManifestEntry; isPlanned: boolean }> {
    for (const place of this.index.placesWithout(MARKS.brought)) {
      const entry = await this.lineAt(place);
      const slot = this.index.find(entry.path);
      const isPlanned = slot !== undefined && this.index.isMarked(slot, MARKS.planned);
      yield { entry, isPlanned };
    }
  }

  private async lineAt(place: number): Promise<ManifestEntry> {
    const text = (await this.files.lineAt(place)).toString('utf8');
    // The schema of a line that Waybill wrote would take longer than all the rest.
    if (this.isProven) return JSON.parse(text) as ManifestEntry;
    return decodeManifestLine(text, RECORD_NAMES.manifest, 0);
  }
}

/** Reads the last manifest anew, unless the one that was read before still lies there untouched. Throws WB_LOCAL_DAMAGE. */
export async function lastManifest(
  recordDir: string,
  before: LastManifest | undefined,
): Promise<LastManifest> {
  const isStill = before?.stamp !== undefined && before.stamp === (await stampOf(recordDir));
  return isStill ? before : readLastManifest(recordDir);
}

async function stampOf(recordDir: string): Promise<string | undefined> {
  const names = [RECORD_NAMES.receipt, RECORD_NAMES.manifest, RECORD_NAMES.sums];
  const found = await Promise.all(
    names.map((name) => lookAt(join(recordDir, name)).catch(() => undefined)),
  );
  if (found.includes(undefined)) return undefined;
  return found
    .map((one) => [one?.dev, one?.ino, one?.size, one?.mtimeNs, one?.ctimeNs].join('+'))
    .join(' ');
}

/** Reads the last manifest. Throws WB_LOCAL_DAMAGE. */
export async function readLastManifest(recordDir: string): Promise<LastManifest> {
  const stamp = await stampOf(recordDir);
  for (const place of places(recordDir)) {
    try {
      return await LastManifest.read(recordDir, place, stamp);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return LastManifest.none();
}

/** Whether an earlier pull left a manifest that names a file. */
export async function hasLastManifest(recordDir: string): Promise<boolean> {
  const sizes = places(recordDir).map((place) =>
    stat(join(place, RECORD_NAMES.manifest)).then(
      ({ size }) => size,
      () => 0,
    ),
  );
  return (await Promise.all(sizes)).some((size) => size > 0);
}

/** One that cannot be read proves nothing; whoever needs it says so. */
async function receiptThere(place: string): Promise<Receipt | undefined> {
  return readReceipt(place).catch(() => undefined);
}

const PATH = /^\{"path":("(?:[^"\\]|\\.)+")/;

/** Where each line lies, and the SHA-256 of all of them. A line that begins otherwise is found by no path. */
async function indexManifest(path: string): Promise<{ index: PathIndex; digest: string }> {
  const index = new PathIndex();
  const hash = createHash('sha256');
  for await (const lines of scanLines(path, { onChunk: (chunk) => hash.update(chunk) })) {
    for (const { bytes, offsetBytes } of lines) {
      const [, quoted] = PATH.exec(bytes.toString('utf8')) ?? [];
      if (quoted !== undefined) index.set(JSON.parse(quoted) as string, offsetBytes);
    }
  }
  return { index, digest: hash.digest('hex') };
}

/** Whether every line is one. Throws WB_LOCAL_DAMAGE. */
async function checkLines(path: string): Promise<void> {
  for await (const entry of decodeManifest(createReadStream(path, 'utf8'), { name: path }))
    void entry;
}

async function hasSums(place: string, { treeDigest }: Receipt): Promise<boolean> {
  return (await digestOf(join(place, RECORD_NAMES.sums)).catch(() => undefined)) === treeDigest;
}

/** The receipt in place; undefined if the destination is not complete. */
export async function readReceipt(recordDir: string): Promise<Receipt | undefined> {
  const path = join(recordDir, RECORD_NAMES.receipt);
  const text = await readTextIfThere(path);
  return text === undefined ? undefined : decodeReceipt(text, path);
}
