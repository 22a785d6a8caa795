/** Cutting a page into units: large files alone, small ones in packs (design 6.4). */
import type { PlanEntry, PlanUnit } from './page.js';

/** Files from this size on are fetched in parallel parts, each file as a unit of its own. */
export const LARGE_FROM_BYTES = 32 * 1024 * 1024;

/** Bounds of a pack: what a killed worker may have to fetch again. */
const PACK_FILES = 256;
const PACK_BYTES = 256 * 1024 * 1024;

/** A whole tree of up to so many files is one unit a file, so that the Temporal UI names each. */
const NAMED_FILES = 100;

/** What an unknown size counts for, while packs are filled. */
const UNKNOWN_BYTES = 1024 * 1024;

/** @param isWholeTree the page is the only one of its plan */
export function cutUnits(entries: readonly PlanEntry[], isWholeTree: boolean): PlanUnit[] {
  const wanted = [...entries.entries()].filter(([, entry]) => entry.action === 'fetch');
  const filesOfPack = isWholeTree && wanted.length <= NAMED_FILES ? 1 : PACK_FILES;
  const units: PlanUnit[] = [];
  let pack: number[] = [];
  let packBytes = 0;
  const close = (): void => {
    if (pack.length === 0) return;
    units.push({ kind: pack.length === 1 ? 'file' : 'pack', entries: pack, bytes: packBytes });
    pack = [];
    packBytes = 0;
  };
  for (const [index, entry] of wanted) {
    const bytes = entry.sizeBytes ?? UNKNOWN_BYTES;
    if (bytes >= LARGE_FROM_BYTES) {
      units.push({ kind: 'file', entries: [index], bytes: entry.sizeBytes ?? 0 });
      continue;
    }
    if (packBytes + bytes > PACK_BYTES) close();
    pack.push(index);
    packBytes += entry.sizeBytes ?? 0;
    if (pack.length >= filesOfPack) close();
  }
  close();
  // The longest first: a large file that starts last would run alone at the end.
  return units.sort((a, b) => b.bytes - a.bytes);
}
