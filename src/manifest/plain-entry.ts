/**
 * A line of a manifest, told without the schema: of a million files there are a million, in the journal and again in the
 * manifest. What it does not take the schema decides about, and says why.
 */
import { WaybillError } from '../model/errors.js';
import { LEVELS } from '../model/level.js';
import type { Pin } from '../model/object-entry.js';
import type { ManifestEntry } from './manifest.js';

const LEVEL_NAMES: ReadonlySet<unknown> = new Set(LEVELS);
const SHA256 = /^[0-9a-f]{64}$/;
/** The kind of CRC, the bytes of a chunk and of a block, and the value: `crc32c/512/134217728/HEX`. */
export const MD5CRC = /^crc32c?\/[1-9]\d*\/[1-9]\d*\/[0-9a-f]{32}$/;
/** The text of each digest, in the order of the schema. */
const DIGITS: ReadonlyMap<unknown, RegExp> = new Map([
  ['sha256', SHA256],
  ['sha1', /^[0-9a-f]{40}$/],
  ['md5', /^[0-9a-f]{32}$/],
  ['crc32', /^[0-9a-f]{8}$/],
  ['crc32c', /^[0-9a-f]{8}$/],
  ['crc64nvme', /^[0-9a-f]{16}$/],
  ['md5crc', MD5CRC],
]);
const DECIMAL = /^-?\d+$/;

/** Whether a value is an entry that the schema takes as it is; false: ask the schema. */
export function isPlainEntry(value: unknown): value is ManifestEntry {
  if (typeof value !== 'object' || value === null) return false;
  for (const [key, field] of Object.entries(value)) if (!isPlainField(key, field)) return false;
  const { path, sizeBytes, sha256, level, comparedDigests, attempts } =
    value as Partial<ManifestEntry>;
  const needed = [path, sizeBytes, sha256, level, comparedDigests, attempts];
  return !needed.includes(undefined);
}

function isPlainField(key: string, field: unknown): boolean {
  switch (key) {
    case 'path':
      return typeof field === 'string' && field !== '';
    case 'sizeBytes':
    case 'attempts':
      return Number.isSafeInteger(field) && Number(field) >= 0;
    case 'sha256':
      return typeof field === 'string' && SHA256.test(field);
    case 'level':
      return LEVEL_NAMES.has(field);
    case 'comparedDigests':
      return Array.isArray(field) && field.every((name) => DIGITS.has(name));
    case 'providerDigests':
      return isPlainDigests(field);
    case 'readBack':
      return field === 'disk' || field === 'cache';
    case 'isStale':
    case 'isLeft':
      return field === true;
    case 'modifiedAt':
    case 'expectedFrom':
      return typeof field === 'string';
    case 'isExecutable':
      return typeof field === 'boolean';
    case 'pin':
      return isPlainPin(field);
    case 'local':
      return isPlainStamp(field);
    default:
      return false;
  }
}

/** Whether a value is a pin, and no more. */
export function isPlainPin(field: unknown): field is Pin {
  if (typeof field !== 'object' || field === null) return false;
  const { strength, value, ...rest } = field as Record<string, unknown>;
  if (strength !== 'strong' && strength !== 'weak') return false;
  return typeof value === 'string' && value !== '' && isEmpty(rest);
}

function isPlainDigests(field: unknown): boolean {
  if (typeof field !== 'object' || field === null) return false;
  return Object.entries(field).every(
    ([name, value]) => typeof value === 'string' && DIGITS.get(name)?.test(value) === true,
  );
}

function isPlainStamp(field: unknown): boolean {
  if (typeof field !== 'object' || field === null) return false;
  const { mtimeNs, ctimeNs, inode, ...rest } = field as Record<string, unknown>;
  return isDecimal(mtimeNs) && isDecimal(ctimeNs) && isDecimal(inode) && isEmpty(rest);
}

function isDecimal(field: unknown): boolean {
  return typeof field === 'string' && DECIMAL.test(field);
}

function isEmpty(rest: object): boolean {
  for (const _ in rest) return false;
  return true;
}

/** The line of such an entry, without a line feed, with its keys in the order of the schema; undefined: it is no such entry. */
export function textOfPlain(entry: ManifestEntry): string | undefined {
  if (!isPlainEntry(entry)) return undefined;
  const { path, sizeBytes, sha256, level, pin, modifiedAt, isExecutable, expectedFrom } = entry;
  const { providerDigests: digests, comparedDigests, attempts, readBack, local } = entry;
  const { isStale, isLeft } = entry;
  return JSON.stringify({
    path,
    sizeBytes,
    sha256,
    level,
    pin: pin && { strength: pin.strength, value: pin.value },
    modifiedAt,
    isExecutable,
    expectedFrom,
    providerDigests: digests && {
      sha256: digests.sha256,
      sha1: digests.sha1,
      md5: digests.md5,
      crc32: digests.crc32,
      crc32c: digests.crc32c,
      crc64nvme: digests.crc64nvme,
      md5crc: digests.md5crc,
    },
    comparedDigests,
    attempts,
    readBack,
    local: local && { mtimeNs: local.mtimeNs, ctimeNs: local.ctimeNs, inode: local.inode },
    isStale,
    isLeft,
  });
}

/**
 * The line of a file whose stamp is not known yet, up to where that comes: `,"local":{...}}` makes it whole.
 * Throws WB_UNEXPECTED for an entry that is none.
 */
export function headOfLine({ local: _, ...entry }: ManifestEntry): string {
  const text = textOfPlain(entry);
  if (text !== undefined) return text.slice(0, -1);
  throw new WaybillError('WB_UNEXPECTED', 'a manifest line was made that is none', {
    operation: 'format',
    path: entry.path,
  });
}
