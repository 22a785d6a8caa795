// Removes compiled files whose source is gone: a deleted test must not run, a deleted module not be found.
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const compiled = /(?:\.d\.ts|\.js|\.js\.map|\.d\.ts\.map)$/u;

for (const room of ['src', 'test', 'bench']) {
  const folder = join(root, 'dist', room);
  if (!existsSync(folder)) continue;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !compiled.test(entry.name)) continue;
    const file = join(entry.parentPath, entry.name);
    const source = join(root, room, file.slice(folder.length + 1).replace(compiled, '.ts'));
    if (!existsSync(source)) rmSync(file);
  }
}
