/**
 * The one path guard (rules 21 and 23). Names in a listing are hostile: every path that can become a file at
 * the destination passes here, as it is; nothing is decoded.
 */
import { cutText } from './caps.js';
import { WaybillError } from './errors.js';

/** Longest segment that common file systems take, in UTF-8 bytes. */
const MAX_SEGMENT_BYTES = 255;

/** Longest whole path, in UTF-8 bytes, below the destination. */
const MAX_PATH_BYTES = 3_800;

/** Deepest nesting that a listing may have (rule 24). */
export const MAX_DEPTH = 256;

const encoder = new TextEncoder();

/** The name of the folder that holds Waybill's own records, at any depth and in any case. */
export const RECORD_FOLDER = '.waybill';

/** Names that a Windows file system keeps for devices; refused only where the destination has them. */
const DEVICE_NAME = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?$/i;

/** What the destination's file system does with single names, as probed there. */
export interface NameRules {
  readonly hasDeviceNames: boolean;
}

/** Of a path in a message: what is wrong with it comes behind, and messages are cut. */
const SHOWN_BYTES = 100;

/** The error of a path that cannot be written as it is. */
export function unsafe(path: string, why: string): WaybillError {
  const shown = JSON.stringify(cutText(path, SHOWN_BYTES));
  return new WaybillError('WB_UNSAFE_PATH', `the name ${shown} is refused: ${why}`, {
    operation: 'guard',
    path: path.slice(0, 400),
  });
}

/** Percent-decodes until nothing changes; a malformed sequence ends it. */
function decodeFully(text: string): string {
  let current = text;
  for (let round = 0; round < 10; round += 1) {
    let next: string;
    try {
      next = decodeURIComponent(current);
    } catch {
      return current;
    }
    if (next === current) return current;
    current = next;
  }
  return current;
}

function hasControlCharacter(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    // A line feed is a legal, if awkward, name: SHA256SUMS has an escape for it.
    if ((unit < 0x20 && unit !== 0x0a) || unit === 0x7f) return true;
  }
  return false;
}

/**
 * Checks a relative POSIX path and returns it unchanged. Throws WB_UNSAFE_PATH for: an empty path or segment,
 * `.` and `..`, an absolute, drive or UNC path, a backslash, control characters except LF, lone surrogates, a
 * segment over 255 bytes, nesting over MAX_DEPTH, and a name whose decoded form contains a `..` segment.
 */
export function guardPath(path: string, rules: NameRules = { hasDeviceNames: false }): string {
  if (path === '') throw unsafe(path, 'it is empty');
  if (path.startsWith('/')) throw unsafe(path, 'it is absolute');
  if (path.includes('\\')) throw unsafe(path, 'it contains a backslash');
  if (/^[a-zA-Z]:/.test(path)) throw unsafe(path, 'it starts with a drive letter');
  if (hasControlCharacter(path)) throw unsafe(path, 'it contains a control character');
  if (!path.isWellFormed()) throw unsafe(path, 'it is not valid Unicode');
  if (encoder.encode(path).length > MAX_PATH_BYTES) throw unsafe(path, 'it is too long');
  const segments = path.split('/');
  if (segments.length > MAX_DEPTH)
    throw unsafe(path, `it is nested deeper than ${MAX_DEPTH} folders`);
  for (const segment of segments) {
    if (segment === '') throw unsafe(path, 'it has an empty segment');
    if (segment === '.' || segment === '..') throw unsafe(path, `it has a segment "${segment}"`);
    if (encoder.encode(segment).length > MAX_SEGMENT_BYTES) {
      throw unsafe(path, `a segment is longer than ${MAX_SEGMENT_BYTES} bytes`);
    }
    if (rules.hasDeviceNames && DEVICE_NAME.test(segment)) {
      throw unsafe(path, 'the destination keeps this name for a device');
    }
  }
  const decoded = decodeFully(path);
  if (decoded !== path && decoded.split(/[\\/]/).some((segment) => segment === '..')) {
    throw unsafe(path, 'decoded, it contains a ".." segment');
  }
  return path;
}

/**
 * Whether a segment of the path equals `.waybill` under case folding: such a file is never written (rule 23). Folded to upper
 * and then to lower case: `\u0131` is no `i` in lower case and an `I` in upper.
 */
export function isRecordPath(path: string): boolean {
  return path.split('/').some((segment) => segment.toUpperCase().toLowerCase() === RECORD_FOLDER);
}

/** Compares two paths by their UTF-8 bytes, as `sort` in the C locale does (rule 31: never by `<`). */
export function compareByBytes(left: string, right: string): number {
  if (left === right) return 0;
  const leftUnits = left.length;
  const rightUnits = right.length;
  const shared = Math.min(leftUnits, rightUnits);
  for (let index = 0; index < shared; index += 1) {
    const a = left.charCodeAt(index);
    const b = right.charCodeAt(index);
    if (a === b) continue;
    // UTF-8 order is code point order: surrogates sort above every other unit.
    const aIsSurrogate = a >= 0xd800 && a <= 0xdfff;
    const bIsSurrogate = b >= 0xd800 && b <= 0xdfff;
    if (aIsSurrogate !== bIsSurrogate) return aIsSurrogate ? 1 : -1;
    return a - b;
  }
  return leftUnits - rightUnits;
}
