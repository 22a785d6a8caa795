/** Walks a folder of a server in byte order of the paths. */
import { posix } from 'node:path';
import { WaybillError } from '../../model/errors.js';
import { MAX_DEPTH } from '../../model/object-path.js';
import type { ObjectEntry } from '../../model/object-entry.js';
import { walkOrder } from '../lib/path-order.js';
import { entryOf, kindOf } from './entry.js';
import { errorOfSession, sftpError, type SftpPlace } from './errors.js';
import type { NamedEntry } from './packets.js';
import { orAbort } from './pool.js';
import { resolveInside } from './resolve.js';
import type { SftpSession } from './session.js';

/** Questions for names that are under way at once: a listing waits for its answers, not for their way. */
const FOLDER_READS = 4;

/** More names in one folder are not believed: they are held until the server says that these are all. */
const MAX_NAMES = 2_000_000;

/** Links that are followed at once. */
const LINKS_AT_ONCE = 32;

/** What a walk keeps from folder to folder. */
export interface Walk {
  readonly session: SftpSession;
  readonly realRoot: string;
  readonly recursive: boolean;
  readonly signal: AbortSignal | undefined;
  /** Asked before a folder. */
  readonly beforeFolder: () => Promise<void>;
  readonly placeOf: (path: string) => SftpPlace;
}

interface Described {
  readonly entry: ObjectEntry;
  /** Set for a folder that may be entered. */
  readonly realFolder?: string;
}

/**
 * Yields what is in a folder. Links inside the root are followed; one that leads out, in circles or nowhere is yielded as a
 * file without a size, which fails when it is opened. FIFOs, sockets and devices are yielded as such, and never opened.
 * @param ancestors real paths of the folders that lead here, this one included
 */
export async function* walkFolder(
  walk: Walk,
  realFolder: string,
  path: string,
  ancestors: readonly string[],
): AsyncGenerator<ObjectEntry> {
  if (ancestors.length > MAX_DEPTH) {
    throw sftpError(
      'WB_LIMIT_EXCEEDED',
      `is nested deeper than ${MAX_DEPTH} folders`,
      walk.placeOf(path),
    );
  }
  const names = await readNames(walk, realFolder, path);
  const items = walkOrder(names, mayBeFolder, walk.recursive);
  const folders = new Map<string, string>();
  for (let from = 0; from < items.length; from += LINKS_AT_ONCE) {
    const batch = items.slice(from, from + LINKS_AT_ONCE);
    const found = await Promise.all(
      batch.map(({ of, isContent }) =>
        isContent ? Promise.resolve(undefined) : describe(walk, realFolder, path, of, ancestors),
      ),
    );
    walk.signal?.throwIfAborted();
    for (const [index, item] of batch.entries()) {
      const below = path === '' ? item.name : `${path}/${item.name}`;
      const described = found[index];
      if (described?.realFolder !== undefined) folders.set(item.name, described.realFolder);
      if (described) yield described.entry;
      const content = item.isContent ? folders.get(item.name) : undefined;
      if (content !== undefined) yield* walkFolder(walk, content, below, [...ancestors, content]);
    }
  }
}

function mayBeFolder({ attributes }: NamedEntry): boolean {
  const kind = kindOf(attributes);
  return kind === 'directory' || kind === 'link' || attributes.mode === undefined;
}

/** Several questions are under way at once; the server answers them in turn, and each that comes past the end says so. */
async function readNames(walk: Walk, folder: string, path: string): Promise<NamedEntry[]> {
  const { session, signal } = walk;
  try {
    await orAbort(walk.beforeFolder(), signal);
    const handle = await orAbort(session.openFolder(folder), signal);
    const names: NamedEntry[] = [];
    const lane = async (): Promise<void> => {
      for (
        let some = await session.readFolder(handle);
        some && signal?.aborted !== true;
        some = await session.readFolder(handle)
      ) {
        for (const one of some) if (one.name !== '.' && one.name !== '..') names.push(one);
        if (names.length > MAX_NAMES) {
          const why = `has more than ${MAX_NAMES} names in one folder`;
          throw sftpError('WB_LIMIT_EXCEEDED', why, walk.placeOf(path));
        }
      }
    };
    await orAbort(Promise.all(Array.from({ length: FOLDER_READS }, lane)), signal);
    session.close(handle);
    return names;
  } catch (error) {
    signal?.throwIfAborted();
    throw errorOfSession(error, walk.placeOf(path));
  }
}

async function describe(
  walk: Walk,
  realFolder: string,
  path: string,
  { name, attributes }: NamedEntry,
  ancestors: readonly string[],
): Promise<Described | undefined> {
  const below = path === '' ? name : `${path}/${name}`;
  const broken: Described = { entry: { path: below, kind: 'file' } };
  if (!name.isWellFormed() || name.includes('/')) return broken;
  const absolute = posix.join(realFolder, name);
  try {
    const own = attributes.mode === undefined ? await walk.session.lstat(absolute) : attributes;
    const kind = kindOf(own);
    if (kind !== 'link') {
      return {
        entry: entryOf(below, own),
        ...(kind === 'directory' ? { realFolder: absolute } : {}),
      };
    }
    const relative = posix.relative(walk.realRoot, absolute);
    const located = await resolveInside(walk.session, walk.realRoot, relative, walk.placeOf(below));
    if (ancestors.includes(located.realPath)) return broken;
    const isFolder = kindOf(located.attributes) === 'directory';
    return {
      entry: entryOf(below, located.attributes),
      ...(isFolder ? { realFolder: located.realPath } : {}),
    };
  } catch (cause) {
    const error = errorOfSession(cause, walk.placeOf(below));
    if (!(error instanceof WaybillError)) throw error;
    if (error.code === 'WB_UNSAFE_PATH') return broken;
    if (error.code !== 'WB_NOT_FOUND') throw error;
    // A link to nowhere is listed; a file that vanished since is not.
    return kindOf(attributes) === 'link' ? broken : undefined;
  }
}
