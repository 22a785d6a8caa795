/** Keys, and the paths that they are below the store's root. */
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
 * Percent-encodes a key for a URL's path: each segment wholly, slashes kept, as the signature wants it. A segment `.` or `..` would
 * be resolved away by every URL parser on the way, so that another object would be read: WB_UNSAFE_PATH.
 */
export function encodeKey(key: string): string {
  return key
    .split('/')
    .map((segment) => {
      if (segment === '.' || segment === '..') {
        throw new WaybillError(
          'WB_UNSAFE_PATH',
          `a key with a segment "${segment}" is not read: ${key}`,
          {
            store: 's3',
            operation: 'openRead',
            path: key,
          },
        );
      }
      return encodeStrictly(segment);
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

/**
 * Decodes a name of a listing with `encoding-type=url`: form encoding, where `+` is a space. A name that is no UTF-8 keeps its odd
 * bytes as lone surrogates (as Python's surrogateescape does), which the path guard refuses by name.
 */
export function decodeListed(text: string): string {
  const spaced = text.replaceAll('+', ' ');
  try {
    return decodeURIComponent(spaced);
  } catch {
    return spaced.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => {
      const byte = Number.parseInt(hex, 16);
      return String.fromCharCode(byte < 0x80 ? byte : 0xdc00 + byte);
    });
  }
}
