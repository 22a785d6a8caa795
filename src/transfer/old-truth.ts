/** What an earlier pull says about a destination goes before the first new byte is seen there (rule 19). */
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, toDestinationError } from './destination-error.js';
import { fsyncDir, makeFolderInside } from './durable-file.js';
import { RECORD_NAMES } from './layout.js';
import { lookAt } from './take-name.js';

/** The receipt first: without it, nothing claims to be complete. */
const NAMES = [
  RECORD_NAMES.receipt,
  RECORD_NAMES.partialReceipt,
  RECORD_NAMES.sums,
  RECORD_NAMES.manifest,
  RECORD_NAMES.source,
];

/** The record of the pull before this one. Units that publish at the same moment wait for the one that moves it. */
export class OldTruth {
  private moving: Promise<void> | undefined;

  constructor(private readonly recordDir: string) {}

  /** Moves it to `previous/`, once. When this resolves, its absence survives a power cut. */
  async setAside(): Promise<void> {
    this.moving ??= this.move();
    try {
      await this.moving;
    } catch (error) {
      this.moving = undefined;
      throw error;
    }
  }

  private async move(): Promise<void> {
    const aside = join(this.recordDir, RECORD_NAMES.previous);
    let isMoved = false;
    for (const name of NAMES) {
      const path = join(this.recordDir, name);
      try {
        if ((await lookAt(path)) === undefined) continue;
        if (!isMoved) await makeFolderInside(aside);
        await rename(path, join(aside, name));
        isMoved = true;
      } catch (error) {
        if (errnoOf(error) === 'ENOENT' && (await lookAt(path)) === undefined) continue;
        throw toDestinationError(error, 'set aside', path);
      }
    }
    if (!isMoved) return;
    await fsyncDir(aside);
    await fsyncDir(this.recordDir);
  }
}
