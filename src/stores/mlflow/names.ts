/** Paths as MLflow's server can take them. */
import { mlflowError } from './errors.js';

/**
 * Why MLflow's server cannot serve a file of this name, or would serve another one for it; undefined: it can. It
 * percent-decodes a path until nothing changes, parses it as a URL, refuses `#`, and drops control characters
 * (mlflow `utils/uri.py`, `validate_path_is_safe`), so that the names `a%20b` and `a b` are one to it.
 */
export function unservable(path: string): string | undefined {
  if (/%[0-9a-f]{2}/i.test(path)) return 'it decodes percent sequences in names';
  if (path.includes('#')) return 'it refuses "#" in names';
  if (/[\u0000-\u001f\u007f]/.test(path)) return 'it drops control characters in names';
  if (path.includes('\\')) return 'it may take a backslash for a separator';
  if (/[?;]$|;\?/.test(path)) return 'it drops "?" and ";" at the end of names';
  if (path.startsWith(' ')) return 'it drops a space at the beginning of names';
  if (/^[a-z][a-z0-9+.-]*:/i.test(path)) return 'it takes the name for a URI';
  if (!path.isWellFormed()) return 'the name is not valid Unicode';
  return undefined;
}

/** A path as part of a URL. `.`, `..` and empty segments, which a URL cannot hold, are WB_UNSAFE_PATH. */
export function encodePath(path: string, operation: string): string {
  const segments = path === '' ? [] : path.split('/');
  if (segments.some((segment) => segment === '' || segment === '.' || segment === '..')) {
    throw mlflowError('WB_UNSAFE_PATH', `the name ${JSON.stringify(path)} is refused`, {
      operation,
      path,
    });
  }
  return segments.map(encodeURIComponent).join('/');
}

/** A path split into its parent and its last name. */
export function splitLast(path: string): { parent: string; name: string } {
  const at = path.lastIndexOf('/');
  return at < 0
    ? { parent: '', name: path }
    : { parent: path.slice(0, at), name: path.slice(at + 1) };
}

/** A path without slashes at its ends. */
export function trimSlashes(path: string): string {
  return path.replace(/^\/+/, '').replace(/\/+$/, '');
}
