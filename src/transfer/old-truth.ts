/** What an earlier pull says about a destination goes before the first new byte is seen there (rule 19). */
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, toDestinationError } from './destination-error.js';
import { fsyncDir, makeFolderInside } from './durable-file.js';
import { RECORD_NAMES } from './layout.js';
import { lookAt } from './take-name.js';

/** What claims to be complete, or says how far it came. */
const CLAIMS = [RECORD_NAMES.receipt, RECORD_NAMES.partialReceipt];
/** What a claim speaks of. */
export const PROOFS = [RECORD_NAMES.sums, RECORD_NAMES.manifest, RECORD_NAMES.source];

/** The record of the pull before this one. Units that publish at the same moment wait for the one that moves it. */
export class OldTruth {
  private moving: Promise<void> | undefined;

  constructor(private readonly recordDir: string) {}

  /** Moves it to `previous/`, once. When this resolves, its absence survives a power cut. */
  async setAside(): Promise<void> {
    this.moving ??= moveAside(this.recordDir);
    try {
      await this.moving;
    } catch (error) {
      this.moving = undefined;
      throw error;
    }
  }
}

/**
 * Moves claims and proofs to a folder of the record, and flushes both folders. A disk may keep a later rename and forget an
 * earlier one: the claims are flushed first, so that none of them comes back without what it speaks of.
 */
export async function moveAside(
  recordDir: string,
  proofs: readonly string[] = PROOFS,
  folder: string = RECORD_NAMES.previous,
): Promise<void> {
  const claimsThere = await present(recordDir, CLAIMS);
  const proofsThere = await present(recordDir, proofs);
  if (claimsThere.length + proofsThere.length === 0) return;
  const aside = join(recordDir, folder);
  await makeFolderInside(aside);
  await moveAll(recordDir, claimsThere, aside);
  // Also where no claim is left: who moved it may have been killed before the flush.
  await fsyncDir(recordDir);
  await moveAll(recordDir, proofsThere, aside);
  await fsyncDir(aside);
  await fsyncDir(recordDir);
}

async function present(recordDir: string, names: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const name of names) {
    const path = join(recordDir, name);
    const stats = await lookAt(path).catch((error: unknown) => {
      throw toDestinationError(error, 'look at', path);
    });
    if (stats !== undefined) found.push(name);
  }
  return found;
}

async function moveAll(from: string, names: readonly string[], to: string): Promise<void> {
  for (const name of names) {
    const path = join(from, name);
    try {
      await rename(path, join(to, name));
    } catch (error) {
      if (errnoOf(error) === 'ENOENT' && (await lookAt(path)) === undefined) continue;
      throw toDestinationError(error, 'set aside', path);
    }
  }
}
