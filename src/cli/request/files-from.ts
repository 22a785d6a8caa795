/** `--files-from`: exactly these paths. */
import { readFileSync } from 'node:fs';
import { errnoOf } from '../../model/errno.js';
import { WaybillError } from '../../model/errors.js';
import { guardPath } from '../../model/object-path.js';

/** Reads a list of paths, one a line, or separated by NUL where the text has one. Empty lines do not count. */
export function parseFileList(text: string): string[] {
  const parts = text.includes('\0') ? text.split('\0') : text.split(/\r?\n/);
  const paths = parts
    .map((part) => part.replace(/^(\.\/)+/, ''))
    .filter((part) => part !== '')
    .map((part) => guarded(part));
  return [...new Set(paths)];
}

function guarded(path: string): string {
  try {
    return guardPath(path);
  } catch (error) {
    if (!(error instanceof WaybillError)) throw error;
    throw new WaybillError(error.code, `--files-from: ${error.message}`, {
      cause: error,
      advice: 'Write names as `waybill ls -r` shows them, relative to the root of the source.',
    });
  }
}

/** Reads the list from a file, `-` for stdin. Unreadable: WB_USAGE; without a path in it: WB_NOTHING_MATCHES. */
export function readFileList(location: string): string[] {
  let text: string;
  try {
    text = readFileSync(location === '-' ? 0 : location, 'utf8');
  } catch (error) {
    const code = errnoOf(error) ?? '';
    throw new WaybillError('WB_USAGE', `--files-from ${location} cannot be read (${code})`);
  }
  const paths = parseFileList(text);
  if (paths.length === 0) {
    throw new WaybillError('WB_NOTHING_MATCHES', `--files-from ${location} names no file`);
  }
  return paths;
}
