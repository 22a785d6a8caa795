/** What an earlier pull left at a destination. */
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import {
  decodeManifest,
  decodeReceipt,
  type ManifestEntry,
  type Receipt,
} from '../manifest/index.js';
import { readTextIfThere } from './durable-file.js';
import { RECORD_NAMES } from './layout.js';

/** Where a record may lie: in place, or set aside before new bytes came (rule 19). */
const places = (recordDir: string): readonly string[] => [
  recordDir,
  join(recordDir, RECORD_NAMES.previous),
];

/** The entries of the last manifest by path, stale ones too; empty where there is none. Throws WB_LOCAL_DAMAGE. */
export async function readLastManifest(recordDir: string): Promise<Map<string, ManifestEntry>> {
  const entries = new Map<string, ManifestEntry>();
  for (const place of places(recordDir)) {
    const path = join(place, RECORD_NAMES.manifest);
    try {
      for await (const entry of decodeManifest(createReadStream(path, 'utf8'), { name: path })) {
        entries.set(entry.path, entry);
      }
      return entries;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return entries;
}

/** The receipt in place; undefined if the destination is not complete. */
export async function readReceipt(recordDir: string): Promise<Receipt | undefined> {
  const path = join(recordDir, RECORD_NAMES.receipt);
  const text = await readTextIfThere(path);
  return text === undefined ? undefined : decodeReceipt(text, path);
}
