/** Giving flushed partials their final names (rules 10, 19, 21). */
import { lstat, mkdir, realpath, rename, unlink } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { localStampOf, type ManifestEntry } from '../manifest/index.js';
import { WaybillError } from '../model/errors.js';
import { toDestinationError } from './destination-error.js';
import { fsyncDir, makeFolderDurably } from './durable-file.js';
import { fetchedLine, type Journal } from './journal.js';
import { RECORD_NAMES } from './layout.js';
import { checkOwnership, type OwnershipProof } from './owner.js';

/** A flushed partial and what it becomes. */
export interface Publishable {
  readonly partialPath: string;
  /** `local` holds inode and mtime of the partial; the ctime follows the rename. */
  readonly entry: ManifestEntry;
  readonly bytesFetched: number;
}

/** Where and for whom files are published. */
export interface PublishContext {
  readonly filesRoot: string;
  readonly recordDir: string;
  readonly planId: string;
  readonly journal: Journal;
  readonly proof: OwnershipProof;
}

/**
 * Publishes files that are flushed already: announces them, renames them all, flushes the folders, then the journal.
 * A file whose parent leads out of the destination is refused: its error comes back beside its path, the others
 * are published.
 */
export async function publish(
  context: PublishContext,
  files: readonly Publishable[],
): Promise<ReadonlyMap<string, WaybillError>> {
  const refused = new Map<string, WaybillError>();
  if (files.length === 0) return refused;
  await checkOwnership(context.proof);
  await setOldTruthAside(context.recordDir);
  const ready: Publishable[] = [];
  const folders = new Set<string>();
  for (const file of files) {
    const target = join(context.filesRoot, file.entry.path);
    try {
      if (!folders.has(dirname(target))) await makeParent(context.filesRoot, dirname(target));
      folders.add(dirname(target));
      ready.push(file);
    } catch (error) {
      const translated = toDestinationError(error, 'make the folder of', target);
      refused.set(file.entry.path, refusalOf(translated, file.entry.path));
    }
  }
  const announced = ready.map(({ entry }) => ({
    kind: 'publishing' as const,
    planId: context.planId,
    entry,
  }));
  await context.journal.addPublishing(announced);
  const lines = await Promise.all(
    ready.map(async (file) => {
      const target = join(context.filesRoot, file.entry.path);
      try {
        await rename(file.partialPath, target);
        const local = localStampOf(await lstat(target, { bigint: true }));
        return fetchedLine(context.planId, { ...file.entry, local }, file.bytesFetched);
      } catch (error) {
        const translated = toDestinationError(error, 'publish', target);
        refused.set(file.entry.path, refusalOf(translated, file.entry.path));
        return undefined;
      }
    }),
  );
  try {
    for (const folder of folders) await fsyncDir(folder);
  } catch (error) {
    // The next flush of that folder may say that all is well (rule 14): these files are dropped and come again.
    await dropPublished(context.filesRoot, ready);
    throw error;
  }
  await context.journal.addFetched(lines.filter((line) => line !== undefined));
  return refused;
}

async function dropPublished(filesRoot: string, files: readonly Publishable[]): Promise<void> {
  for (const { entry } of files) await unlink(join(filesRoot, entry.path)).catch(() => undefined);
}

/** Something in the way of one file is that file's failure; what concerns the whole destination is thrown. */
function refusalOf(error: WaybillError, path: string): WaybillError {
  if (error.scope === 'destination' && error.code !== 'WB_CONFLICT') throw error;
  return new WaybillError(error.code, error.message, {
    operation: 'publish',
    path,
    scope: 'file',
    cause: error,
  });
}

const movingAside = new Map<string, Promise<void>>();

/**
 * Before the first new byte is seen, the old receipt goes: without it, nothing claims to be complete (rule 19). Units
 * that publish at the same moment wait for the one that moves it.
 */
async function setOldTruthAside(recordDir: string): Promise<void> {
  const moving = movingAside.get(recordDir) ?? moveOldTruth(recordDir);
  movingAside.set(recordDir, moving);
  try {
    await moving;
  } finally {
    movingAside.delete(recordDir);
  }
}

async function moveOldTruth(recordDir: string): Promise<void> {
  const names = [
    RECORD_NAMES.receipt,
    RECORD_NAMES.partialReceipt,
    RECORD_NAMES.sums,
    RECORD_NAMES.manifest,
  ];
  const aside = join(recordDir, RECORD_NAMES.previous);
  let isMoved = false;
  for (const name of names) {
    try {
      await rename(join(recordDir, name), join(aside, name));
      isMoved = true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
        throw toDestinationError(error, 'set aside', join(recordDir, name));
      }
      // Either the file or the folder is missing; only a file that is there needs the folder.
      if (!(await isThere(join(recordDir, name)))) continue;
      await makeFolderDurably(aside);
      await rename(join(recordDir, name), join(aside, name));
      isMoved = true;
    }
  }
  if (!isMoved) return;
  await fsyncDir(aside);
  await fsyncDir(recordDir);
}

async function isThere(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

/** Makes the folder of a file; one that exists as a link must lead to a place inside the destination. */
async function makeParent(filesRoot: string, folder: string): Promise<void> {
  const below = relative(filesRoot, folder);
  if (below === '') return;
  let current = filesRoot;
  for (const segment of below.split(sep)) {
    current = join(current, segment);
    const stats = await lstat(current).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    });
    if (stats === undefined) {
      await mkdir(current).catch((error: unknown) => {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      });
      await fsyncDir(dirname(current));
    } else if (stats.isSymbolicLink()) await refuseLeadingOut(filesRoot, current);
  }
}

async function refuseLeadingOut(filesRoot: string, link: string): Promise<void> {
  const [root, target] = await Promise.all([realpath(filesRoot), realpath(link)]);
  if (target === root || target.startsWith(root + sep)) return;
  throw new WaybillError(
    'WB_UNSAFE_PATH',
    `${link} is a link that leads out of the destination: remove it, or pull elsewhere`,
    { operation: 'publish', path: relative(filesRoot, link) },
  );
}
