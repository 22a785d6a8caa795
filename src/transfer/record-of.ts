/** The record of what a pull has brought: new lines, or those that are there because nothing is different. */
import { createHash } from 'node:crypto';
import {
  RecordWriter,
  type ManifestEntry,
  type RecordLines,
  type RecordTotals,
} from '../manifest/index.js';
import { compareByBytes } from '../model/object-path.js';
import type { Outcome } from './gather.js';

/** What the lists of a pull say. */
export interface PullRecordLines {
  /** To be written; absent where the lists in place say just that. */
  readonly lines?: readonly RecordLines[];
  readonly totals: Omit<RecordTotals, 'staleFiles'>;
}

/**
 * The lists of a pull. Where each line of the last manifest stands, and none comes to it, the receipt in place has proven
 * to name that manifest, and its totals are those of this pull.
 */
export function recordOf(outcome: Outcome, leftovers: readonly ManifestEntry[]): PullRecordLines {
  const { entries, receipt } = outcome.last;
  const isAsRecorded = (entry: ManifestEntry): boolean => entries.get(entry.path) === entry;
  if (
    receipt !== undefined &&
    outcome.entries.length + leftovers.length === entries.size &&
    outcome.entries.every(isAsRecorded) &&
    leftovers.every(isAsRecorded)
  ) {
    const { treeDigest, omsDigest, manifestDigest, bytes, levels, counts } = receipt;
    return {
      totals: { treeDigest, omsDigest, manifestDigest, bytes, levels, files: counts.files },
    };
  }
  const all = [...outcome.entries, ...leftovers].sort((a, b) => compareByBytes(a.path, b.path));
  const writer = new RecordWriter(() => createHash('sha256'));
  const lines = all.map((entry) => writer.add(entry));
  return { lines, totals: writer.result() };
}
