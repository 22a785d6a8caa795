/** Puts files into a folder that a server shows. */
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Served } from './served.js';

/** Writes below a folder; a file that is there is replaced as a whole, as whoever publishes files does it. */
export function putBelow(root: string): Served['put'] {
  let count = 0;
  return (path, bytes) => {
    const target = join(root, path);
    mkdirSync(dirname(target), { recursive: true });
    count += 1;
    const fresh = join(root, `..fresh-${count}`);
    writeFileSync(fresh, bytes);
    renameSync(fresh, target);
    return Promise.resolve();
  };
}
