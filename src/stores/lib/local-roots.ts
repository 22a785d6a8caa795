/** Files of runs on this machine: which path an artifact root names, and whether it may be read (rule 4). */
import { realpath } from 'node:fs/promises';
import { isAbsolute, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The path that an artifact root names on the disk of whoever logged it; '' for a URI that names none. */
export function diskPath(artifactUri: string): string {
  if (!/^file:/i.test(artifactUri)) return artifactUri;
  try {
    return fileURLToPath(artifactUri.replace(/^file:\/*/i, 'file:///'));
  } catch {
    return '';
  }
}

/** Whether an artifact root is a path, as a URI or plain. */
export function isDiskRoot(artifactUri: string): boolean {
  return /^file:/i.test(artifactUri) || !/^[a-z][a-z0-9+.-]*:/i.test(artifactUri);
}

/** The real path, if it exists and lies in one of the roots. */
export async function allowedPath(
  roots: readonly string[],
  path: string,
): Promise<string | undefined> {
  if (roots.length === 0 || !isAbsolute(path)) return undefined;
  const real = await realpath(path).catch(() => undefined);
  if (real === undefined) return undefined;
  for (const root of roots) {
    const realRoot = await realpath(root).catch(() => undefined);
    if (realRoot === undefined) continue;
    const below = relative(realRoot, real);
    const isInside = below !== '..' && !below.startsWith('../') && !isAbsolute(below);
    if (isInside) return real;
  }
  return undefined;
}
