/** Keys of an object store, and the paths that they are below the store's root. */
import { WaybillError } from '../../model/errors.js';

/** The key of a path below the root; '' for the root of a whole bucket. */
export function keyOf(rootKey: string, path: string): string {
  if (path === '') return rootKey;
  return rootKey === '' ? path : `${rootKey}/${path}`;
}

/** What every key below a folder starts with; '' for a whole bucket. */
export function prefixOf(rootKey: string, path: string): string {
  const key = keyOf(rootKey, path);
  return key === '' ? '' : `${key}/`;
}

/** A path as the contract wants it: a slash at its end, which a caller may give, is dropped. */
export function withoutSlash(path: string): string {
  return path.endsWith('/') ? path.slice(0, -1) : path;
}

/**
 * Percent-encodes a key for a URL's path: each segment wholly, slashes kept, as signatures want it. A segment `.` or `..` would
 * be resolved away by every URL parser on the way, so that another object would be read: WB_UNSAFE_PATH.
 */
export function encodeKey(key: string, store: string): string {
  return key
    .split('/')
    .map((segment) => {
      if (segment !== '.' && segment !== '..') return encodeStrictly(segment);
      throw new WaybillError(
        'WB_UNSAFE_PATH',
        `a key with a segment "${segment}" is not read: ${key}`,
        { store, operation: 'openRead', path: key },
      );
    })
    .join('/');
}

/** encodeURIComponent, and the five characters that it leaves although RFC 3986 reserves them. */
export function encodeStrictly(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
