/** A tree of very many small files. */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Files of one folder. */
const PER_FOLDER = 1_000;
export const FILE_BYTES = 1_024;

/** Writes small files, each with bytes of its own. */
export function writeManyFiles(root: string, files: number): void {
  const bytes = Buffer.alloc(FILE_BYTES);
  for (let index = 0; index < files; index += 1) {
    const folder = join(root, `folder-${String(Math.floor(index / PER_FOLDER)).padStart(4, '0')}`);
    if (index % PER_FOLDER === 0) mkdirSync(folder, { recursive: true });
    bytes.write(createHash('sha256').update(String(index)).digest('hex'));
    writeFileSync(join(folder, `file-${String(index % PER_FOLDER).padStart(4, '0')}.bin`), bytes);
  }
}

/** The files that have their names already; quick enough for some ten thousand. */
export function countFiles(root: string): number {
  try {
    return readdirSync(root, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && entry.name !== '.waybill')
      .reduce((sum, { name }) => sum + readdirSync(join(root, name)).length, 0);
  } catch {
    return 0;
  }
}
