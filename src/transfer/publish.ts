/** Giving flushed partials their final names (rules 10, 19, 21). */
import { rm, unlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { LocalStamp, ManifestEntry } from '../manifest/index.js';
import { fromPlainError, WaybillError } from '../model/errors.js';
import type { Level } from '../model/level.js';
import { toDestinationError, toNameError } from './destination-error.js';
import { HeldFolder } from './held-folder.js';
import { fetchedLine, type FetchedLine, type Journal } from './journal.js';
import {
  fetchedText,
  fileLineOf,
  publishingText,
  type FileLine,
  type LineParts,
} from './journal-lines.js';
import { isPublishedFile } from './line-fits.js';
import type { OldTruth } from './old-truth.js';
import { checkOwnership, checkPlace, type OwnershipProof } from './owner.js';
import { folderOf } from './plan/parents.js';
import type { ThreadPool } from './pool.js';
import { fileOf, lookAt, type MayReplace, type Replaceable } from './take-name.js';
import type { NameToTake, TakeNameOutcome } from './thread/tasks.js';

/** A flushed partial and what it becomes. */
export interface Publishable {
  readonly partialPath: string;
  readonly path: string;
  readonly sizeBytes: number;
  readonly level: Level;
  /** `headOfLine` of the file's entry. */
  readonly head: string;
  /** Inode and mtime of the partial; the ctime follows the rename. */
  readonly stamp: Pick<LocalStamp, 'inode' | 'mtimeNs'>;
  readonly bytesFetched: number;
  /** The file that was there when the plan was made, if it may be replaced. */
  readonly replaces?: Replaceable;
  /** Its parts were recorded beside the partial. */
  readonly hasSidecar?: true;
}

/** Where and for whom files are published. */
export interface PublishContext {
  readonly filesRoot: string;
  readonly planId: string;
  readonly journal: Journal;
  readonly proof: OwnershipProof;
  readonly oldTruth: OldTruth;
  /** `--if-exists overwrite`: whatever file is there is replaced. */
  readonly overwrites: boolean;
  readonly pool: Pick<ThreadPool, 'takeNames'>;
}

/**
 * Publishes files that are flushed already: announces them, renames them all, flushes the folders, then the journal.
 * A file whose parent leads out of the destination, or whose name is taken by a file that the plan has not seen there, is
 * refused: its error comes back beside its path, the others are published.
 */
export async function publish(
  context: PublishContext,
  files: readonly Publishable[],
): Promise<ReadonlyMap<string, WaybillError>> {
  const refused = new Map<string, WaybillError>();
  if (files.length === 0) return refused;
  await checkOwnership(context.proof);
  await context.oldTruth.setAside();
  const folders = new Map<string, HeldFolder>();
  try {
    const ready = await holdFolders(context, files, folders, refused);
    const announced = ready.map((file) =>
      publishingText(
        partsOf(context, file, { ...file.stamp, ctimeNs: '0' }),
        basename(file.partialPath),
      ),
    );
    await context.journal.addPublishing(announced);
    const published = await takeNames(context, ready, folders, refused);
    for (const [path, folder] of folders) {
      await folder.sync().catch(async (error: unknown) => {
        // The next flush of that folder may say that all is well (rule 14): these files are dropped and come again.
        await dropPublished(folders, published);
        throw toDestinationError(error, 'write', join(context.filesRoot, path));
      });
    }
    await context.journal.addFetched(published);
  } finally {
    for (const folder of folders.values()) await folder.close();
  }
  return refused;
}

function partsOf({ planId }: PublishContext, file: Publishable, stamp: LocalStamp): LineParts {
  const { path, sizeBytes, head } = file;
  return { planId, path, sizeBytes, head, stamp };
}

async function holdFolders(
  context: PublishContext,
  files: readonly Publishable[],
  folders: Map<string, HeldFolder>,
  refused: Map<string, WaybillError>,
): Promise<Publishable[]> {
  const ready: Publishable[] = [];
  const making = { makes: true, beforeMaking: () => checkPlace(context.proof) };
  for (const file of files) {
    const { path } = file;
    const below = folderOf(path);
    if (folders.has(below)) {
      ready.push(file);
      continue;
    }
    try {
      const held = await HeldFolder.open(context.filesRoot, below, making);
      // Only through a folder that is held: its path may lead elsewhere by now (rule 21).
      if (held === undefined) {
        throw new WaybillError('WB_CONFLICT', `the folder of ${path} is gone`, { path });
      }
      folders.set(below, held);
      ready.push(file);
    } catch (error) {
      const target = join(context.filesRoot, path);
      refused.set(path, refusalOf(toNameError(error, 'make the folder of', target), path));
    }
  }
  return ready;
}

/** Gives each file its name. Answers the lines of those that have it now. */
async function takeNames(
  context: PublishContext,
  files: readonly Publishable[],
  folders: ReadonlyMap<string, HeldFolder>,
  refused: Map<string, WaybillError>,
): Promise<(FetchedLine | FileLine)[]> {
  const named: { readonly file: Publishable; readonly name: NameToTake }[] = [];
  for (const file of files) {
    const { partialPath, path } = file;
    const below = folderOf(path);
    const target = folders.get(below)?.pathOf(path.slice(below === '' ? 0 : below.length + 1));
    if (target === undefined) continue;
    const shown = `${context.filesRoot}/${path}`;
    const replaceable = context.journal.wasFetched(path)
      ? await mayReplace(context, file, target)
      : allowedBy(context, file);
    named.push({ file, name: { partialPath, target, shown, mayReplace: replaceable } });
  }
  const outcomes = await context.pool.takeNames(named.map(({ name }) => name));
  const lines: (FetchedLine | FileLine)[] = [];
  for (const [index, { file, name }] of named.entries()) {
    const { path } = file;
    const outcome = outcomes[index];
    if (outcome?.kind === 'taken' && outcome.stamp !== undefined) {
      lines.push(fetchedText(partsOf(context, file, outcome.stamp), file.bytesFetched));
      continue;
    }
    try {
      lines.push(await lineOf(context, file, name, outcome));
    } catch (error) {
      refused.set(path, refusalOf(toNameError(error, 'publish', name.shown), path));
    }
  }
  return lines;
}

/** The line of a file whose name somebody else has taken for it, or throws why it has none. */
async function lineOf(
  context: PublishContext,
  { path, partialPath, bytesFetched, replaces }: Publishable,
  { target }: NameToTake,
  outcome: TakeNameOutcome | undefined,
): Promise<FetchedLine> {
  if (outcome?.kind === 'failed') throw fromPlainError(outcome.error);
  const own = await publishedByOther(context, target, path);
  if (own !== undefined) {
    await rm(partialPath, { force: true });
    return fetchedLine(context.planId, own, bytesFetched);
  }
  const why =
    replaces === undefined
      ? `${path} was made by somebody else while the pull ran, and is left as it is`
      : `${path} was changed while the pull ran, and is left as it is`;
  throw new WaybillError('WB_CONFLICT', why, { operation: 'publish', path });
}

async function dropPublished(
  folders: ReadonlyMap<string, HeldFolder>,
  published: readonly (FetchedLine | FileLine)[],
): Promise<void> {
  for (const { path } of published.map(fileLineOf)) {
    const target = folders.get(folderOf(path))?.pathOf(basename(path));
    if (target !== undefined) await unlink(target).catch(() => undefined);
  }
}

/** What the plan lets it replace. */
function allowedBy({ overwrites }: PublishContext, { replaces }: Publishable): MayReplace {
  if (overwrites) return 'any file';
  return replaces === undefined ? [] : [replaces];
}

async function mayReplace(
  context: PublishContext,
  file: Publishable,
  target: string,
): Promise<MayReplace> {
  const allowed = allowedBy(context, file);
  if (allowed === 'any file') return allowed;
  const { path } = file;
  // What this pull has published before a reboot, and could not vouch for, is fetched again.
  const line = await context.journal.fetched(path);
  if (line === undefined || line.isTrusted) return allowed;
  const found = fileOf(await lookAt(target));
  return found !== undefined && isPublishedFile(line.entry, found) ? [...allowed, found] : allowed;
}

/** The entry of a file that another attempt at the same unit, in another process, has published meanwhile (rule 13). */
async function publishedByOther(
  context: PublishContext,
  target: string,
  path: string,
): Promise<ManifestEntry | undefined> {
  const found = fileOf(await lookAt(target));
  if (found === undefined) return undefined;
  const { journal } = context;
  await journal.refresh();
  const lines = [await journal.fetched(path), journal.publishing(path)];
  const line = lines.find(
    (one) => one?.planId === context.planId && isPublishedFile(one.entry, found),
  );
  return line === undefined ? undefined : { ...line.entry, local: found.stamp };
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
