/** `known_hosts`: which keys a server is known by. An unknown key is never taken. */
import { createHash, createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { errnoOf } from '../../model/errno.js';
import { connectError } from './errors.js';
import { matchesHost } from './host-patterns.js';

/** A line about a server. */
export interface KnownKey {
  readonly file: string;
  readonly line: number;
  readonly marker: 'revoked' | 'cert-authority' | undefined;
  /** `ssh-ed25519`, ... */
  readonly type: string;
  readonly key: Buffer;
}

/** What the files say of a key that a server shows. */
export type Verdict =
  | { readonly kind: 'known' }
  | { readonly kind: 'unknown' }
  /** The server is known by other keys. */
  | { readonly kind: 'changed'; readonly of: KnownKey }
  | { readonly kind: 'revoked'; readonly of: KnownKey }
  | { readonly kind: 'authority'; readonly of: KnownKey };

/** How a server is called in the files: `host`, or `[host]:port` for another port than 22. */
export function knownName(host: string, port: number): string {
  return port === 22 ? host.toLowerCase() : `[${host.toLowerCase()}]:${port}`;
}

/** The lines about a server. A file that is not there has none; one that cannot be read is WB_CONFIG_INVALID. */
export async function readKnownKeys(files: readonly string[], name: string): Promise<KnownKey[]> {
  const keys: KnownKey[] = [];
  for (const file of files) {
    for (const [index, text] of (await textOf(file)).split(/\r?\n/).entries()) {
      const key = keyOf(text, name, file, index + 1);
      if (key !== undefined) keys.push(key);
    }
  }
  return keys;
}

/** Judges a key that a server shows. */
export function judge(known: readonly KnownKey[], shown: Buffer): Verdict {
  const revoked = known.find(({ marker, key }) => marker === 'revoked' && key.equals(shown));
  if (revoked) return { kind: 'revoked', of: revoked };
  const plain = known.filter(({ marker }) => marker === undefined);
  if (plain.some(({ key }) => key.equals(shown))) return { kind: 'known' };
  const type = typeOf(shown);
  const other = plain.find((one) => one.type === type) ?? plain[0];
  if (other) return { kind: 'changed', of: other };
  const authority = known.find(({ marker }) => marker === 'cert-authority');
  return authority ? { kind: 'authority', of: authority } : { kind: 'unknown' };
}

/** The type that a public key begins with. */
export function typeOf(key: Buffer): string {
  if (key.length < 4) return '';
  return key.subarray(4, 4 + key.readUInt32BE(0)).toString('latin1');
}

/** `SHA256:...`, as `ssh-keygen -l` shows it. */
export function fingerprintOf(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

function keyOf(text: string, name: string, file: string, line: number): KnownKey | undefined {
  const match = /^\s*(?:@(revoked|cert-authority)\s+)?([^#\s]\S*)\s+(\S+)\s+([A-Za-z0-9+/=]+)/.exec(
    text,
  );
  if (!match) return undefined;
  const [, marker, hosts = '', type = '', base64 = ''] = match;
  if (!isAbout(hosts, name)) return undefined;
  return {
    file,
    line,
    marker: marker === 'revoked' || marker === 'cert-authority' ? marker : undefined,
    type,
    key: Buffer.from(base64, 'base64'),
  };
}

function isAbout(hosts: string, name: string): boolean {
  if (!hosts.startsWith('|')) return matchesHost(hosts.split(','), name);
  const [, salt = '', hash = ''] = /^\|1\|([^|]+)\|(\S+)$/.exec(hosts) ?? [];
  if (salt === '') return false;
  const own = createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest('base64');
  return own === hash;
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const code = errnoOf(cause);
    if (code === 'ENOENT' || code === 'ENOTDIR') return '';
    throw connectError('WB_CONFIG_INVALID', `${file} cannot be read (${String(code)})`, { cause });
  }
}
