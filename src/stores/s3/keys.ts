/** Keys as S3 wants them in addresses, and gives them in listings. */
import { WaybillError } from '../../model/errors.js';
import { encodeStrictly } from '../lib/object-keys.js';

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
