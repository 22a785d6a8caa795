/** A local tree as a stream of its files, in ascending byte order of the path, one folder's names at a time. */
import { opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { WaybillError } from '../model/errors.js';
import { MAX_DEPTH, RECORD_FOLDER, compareByBytes } from '../model/object-path.js';
import { toDestinationError } from './destination-error.js';

/** What lies at a path. `special`: a socket, a FIFO or a device. */
export type FoundKind = 'file' | 'link' | 'special';

/** One thing in a tree that is no folder. */
export interface FoundFile {
  /** Relative, POSIX. */
  readonly path: string;
  readonly kind: FoundKind;
  /** False where the name on disk is no UTF-8: `path` is then only for display, the file cannot be opened by it. */
  readonly isNameValid: boolean;
}

interface Name {
  readonly name: string;
  readonly kind: FoundKind | 'folder' | 'record';
  readonly isNameValid: boolean;
}

/**
 * Walks below `root`. Links are reported, never followed; folders called `.waybill` in any case are passed by, each
 * reported once to `onRecord` with its path. Throws WB_DESTINATION_NOT_HERE, WB_PERMISSION_DENIED, and
 * WB_LIMIT_EXCEEDED below MAX_DEPTH folders.
 */
export async function* walkTree(
  root: string,
  options: { readonly onRecord?: (path: string) => void; readonly signal?: AbortSignal } = {},
): AsyncGenerator<FoundFile> {
  yield* walkFolder(root, '', 1, options);
}

async function* walkFolder(
  root: string,
  prefix: string,
  depth: number,
  options: { readonly onRecord?: (path: string) => void; readonly signal?: AbortSignal },
): AsyncGenerator<FoundFile> {
  if (depth > MAX_DEPTH) {
    const message = `${join(root, prefix)} is nested deeper than ${MAX_DEPTH} folders`;
    throw new WaybillError('WB_LIMIT_EXCEEDED', message, { operation: 'walk', path: prefix });
  }
  for (const found of await namesIn(join(root, prefix))) {
    options.signal?.throwIfAborted();
    const path = prefix + found.name;
    if (found.kind === 'record') options.onRecord?.(path);
    else if (found.kind !== 'folder') {
      yield { path, kind: found.kind, isNameValid: found.isNameValid };
    } else if (found.isNameValid) yield* walkFolder(root, `${path}/`, depth + 1, options);
    else yield { path, kind: 'special', isNameValid: false };
  }
}

/** A folder's names in the order in which their paths come: a folder sorts as if its name ended in a slash. */
async function namesIn(folder: string): Promise<Name[]> {
  const names: (Name & { readonly key: string })[] = [];
  try {
    for await (const entry of await opendir(folder, { encoding: 'buffer' as BufferEncoding })) {
      const raw: unknown = entry.name;
      const bytes = raw instanceof Uint8Array ? Buffer.from(raw) : Buffer.from(entry.name);
      const name = bytes.toString('utf8');
      const isFolder = entry.isDirectory();
      const isRecord = isFolder && name.toLowerCase() === RECORD_FOLDER;
      names.push({
        name,
        key: isFolder ? `${name}/` : name,
        kind: isRecord
          ? 'record'
          : isFolder
            ? 'folder'
            : entry.isFile()
              ? 'file'
              : entry.isSymbolicLink()
                ? 'link'
                : 'special',
        isNameValid: Buffer.from(name).equals(bytes),
      });
    }
  } catch (error) {
    throw toDestinationError(error, 'list', folder);
  }
  return names.sort((left, right) => compareByBytes(left.key, right.key));
}
