/** Giving a destination up without sealing it: journal and partials stay for the next run (rule 28). */
import { readdir, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { PullRef } from './api.js';
import { hasLastManifest } from './last-manifest.js';
import { RECORD_NAMES } from './layout.js';
import { checkPlace, releaseOwner } from './owner.js';
import { readPullRecord } from './pull-record.js';

/**
 * Releases the owner. A pull that has brought nothing, and whose destination held no record before, leaves nothing
 * behind: not even a folder that it made itself.
 */
export async function releasePull(ref: PullRef): Promise<void> {
  // What lies where the destination was is not this pull's to clear away.
  if (!(await isHere(ref))) return;
  const record = await readPullRecord(ref.recordDir);
  const hasTraces = await hasAny(ref.recordDir, [RECORD_NAMES.journal, RECORD_NAMES.partial]);
  const hasPast = await hasLastManifest(ref.recordDir);
  await releaseOwner(ref);
  if (hasTraces || hasPast) return;
  const left: string[] = await readdir(ref.recordDir).catch(() => []);
  if (left.includes(RECORD_NAMES.owner) || left.includes(RECORD_NAMES.partialReceipt)) return;
  await rm(ref.recordDir, { recursive: true, force: true });
  // Only an empty folder goes; anything else in it is not ours.
  if (record?.madeFolder === true) await rmdir(dirname(ref.recordDir)).catch(() => undefined);
}

async function isHere(ref: PullRef): Promise<boolean> {
  return checkPlace(ref).then(
    () => true,
    () => false,
  );
}

async function hasAny(recordDir: string, folders: readonly string[]): Promise<boolean> {
  for (const folder of folders) {
    if ((await readdir(join(recordDir, folder)).catch(() => [])).length > 0) return true;
  }
  return false;
}
