/** Paths below a root, with symbolic links followed only where they stay inside (rule 24). */
import type { BigIntStats } from 'node:fs';
import { lstat, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { isInside } from '../../model/is-inside.js';
import { errorOfFileSystem, localError, type LocalPlace } from './errors.js';

/** Something that exists below the root. */
export interface Located {
  /** The root without symbolic links. */
  readonly realRoot: string;
  /** Without symbolic links. */
  readonly realPath: string;
  readonly stats: BigIntStats;
}

/** A path as the store takes it (with or without a slash at its end) without that slash. */
export function trimPath(path: string): string {
  return path.replace(/\/+$/, '');
}

/**
 * Finds a path below a root, following links. Missing: WB_NOT_FOUND; a link that leads out or in circles, or a name that is
 * no UTF-8: WB_UNSAFE_PATH.
 * @param knownRealRoot what an earlier call found
 */
export async function resolveInside(
  root: string,
  path: string,
  operation: string,
  knownRealRoot?: string,
): Promise<Located> {
  const place: LocalPlace = { operation, path, absolute: path === '' ? root : join(root, path) };
  if (!path.isWellFormed()) {
    throw localError('WB_UNSAFE_PATH', 'has a name that is not valid UTF-8', place);
  }
  try {
    const realRoot = knownRealRoot ?? (await realpath(root));
    const realPath = path === '' ? realRoot : await realpath(join(realRoot, path));
    if (!isInside(realRoot, realPath)) {
      throw localError('WB_UNSAFE_PATH', `leads outside the source, to ${realPath}`, place);
    }
    return { realRoot, realPath, stats: await lstat(realPath, { bigint: true }) };
  } catch (error) {
    throw errorOfFileSystem(error, place);
  }
}
