/** What an earlier pull left at a destination. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  decodeManifest,
  decodeReceipt,
  type ManifestEntry,
  type Receipt,
} from '../manifest/index.js';
import { readTextIfThere } from './durable-file.js';
import { RECORD_NAMES } from './layout.js';
import { lookAt } from './take-name.js';

/** Where a record may lie: in place, or set aside before new bytes came (rule 19). */
const places = (recordDir: string): readonly string[] => [
  recordDir,
  join(recordDir, RECORD_NAMES.previous),
];

/** Larger ones are read line by line, and each line is checked. */
const MAX_WHOLE_BYTES = 64 * 1024 * 1024;

/** The manifest of the pull before this one. */
export interface LastManifest {
  /** By path, stale ones too; empty where there is none. */
  readonly entries: ReadonlyMap<string, ManifestEntry>;
  /** The receipt in place that names exactly these lists; absent where there is none, or where they were touched. */
  readonly receipt?: Receipt;
  /** What the files of the record in place looked like before they were read; absent where it is not whole. */
  readonly stamp?: string;
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
    const path = join(place, RECORD_NAMES.manifest);
    try {
      const receipt = await receiptThere(place);
      const proven = receipt === undefined ? undefined : await readProven(path, receipt);
      if (proven !== undefined) {
        const isInPlace = receipt !== undefined && place === recordDir;
        const isWhole = isInPlace && (await hasSums(place, receipt));
        if (!isWhole) return { entries: proven };
        return { entries: proven, receipt, ...(stamp === undefined ? {} : { stamp }) };
      }
      const entries = new Map<string, ManifestEntry>();
      for await (const entry of decodeManifest(createReadStream(path, 'utf8'), { name: path })) {
        entries.set(entry.path, entry);
      }
      return { entries };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return { entries: new Map() };
}

/** One that cannot be read proves nothing; whoever needs it says so. */
async function receiptThere(place: string): Promise<Receipt | undefined> {
  return readReceipt(place).catch(() => undefined);
}

/** The lines of a manifest that is the one that a receipt names: Waybill wrote each of them. Undefined: it is not. */
async function readProven(
  path: string,
  { manifestDigest }: Receipt,
): Promise<Map<string, ManifestEntry> | undefined> {
  if ((await stat(path)).size > MAX_WHOLE_BYTES) return undefined;
  const bytes = await readFile(path);
  if (sha256(bytes) !== manifestDigest) return undefined;
  const entries = new Map<string, ManifestEntry>();
  for (const line of bytes.toString('utf8').split('\n')) {
    if (line === '') continue;
    const entry = JSON.parse(line) as ManifestEntry;
    entries.set(entry.path, entry);
  }
  return entries;
}

async function hasSums(place: string, { treeDigest }: Receipt): Promise<boolean> {
  const bytes = await readFile(join(place, RECORD_NAMES.sums)).catch(() => undefined);
  return bytes !== undefined && sha256(bytes) === treeDigest;
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** The receipt in place; undefined if the destination is not complete. */
export async function readReceipt(recordDir: string): Promise<Receipt | undefined> {
  const path = join(recordDir, RECORD_NAMES.receipt);
  const text = await readTextIfThere(path);
  return text === undefined ? undefined : decodeReceipt(text, path);
}
