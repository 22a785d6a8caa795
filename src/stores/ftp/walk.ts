/** Walks the folders of an FTP server in byte order of the paths. */
import { posix } from 'node:path';
import { WaybillError } from '../../model/errors.js';
import type { ObjectEntry } from '../../model/object-entry.js';
import { MAX_DEPTH } from '../../model/object-path.js';
import { walkOrder } from '../lib/path-order.js';
import type { Folder } from './folders.js';
import { isoOf, type Listed } from './list-lines.js';
import { isBelow, joinPath, resolveLink } from './names.js';

/** What a walk keeps from folder to folder. */
export interface Walk {
  /** Where the root really is. */
  readonly realRoot: string;
  readonly recursive: boolean;
  readonly read: (path: string, shown: string) => Promise<Folder>;
}

/** A name, with what it is once links are followed. */
interface Found extends Listed {
  /** Of a folder: where its content is read. */
  readonly at?: string;
}

/**
 * Yields what is in a folder. A link to a file or folder inside the root is followed; one that leads out of it, in circles or
 * to another link is special, and one that leads nowhere a file that is not found when it is opened.
 * @param folder what the server lists at `path`
 * @param ancestors real paths of the folders that lead here, this one included
 */
export async function* walkFolder(
  walk: Walk,
  folder: Folder,
  shown: string,
  ancestors: readonly string[],
): AsyncGenerator<ObjectEntry> {
  if (ancestors.length > MAX_DEPTH) {
    throw new WaybillError(
      'WB_LIMIT_EXCEEDED',
      `${shown} is nested deeper than ${MAX_DEPTH} folders`,
      {
        ...{ operation: 'list', store: 'ftp', path: shown },
      },
    );
  }
  const found: Found[] = [];
  for (const one of folder.names) {
    const at = joinPath(folder.realPath, one.name);
    if (one.kind === 'link') found.push(await follow(walk, folder, one, ancestors));
    else found.push(one.kind === 'directory' ? { ...one, at } : one);
  }
  const items = walkOrder(found, ({ at }) => at !== undefined, walk.recursive);
  for (const { isContent, of } of items) {
    const below = shown === '' ? of.name : `${shown}/${of.name}`;
    if (!isContent) yield entryOf(of, below);
    else if (of.at !== undefined) {
      const content = await walk.read(of.at, below);
      yield* walkFolder(walk, content, below, [...ancestors, content.realPath]);
    }
  }
}

async function follow(
  walk: Walk,
  folder: Folder,
  link: Listed,
  ancestors: readonly string[],
): Promise<Found> {
  const refused: Found = { name: link.name, kind: 'special', special: 'other' };
  if (link.target === undefined) return refused;
  const target = resolveLink(folder.realPath, link.target);
  if (!isBelow(walk.realRoot, target) || ancestors.includes(target)) return refused;
  const parent = posix.dirname(target);
  // The root has no name in a folder that may be read.
  if (target === walk.realRoot) return refused;
  let beside: Folder;
  try {
    beside = parent === folder.realPath ? folder : await walk.read(parent, link.name);
  } catch (error) {
    if (error instanceof WaybillError && error.code === 'WB_NOT_FOUND') {
      return { name: link.name, kind: 'file' };
    }
    throw error;
  }
  // A folder on the way may be a link as well.
  if (!isBelow(walk.realRoot, beside.realPath)) return refused;
  const found = beside.names.find(({ name }) => name === posix.basename(target));
  if (found === undefined) return { name: link.name, kind: 'file' };
  if (found.kind === 'link') return refused;
  const at = joinPath(beside.realPath, found.name);
  if (ancestors.includes(at)) return refused;
  return { ...found, name: link.name, ...(found.kind === 'directory' ? { at } : {}) };
}

/** The entry of a listed name. */
export function entryOf(one: Listed, path: string): ObjectEntry {
  if (one.kind === 'directory') return { path, kind: 'directory' };
  if (one.kind !== 'file') return { path, kind: 'special', special: one.special ?? 'other' };
  const { isExecutable } = one;
  return {
    path,
    kind: 'file',
    ...factsOf(one),
    ...(isExecutable === undefined ? {} : { isExecutable }),
  };
}

/** Size, time and pin: weak, of the second that the server says and the size. */
export function factsOf({
  sizeBytes,
  modified,
}: Pick<Listed, 'sizeBytes' | 'modified'>): Pick<ObjectEntry, 'sizeBytes' | 'modifiedAt' | 'pin'> {
  const modifiedAt = modified === undefined ? undefined : isoOf(modified);
  return {
    ...(sizeBytes === undefined ? {} : { sizeBytes }),
    ...(modifiedAt === undefined ? {} : { modifiedAt }),
    ...(modified === undefined || sizeBytes === undefined
      ? {}
      : { pin: { strength: 'weak', value: `mtime:${modified}+${sizeBytes}` } }),
  };
}
