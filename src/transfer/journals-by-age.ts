/** The journals of a record folder in the order in which they were written. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * The names of a folder's journals, the one with the oldest last line first: of two lines about a path the later one counts,
 * whichever run wrote it, and names say nothing about time. Throws what the file system throws.
 */
export async function journalsByAge(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.journal')).sort();
  const aged = await Promise.all(
    names.map(async (name) => ({ name, mtimeMs: (await stat(join(folder, name))).mtimeMs })),
  );
  return aged.sort((one, other) => one.mtimeMs - other.mtimeMs).map(({ name }) => name);
}
