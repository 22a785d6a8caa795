/** Folders and what lies above them, made one by one. */
import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Makes a folder and those above it; one that is there already is left as it is. Throws what the system says of the first that
 * cannot be made. Node's own recursive mkdir never comes back from a place that answers ENOENT although the folder above
 * is there, as `/proc` does.
 * @returns whether it was made
 */
export function makeFolders(path: string, mode?: number): boolean {
  const lacking: string[] = [];
  for (let current = path; !isThere(current); current = dirname(current)) lacking.push(current);
  for (const folder of lacking.reverse()) make(folder, mode);
  return lacking.length > 0;
}

function isThere(path: string): boolean {
  if (dirname(path) === path) return true;
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** Another process may make the same one in this moment. */
function make(folder: string, mode: number | undefined): void {
  try {
    mkdirSync(folder, mode);
  } catch (error) {
    if (!isThere(folder)) throw error;
  }
}
