/** Removing what the source no longer has (`--prune`): only what Waybill wrote and what still has those bytes. */
import { randomBytes } from 'node:crypto';
import { rename, rmdir, unlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { ManifestEntry } from '../manifest/index.js';
import { fromPlainError } from '../model/errors.js';
import { errnoOf, toDestinationError } from './destination-error.js';
import { makeFolderInside } from './durable-file.js';
import { HeldFolder } from './held-folder.js';
import { isPublishedFile } from './line-fits.js';
import { folderOf } from './plan/parents.js';
import type { ThreadPool } from './pool.js';
import { fileOf, lookAt } from './take-name.js';

/** Where files are removed. */
export interface PruneContext {
  readonly filesRoot: string;
  /** On the same file system: a file is taken here before it is removed. */
  readonly partialDir: string;
  readonly hashFile: (path: string, sizeBytes: number) => Promise<string | undefined>;
  readonly pool: Pick<ThreadPool, 'takeNames'>;
}

/**
 * Removes a file if it is the one of the entry, byte for byte, and the folders that it leaves empty. False: it is
 * not, or was touched meanwhile, and is left. The file is taken out of its place first and looked at again, so that one
 * that was put there between hashing and removing is put back, never lost.
 */
export async function pruneFile(context: PruneContext, entry: ManifestEntry): Promise<boolean> {
  // What was there before the first pull is somebody else's, although it had the right bytes.
  if (entry.attempts === 0) return false;
  const folder = await openFolder(context.filesRoot, folderOf(entry.path));
  if (folder === undefined) return false;
  try {
    if (!(await removeFrom(context, folder, entry))) return false;
    await folder.sync();
  } catch (error) {
    throw toDestinationError(error, 'remove', join(context.filesRoot, entry.path));
  } finally {
    await folder.close();
  }
  await removeEmptyFolders(context.filesRoot, folderOf(entry.path));
  return true;
}

/** A link that leads out, or a file, in the place of a folder: nothing below it is ours to remove. */
async function openFolder(filesRoot: string, below: string): Promise<HeldFolder | undefined> {
  return HeldFolder.open(filesRoot, below, { makes: false }).catch(() => undefined);
}

async function removeFrom(
  context: PruneContext,
  folder: HeldFolder,
  entry: ManifestEntry,
): Promise<boolean> {
  const path = folder.pathOf(basename(entry.path));
  const before = fileOf(await lookAt(path));
  if (before?.sizeBytes !== entry.sizeBytes) return false;
  if ((await context.hashFile(path, before.sizeBytes)) !== entry.sha256) return false;
  await makeFolderInside(context.partialDir);
  const aside = join(context.partialDir, `pruned-${randomBytes(6).toString('hex')}`);
  const isTaken = await rename(path, aside).then(
    () => true,
    (error: unknown) => {
      // Gone already, or a mount of its own that nothing can be taken out of: both are left.
      if (['ENOENT', 'EXDEV', 'EBUSY'].includes(errnoOf(error) ?? '')) return false;
      throw error;
    },
  );
  if (!isTaken) return false;
  const taken = fileOf(await lookAt(aside));
  if (taken !== undefined && isPublishedFile({ ...entry, local: before.stamp }, taken)) {
    await unlink(aside);
    return true;
  }
  await putBack(context, aside, path);
  return false;
}

/** Under its own name, or beside it if that was taken once more. */
async function putBack({ pool }: PruneContext, aside: string, path: string): Promise<void> {
  for (let number = 0; ; number += 1) {
    const name = number === 0 ? path : `${path}.kept-${number}`;
    const [outcome] = await pool.takeNames([
      { partialPath: aside, target: name, mayReplace: [], shown: path },
    ]);
    if (outcome?.kind === 'failed') throw fromPlainError(outcome.error);
    if (outcome?.kind === 'taken') return;
  }
}

async function removeEmptyFolders(filesRoot: string, below: string): Promise<void> {
  for (let folder = below; folder !== ''; folder = folderOf(folder)) {
    const parent = await openFolder(filesRoot, folderOf(folder));
    if (parent === undefined) return;
    const isGone = await rmdir(parent.pathOf(basename(folder))).then(
      () => true,
      () => false,
    );
    await parent.close();
    if (!isGone) return;
  }
}
