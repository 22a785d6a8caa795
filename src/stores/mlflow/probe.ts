/** Whether presigned addresses lead anywhere from here: servers happily sign for hosts that only they can reach. */
import { WaybillError } from '../../model/errors.js';
import type { HttpClient } from '../lib/http-client.js';
import { joinPath } from '../lib/join-path.js';
import { unservable } from './names.js';
import { openPresigned } from './open-presigned.js';
import { PresignedUrls } from './presigned.js';
import type { ArtifactRoute } from './routes.js';

/** A file to try is close to the root of any real model. */
const MAX_FOLDERS = 8;

/**
 * Reads one byte of one file below `path` at a presigned address.
 * @returns why it cannot be done, as the end of a sentence; undefined: it can, or there is no file to try
 */
export async function probePresigned(
  route: ArtifactRoute,
  storage: HttpClient,
  path: string,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const own = { operation: 'resolve', what: 'presigned address', ...(signal ? { signal } : {}) };
  const file = await firstFile(route, path, own);
  const urls = new PresignedUrls(route);
  try {
    const opened = await openPresigned({
      urls,
      storage,
      full: file.path,
      question: { ...own, path: file.path },
      options: { ...(file.isEmpty ? {} : { lengthBytes: 1 }), ...(signal ? { signal } : {}) },
    });
    opened.body.on('error', () => undefined).destroy();
    return undefined;
  } catch (error) {
    if (!(error instanceof WaybillError)) throw error;
    if (error.code === 'WB_UNAUTHENTICATED' || error.code === 'WB_RATE_LIMITED') throw error;
    // Nothing there to try: what is missing is said when it is listed.
    if (error.code === 'WB_NOT_FOUND') return undefined;
    return `presigned addresses cannot be used: ${error.message}`;
  }
}

async function firstFile(
  route: ArtifactRoute,
  path: string,
  question: { operation: string; what: string },
): Promise<{ path: string; isEmpty: boolean }> {
  let folder = path;
  for (let looked = 0; looked < MAX_FOLDERS; looked += 1) {
    const lines = await route.list(folder, question);
    const files = lines.filter(
      ({ isFolder, name }) => !isFolder && name !== '' && !unservable(joinPath(folder, name)),
    );
    const found = files.find(({ sizeBytes = 0 }) => sizeBytes > 0) ?? files[0];
    if (found) return { path: joinPath(folder, found.name), isEmpty: (found.sizeBytes ?? 0) === 0 };
    const next = lines.find(({ isFolder, name }) => isFolder && !/^\.{0,2}$|\//.test(name));
    // Nothing is listed below a file either: the path itself is tried.
    if (!next) return { path: folder, isEmpty: false };
    folder = joinPath(folder, next.name);
  }
  return { path: folder, isEmpty: false };
}
