/** Cutting a page into units: large files alone, small ones in packs (design 6.4). */
import type { PlanEntry, PlanUnit } from './page.js';

/** Files from this size on are fetched in parallel parts, each file as a unit of its own. */
export const LARGE_FROM_BYTES = 32 * 1024 * 1024;

/** Bounds of a pack: what a killed worker may have to fetch again. */
const PACK_FILES = 256;
const PACK_BYTES = 256 * 1024 * 1024;

/** Of the first page, which may be all there is: 160 files of 16 MiB in packs of 256 MiB were work for two workers of four. */
const FIRST_PACK_BYTES = 64 * 1024 * 1024;

/**
 * A pack of tiny files takes more of them: each unit costs Temporal as much processor as a hundred such files do, and what a
 * kill makes come again is little beside a pack of larger ones.
 */
const TINY_PACK_FILES = 1_024;
const TINY_PACK_BYTES = 16 * 1024 * 1024;

/** A whole tree of up to so many files is one unit a file, so that the Temporal UI names each. */
const NAMED_FILES = 100;

/** What an unknown size counts for, while packs are filled. */
const UNKNOWN_BYTES = 1024 * 1024;

/** Where a page stands in its plan. */
export interface PagePlace {
  /** Its packs stay small, so that all threads and workers have something to do at once. */
  readonly isFirst: boolean;
  readonly isLast: boolean;
}

/** The units of a page: indices into its entries, the unit with the most bytes first. */
export function cutUnits(entries: readonly PlanEntry[], place: PagePlace): PlanUnit[] {
  const wanted = [...entries.entries()].filter(([, entry]) => entry.action === 'fetch');
  const isSmallTree = place.isFirst && place.isLast && wanted.length <= NAMED_FILES;
  const isFull = (files: number, bytes: number): boolean => {
    if (isSmallTree) return true;
    const mayGoOn = !place.isFirst && bytes < TINY_PACK_BYTES;
    return files >= (mayGoOn ? TINY_PACK_FILES : PACK_FILES);
  };
  const units: PlanUnit[] = [];
  let pack: number[] = [];
  let packBytes = 0;
  /** What a pack is full with: unknown sizes count for something, too. */
  let assumedBytes = 0;
  const close = (): void => {
    if (pack.length === 0) return;
    units.push({ kind: pack.length === 1 ? 'file' : 'pack', entries: pack, bytes: packBytes });
    pack = [];
    packBytes = 0;
    assumedBytes = 0;
  };
  for (const [index, entry] of wanted) {
    const bytes = entry.sizeBytes ?? UNKNOWN_BYTES;
    if (bytes >= LARGE_FROM_BYTES) {
      units.push({ kind: 'file', entries: [index], bytes: entry.sizeBytes ?? 0 });
      continue;
    }
    if (packBytes + bytes > (place.isFirst ? FIRST_PACK_BYTES : PACK_BYTES)) close();
    pack.push(index);
    packBytes += entry.sizeBytes ?? 0;
    assumedBytes += bytes;
    if (isFull(pack.length, assumedBytes)) close();
  }
  close();
  // The longest first: a large file that starts last would run alone at the end.
  return units.sort((a, b) => b.bytes - a.bytes);
}
