/** Trees on disk, to be compared. */
import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';

/** Every file by its path, with its bytes. */
export async function treeOf(folder: string): Promise<Map<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const pairs = files.map(async ({ parentPath, name }): Promise<[string, string]> => {
    const path = join(parentPath, name);
    return [relative(folder, path), (await readFile(path)).toString('base64')];
  });
  return new Map((await Promise.all(pairs)).sort(([a], [b]) => (a < b ? -1 : 1)));
}
