/** What a server says about a file, as an entry of the model. */
import type { ObjectEntry, Pin } from '../../model/object-entry.js';
import type { SpecialKind } from '../../model/special.js';
import type { Attributes } from './packets.js';

const TYPE_MASK = 0o170_000;
const FOLDER = 0o040_000;
const FILE = 0o100_000;
const LINK = 0o120_000;

const SPECIALS: Readonly<Record<number, SpecialKind>> = {
  0o010_000: 'fifo',
  0o140_000: 'socket',
  0o020_000: 'device',
  0o060_000: 'device',
};

export type Kind = 'file' | 'directory' | 'link' | SpecialKind;

/** What it is. Servers that keep no types have files and folders only, and say rights without a type. */
export function kindOf({ mode }: Attributes): Kind {
  const type = (mode ?? 0) & TYPE_MASK;
  if (type === FOLDER) return 'directory';
  if (type === LINK) return 'link';
  if (type === FILE || type === 0) return 'file';
  return SPECIALS[type] ?? 'other';
}

/** Weak: SFTP tells seconds and the size, and no more. */
export function pinOf({ modifiedS, sizeBytes }: Attributes): Pin | undefined {
  if (modifiedS === undefined || sizeBytes === undefined) return undefined;
  return { strength: 'weak', value: `mtime:${modifiedS}+${sizeBytes}` };
}

/** ISO 8601. */
export function modifiedAtOf({ modifiedS }: Attributes): string | undefined {
  return modifiedS === undefined ? undefined : new Date(modifiedS * 1000).toISOString();
}

/** The entry of anything but a link. */
export function entryOf(path: string, attributes: Attributes): ObjectEntry {
  const kind = kindOf(attributes);
  const modifiedAt = modifiedAtOf(attributes);
  const modified = modifiedAt === undefined ? {} : { modifiedAt };
  if (kind === 'directory') return { path, kind, ...modified };
  if (kind !== 'file')
    return { path, kind: 'special', special: kind === 'link' ? 'other' : kind, ...modified };
  const pin = pinOf(attributes);
  const { sizeBytes, mode } = attributes;
  return {
    path,
    kind,
    ...(sizeBytes === undefined ? {} : { sizeBytes }),
    ...modified,
    ...(mode === undefined ? {} : { isExecutable: (mode & 0o111) !== 0 }),
    ...(pin === undefined ? {} : { pin }),
  };
}
