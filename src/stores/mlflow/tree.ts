/** Listing a tree folder by folder: in byte order, a few folders ahead, guarded against listings that never end. */
import { MAX_DEPTH, compareByBytes } from '../../model/object-path.js';
import type { ObjectEntry } from '../../model/object-entry.js';
import { askAgain } from '../lib/ask-again.js';
import type { ListOptions } from '../store.js';
import { mlflowError } from './errors.js';
import { joinPath } from '../lib/join-path.js';
import type { Listed } from './routes.js';

/** MLflow answers one folder at a time: a deep tree would be listed at the pace of its round trips. */
const FOLDERS_AHEAD = 6;

/** Lists one folder. */
export type ListFolder = (path: string) => Promise<readonly Listed[]>;

/** The entry of a listed line below `folder`. */
export function entryOf(folder: string, listed: Listed): ObjectEntry {
  const path = joinPath(folder, listed.name);
  if (listed.isFolder) return { path, kind: 'directory' };
  return {
    path,
    kind: 'file',
    ...(listed.sizeBytes === undefined ? {} : { sizeBytes: listed.sizeBytes }),
  };
}

/** One folder, in byte order of the whole paths below it: a folder sorts as its name with a slash. */
export function sorted(listing: readonly Listed[]): Listed[] {
  const key = ({ name, isFolder }: Listed): string => (isFolder ? `${name}/` : name);
  return [...listing].sort((left, right) => compareByBytes(key(left), key(right)));
}

/**
 * Checks a folder's listing (rule 24). The nameless line is the folder's own marker in object stores and is left out.
 * A folder that lists itself or its parent, or is nested too deep, would never end: WB_UNSAFE_PATH.
 */
export function checkListing(folder: string, listing: readonly Listed[]): Listed[] {
  const found = listing.filter(({ name, sizeBytes }) => name !== '' || (sizeBytes ?? 0) > 0);
  for (const { name, isFolder } of found) {
    const isEndless =
      isFolder && (name === '' || name === '.' || name === '..' || name.includes('/'));
    if (!isEndless) continue;
    throw refuse(
      folder,
      `the folder ${JSON.stringify(folder)} lists itself as ${JSON.stringify(name)}`,
    );
  }
  if (folder !== '' && folder.split('/').length > MAX_DEPTH) {
    throw refuse(folder, `folders are nested deeper than ${MAX_DEPTH}`);
  }
  return sorted(found);
}

function refuse(path: string, why: string): Error {
  return mlflowError('WB_UNSAFE_PATH', `the listing cannot be followed: ${why}`, {
    operation: 'list',
    path,
    scope: 'source',
  });
}

/** The lines of a folder whose own listing is known already and, if recursive, all below it. Stops asking when the caller stops reading. */
export async function* walk(
  folder: string,
  listing: readonly Listed[],
  listFolder: ListFolder,
  options: ListOptions,
): AsyncIterable<ObjectEntry> {
  const isRecursive = options.recursive;
  const lines = checkListing(folder, listing);
  const folders = lines
    .filter(({ isFolder }) => isFolder)
    .map(({ name }) => joinPath(folder, name));
  const ahead = new Map<string, Promise<readonly Listed[]>>();
  let next = 0;
  const lookAhead = (): void => {
    while (isRecursive && next < folders.length && ahead.size < FOLDERS_AHEAD) {
      const path = folders[next] ?? '';
      const asked = listFolder(path);
      // A failure is thrown when its turn comes, not while another folder is being read.
      asked.catch(() => undefined);
      ahead.set(path, asked);
      next += 1;
    }
  };
  lookAhead();
  for (const line of lines) {
    const entry = entryOf(folder, line);
    yield entry;
    if (entry.kind === 'file' || !isRecursive) continue;
    const below = await askAgain(options, () => listFolder(entry.path), ahead.get(entry.path));
    ahead.delete(entry.path);
    lookAhead();
    yield* walk(entry.path, below, listFolder, options);
  }
}
