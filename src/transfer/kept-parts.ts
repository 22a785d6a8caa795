/** What a pull that stands still has of files that are not published yet. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { bytesOf } from './extents.js';
import { RECORD_NAMES } from './layout.js';
import { readSidecar } from './sidecar.js';

/** Bytes of the recorded parts of all partials; 0 where there are none, or they cannot be read. */
export function keptPartBytes(recordDir: string): number {
  const folder = join(recordDir, RECORD_NAMES.partial);
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith('.parts'))
      .reduce((sum, name) => sum + bytesOf(readSidecar(join(folder, name)).extents), 0);
  } catch {
    return 0;
  }
}
