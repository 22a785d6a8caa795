/** A record that nobody can read any more: cut by a file system, or edited. Whoever says `--if-exists overwrite` gets a new one. */
import { join } from 'node:path';
import * as z from 'zod';
import { isDamage, readJson, remove } from './durable-file.js';
import { readLastManifest } from './last-manifest.js';
import { RECORD_NAMES } from './layout.js';
import { moveAside, PROOFS } from './old-truth.js';

const DAMAGED = 'damaged';

const receiptSchema = z.object({ source: z.object({ asked: z.string() }) });

/** What the receipts of a record say they were pulled from: the one in place, and the one that was set aside (rule 19). */
export async function sourcesAsked(recordDir: string): Promise<(string | undefined)[]> {
  const receipts = [recordDir, join(recordDir, RECORD_NAMES.previous)].map((folder) =>
    readJson(join(folder, RECORD_NAMES.receipt), receiptSchema),
  );
  return (await Promise.all(receipts)).map((receipt) => receipt?.source.asked);
}

/** Moves a record that cannot be read to `damaged/`, in the place of what was moved there before; one that can be stays. */
export async function setDamagedAside(recordDir: string): Promise<void> {
  try {
    await sourcesAsked(recordDir);
    await readLastManifest(recordDir);
    return;
  } catch (error) {
    if (!isDamage(error)) throw error;
  }
  await remove(join(recordDir, DAMAGED));
  await moveAside(recordDir, [...PROOFS, RECORD_NAMES.previous], DAMAGED);
}
