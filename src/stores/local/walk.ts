/** Walks a folder in byte order of the paths. */
import type { Dirent } from 'node:fs';
import { lstat, readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { WaybillError } from '../../model/errors.js';
import { hostFileAt, type LookAtHost } from '../../model/host-files.js';
import { isInside } from '../../model/is-inside.js';
import type { ObjectEntry } from '../../model/object-entry.js';
import { MAX_DEPTH } from '../../model/object-path.js';
import { nameOfBytes } from '../lib/byte-names.js';
import { walkOrder, type WalkItem } from '../lib/path-order.js';
import { entryOf, entryOfFile, type LocalPins } from './entry.js';
import { errorOfFileSystem, localError } from './errors.js';

/** What a walk keeps from folder to folder. */
export interface Walk {
  readonly realRoot: string;
  readonly pins: LocalPins;
  readonly recursive: boolean;
  readonly signal: AbortSignal | undefined;
  /** Absent: every name is looked at by itself. */
  readonly lookAtHost: LookAtHost | undefined;
}

/** Files described at once; more only queue up in Node's four file system threads. */
const BATCH = 64;

/** On a share that hangs each keeps a thread of this process: others need some too. */
const BATCH_ON_SHARE = 16;

/**
 * What an NFS client makes of a file that is deleted while somebody has it open: it is gone, but for them. Listed as a file it
 * would be missing a moment later.
 */
const DELETED_WHILE_OPEN = /^\.nfs[0-9a-f]{16,}$/u;

/** Files that another thread looks at in one go: as many as are worth a message to it. */
const BATCH_ELSEWHERE = 512;

/**
 * Yields what is in a folder. Links inside the root are followed; one that leads out, in circles or nowhere is yielded as
 * a file without a size, which fails when it is opened. FIFOs, sockets and devices are yielded as such, and never opened.
 * @param ancestors real paths of the folders that lead here, this one included
 */
export async function* walkFolder(
  walk: Walk,
  realFolder: string,
  path: string,
  ancestors: readonly string[],
): AsyncGenerator<ObjectEntry> {
  const place = { operation: 'list', path, absolute: realFolder };
  if (ancestors.length > MAX_DEPTH) {
    const message = `is nested deeper than ${MAX_DEPTH} folders`;
    throw localError('WB_LIMIT_EXCEEDED', message, place);
  }
  walk.signal?.throwIfAborted();
  let names: Dirent[];
  try {
    names = await readNames(realFolder, !walk.pins.isOfKernel);
  } catch (error) {
    throw errorOfFileSystem(error, place);
  }
  const items = walkOrder(names, mayBeFolder, walk.recursive);
  const folders = new Map<string, string>();
  const here = walk.pins.isOfKernel ? BATCH : BATCH_ON_SHARE;
  const atOnce = walk.lookAtHost === undefined ? here : BATCH_ELSEWHERE;
  for (let from = 0; from < items.length; from += atOnce) {
    const batch = items.slice(from, from + atOnce);
    const found = await describeAll(walk, realFolder, path, batch, ancestors);
    walk.signal?.throwIfAborted();
    for (const [index, item] of batch.entries()) {
      const below = path === '' ? item.name : `${path}/${item.name}`;
      const described = found[index];
      if (described?.realFolder !== undefined) folders.set(item.name, described.realFolder);
      if (described) yield described.entry;
      const content = item.isContent ? folders.get(item.name) : undefined;
      if (content !== undefined) yield* walkFolder(walk, content, below, [...ancestors, content]);
      if (item.isContent) folders.delete(item.name);
    }
  }
}

/** A file system may not tell what a name is before it is asked. */
function mayBeFolder(entry: Dirent): boolean {
  const isSpecial =
    entry.isFIFO() || entry.isSocket() || entry.isBlockDevice() || entry.isCharacterDevice();
  return !entry.isFile() && !isSpecial;
}

async function readNames(folder: string, isOnShare: boolean): Promise<Dirent[]> {
  const found = await readdir(folder, { withFileTypes: true });
  const entries = isOnShare ? eachOnce(found) : found;
  if (!entries.some((entry) => entry.name.includes('\ufffd'))) return entries;
  // A name that is no UTF-8 keeps its bytes as lone surrogates, as Python does: the path guard refuses it by name.
  const raw = await readdir(folder, { withFileTypes: true, encoding: 'buffer' });
  return raw.map((entry) => {
    const bytes = entry.name as unknown as Buffer;
    return Object.assign(entry, { name: nameOfBytes(bytes) }) as unknown as Dirent;
  });
}

/** A folder that changes while its server lists it may give a name twice. */
function eachOnce(entries: readonly Dirent[]): Dirent[] {
  const lasting = entries.filter(({ name }) => !DELETED_WHILE_OPEN.test(name));
  return [...new Map(lasting.map((entry) => [entry.name, entry])).values()];
}

interface Described {
  readonly entry: ObjectEntry;
  /** Set for a folder that may be entered. */
  readonly realFolder?: string;
}

/** What each of several names is; undefined for one that is gone again, and for the content of a folder. */
async function describeAll(
  walk: Walk,
  realFolder: string,
  path: string,
  items: readonly Pick<WalkItem<Dirent>, 'name' | 'isContent'>[],
  ancestors: readonly string[],
): Promise<readonly (Described | undefined)[]> {
  const found = [...(await plainFiles(walk, realFolder, path, items))];
  const others = [...items.entries()].filter(([at, one]) => !one.isContent && !found[at]);
  await Promise.all(
    others.map(async ([index, { name }]) => {
      found[index] = await describe(walk, realFolder, path, name, ancestors);
    }),
  );
  return found;
}

/** Those that another thread found to be plain files and folders: all but a few. */
async function plainFiles(
  { lookAtHost, pins }: Walk,
  realFolder: string,
  path: string,
  items: readonly Pick<WalkItem<Dirent>, 'name' | 'isContent'>[],
): Promise<readonly (Described | undefined)[]> {
  if (lookAtHost === undefined || items.length < BATCH) return [];
  const files = await lookAtHost(items.map(({ name }) => join(realFolder, name)));
  return items.map(({ name, isContent }, index) => {
    const file = hostFileAt(files, index);
    if (file === undefined || isContent || !name.isWellFormed()) return undefined;
    const entry = entryOfFile(path === '' ? name : `${path}/${name}`, file, pins);
    return file.isFolder ? { entry, realFolder: join(realFolder, name) } : { entry };
  });
}

async function describe(
  walk: Walk,
  realFolder: string,
  path: string,
  name: string,
  ancestors: readonly string[],
): Promise<Described | undefined> {
  const below = path === '' ? name : `${path}/${name}`;
  const broken: Described = { entry: { path: below, kind: 'file' } };
  if (!name.isWellFormed()) return broken;
  const absolute = join(realFolder, name);
  try {
    const own = await lstat(absolute, { bigint: true });
    if (!own.isSymbolicLink()) {
      return {
        entry: entryOf(below, own, walk.pins),
        ...(own.isDirectory() ? { realFolder: absolute } : {}),
      };
    }
    const target = await realpath(absolute);
    if (!isInside(walk.realRoot, target) || ancestors.includes(target)) return broken;
    const stats = await stat(target, { bigint: true });
    return {
      entry: entryOf(below, stats, walk.pins),
      ...(stats.isDirectory() ? { realFolder: target } : {}),
    };
  } catch (cause) {
    const place = { operation: 'list', path: below, absolute };
    const error = errorOfFileSystem(cause, place);
    const isBrokenLink =
      error instanceof WaybillError && ['WB_NOT_FOUND', 'WB_UNSAFE_PATH'].includes(error.code);
    if (isBrokenLink) return stillThere(absolute, broken);
    throw error;
  }
}

/** A file that vanished between the two calls is not listed; a link to nowhere is. */
async function stillThere(absolute: string, broken: Described): Promise<Described | undefined> {
  const own = await lstat(absolute).catch(() => undefined);
  return own?.isSymbolicLink() ? broken : undefined;
}
