import { existsSync, readdirSync } from 'node:fs';

/** How many of the files `part-...` a pull has brought into a folder so far. */
export function partsInPlace(folder: string): number {
  if (!existsSync(folder)) return 0;
  return readdirSync(folder).filter((name) => name.startsWith('part-')).length;
}
