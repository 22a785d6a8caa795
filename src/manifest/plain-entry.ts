/**
 * The usual line of a manifest, told without the schema: of a million files there are a million, in the journal and again in
 * the manifest. What it does not know the schema decides about.
 */
import { LEVELS } from '../model/level.js';
import type { Pin } from '../model/object-entry.js';
import type { ManifestEntry } from './manifest.js';

const LEVEL_NAMES: ReadonlySet<unknown> = new Set(LEVELS);
const SHA256 = /^[0-9a-f]{64}$/;
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
      return (
        Array.isArray(field) &&
        (field.length === 0 || (field.length === 1 && field[0] === 'sha256'))
      );
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
  const { comparedDigests, attempts, local } = entry;
  return JSON.stringify({
    path,
    sizeBytes,
    sha256,
    level,
    pin: pin && { strength: pin.strength, value: pin.value },
    modifiedAt,
    isExecutable,
    expectedFrom,
    comparedDigests,
    attempts,
    local: local && { mtimeNs: local.mtimeNs, ctimeNs: local.ctimeNs, inode: local.inode },
  });
}
