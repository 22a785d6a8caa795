/** The lines of a listing: MLSD (RFC 3659), and the forms of LIST that servers for Unix and Windows write. */
import type { SpecialKind } from '../../model/special.js';
import { nameOfWire } from './names.js';

/** One name of a folder. */
export interface Listed {
  readonly name: string;
  readonly kind: 'file' | 'directory' | 'link' | 'special';
  readonly special?: SpecialKind;
  /** Of a link, where the listing says it. */
  readonly target?: string;
  readonly sizeBytes?: number;
  /** YYYYMMDDHHMMSS, with fractions as they came; only where it is exact. */
  readonly modified?: string;
  readonly isExecutable?: boolean;
}

/** A line that is none of a listing. */
export class UnreadableLine extends Error {}

/**
 * Reads a whole listing, in bytes as latin1. A line that cannot be read alone continues the name of the line before it: so a
 * name with a line break costs one file, which cannot be asked for, and not the listing.
 */
export function parseListing(text: string, isMlsd: boolean): Listed[] {
  const found: Listed[] = [];
  for (const line of text.split('\n').map((one) => one.replace(/\r$/, ''))) {
    if (line === '' || (!isMlsd && /^total \d+$/i.test(line))) continue;
    const listed = isMlsd ? fromMlsd(line) : (fromUnix(line) ?? fromDos(line));
    const last = found.at(-1);
    if (listed !== undefined) found.push(listed);
    else if (last === undefined) throw new UnreadableLine(line.slice(0, 80));
    else found[found.length - 1] = { ...last, name: `${last.name}\n${nameOfWire(line)}` };
  }
  return found.filter(({ name }) => name !== '.' && name !== '..' && name !== '');
}

function fromMlsd(line: string): Listed | undefined {
  const [, factText = '', wireName = ''] = /^((?:[^ =;]+=[^;]*;)+) (.*)$/s.exec(line) ?? [];
  if (factText === '') return undefined;
  const facts = new Map(
    factText.split(';').map((fact): [string, string] => {
      const at = fact.indexOf('=');
      return [fact.slice(0, at).toLowerCase(), fact.slice(at + 1)];
    }),
  );
  const type = (facts.get('type') ?? 'file').toLowerCase();
  // The folder itself, and the one above it.
  const name = type === 'cdir' || type === 'pdir' ? '.' : nameOfWire(wireName);
  const modified = facts.get('modify');
  const mode = facts.get('unix.mode');
  if (type === 'dir' || name === '.') return { name, kind: 'directory' };
  if (/^os\.unix=s(ym|)link/.test(type)) {
    const target = /^os\.unix=slink:(.+)$/is.exec(facts.get('type') ?? '')?.[1];
    return { name, kind: 'link', ...(target === undefined ? {} : { target: nameOfWire(target) }) };
  }
  if (type !== 'file') return { name, kind: 'special', special: 'other' };
  return {
    name,
    kind: 'file',
    ...sizeOf(facts.get('size')),
    ...(modified !== undefined && isTimestamp(modified) ? { modified } : {}),
    ...(mode === undefined ? {} : { isExecutable: (Number.parseInt(mode, 8) & 0o111) !== 0 }),
  };
}

const SPECIAL: Readonly<Record<string, SpecialKind>> = {
  p: 'fifo',
  s: 'socket',
  b: 'device',
  c: 'device',
};

/** `-rw-r--r--   1 ada  users   12 Jan  1 10:00 name`: some leave the group out, devices have two numbers for a size. */
const UNIX =
  /^([-dlpsbcD])([-rwxsStTlL]{9})[.+@]?\s+(?:\d+\s+)?(?:\S+\s+){1,2}?(?:(\d+)|\d+,\s*\d+)\s+(?:[A-Za-z]{3}\s+\d{1,2}|\d{1,2}\s+[A-Za-z]{3}|\d{4}-\d\d-\d\d)\s+(?:\d{1,2}:\d\d(?::\d\d)?|\d{4}) (.*)$/s;

function fromUnix(line: string): Listed | undefined {
  const [, type, mode = '', size, rest = ''] = UNIX.exec(line) ?? [];
  if (type === undefined) return undefined;
  if (type === 'd') return { name: nameOfWire(rest), kind: 'directory' };
  const special = SPECIAL[type];
  if (special !== undefined) return { name: nameOfWire(rest), kind: 'special', special };
  if (type === 'l') {
    const at = rest.indexOf(' -> ');
    if (at < 0) return { name: nameOfWire(rest), kind: 'link' };
    return {
      name: nameOfWire(rest.slice(0, at)),
      kind: 'link',
      target: nameOfWire(rest.slice(at + 4)),
    };
  }
  return {
    name: nameOfWire(rest),
    kind: 'file',
    ...sizeOf(size),
    isExecutable: /[xst]/.test(mode),
  };
}

/** `01-01-26  10:00AM       <DIR>          name`. */
const DOS =
  /^\d{2}-\d{2}-\d{2,4} +\d{1,2}:\d{2}(?: ?[AP]M)? +(?:(<DIR>|<JUNCTION>|<SYMLINKD?>) +|(\d+) )(.*)$/is;

function fromDos(line: string): Listed | undefined {
  const [found, folder, size, name = ''] = DOS.exec(line) ?? [];
  if (found === undefined) return undefined;
  if (folder === undefined) return { name: nameOfWire(name), kind: 'file', ...sizeOf(size) };
  const isFolder = /dir/i.test(folder);
  return { name: nameOfWire(name), kind: isFolder ? 'directory' : 'link' };
}

function sizeOf(text: string | undefined): { readonly sizeBytes?: number } {
  const sizeBytes = Number(text ?? Number.NaN);
  return Number.isSafeInteger(sizeBytes) && sizeBytes >= 0 ? { sizeBytes } : {};
}

/** Whether a text is a time as MDTM and MLSD write it, in UTC. */
export function isTimestamp(text: string): boolean {
  return /^\d{14}(\.\d+)?$/.test(text) && isoOf(text) !== undefined;
}

/** As ISO 8601; undefined: it is no time. */
export function isoOf(text: string): string | undefined {
  const [, y, mo, d, h, mi, s] = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)/.exec(text) ?? [];
  const ms = Date.parse(`${y ?? ''}-${mo ?? ''}-${d ?? ''}T${h ?? ''}:${mi ?? ''}:${s ?? ''}Z`);
  return Number.isNaN(ms) ? undefined : new Date(ms).toISOString();
}
