/**
 * This project where another user id can read it. In a test, as root:
 *
 *     const root = openRoot();
 *     spawn(process.execPath, [root.path('dist/src/cli/main.js')], { uid: 61_234 });
 *     root.close();
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { scratchFolder } from './processes.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url)).replace(/\/$/u, '');

export interface OpenRoot {
  /** A path of the project, made absolute. */
  path(relative: string): string;
  close(): void;
}

/** A clone that lies in somebody's private folder is mounted once more, in an open one. */
export function openRoot(): OpenRoot {
  if (process.getuid?.() !== 0 || mayBeReached(ROOT)) {
    return { path: (relative) => join(ROOT, relative), close: () => undefined };
  }
  const base = scratchFolder('open');
  const path = join(base, 'mnt');
  mkdirSync(path);
  execFileSync('mount', ['--bind', ROOT, path]);
  let isOpen = true;
  const close = (): void => {
    if (!isOpen) return;
    isOpen = false;
    process.off('exit', close);
    execFileSync('umount', ['-l', path]);
    rmSync(base, { recursive: true });
  };
  process.once('exit', close);
  return { path: (relative) => join(path, relative), close };
}

function mayBeReached(folder: string): boolean {
  const isOpen = (statSync(folder).mode & 0o005) === 0o005;
  return isOpen && (folder === '/' || mayBeReached(dirname(folder)));
}
