/** Digests that an HTTP answer carries. The one place where base64 becomes lowercase hex. */
import type { DigestName, Digests } from '../../model/object-entry.js';
import type { Headers } from './exchange.js';

/** Algorithm names of RFC 9530, RFC 3230 and common practice, in lower case; byte lengths guard against mix-ups. */
const ALGORITHMS: Readonly<Record<string, { readonly name: DigestName; readonly bytes: number }>> =
  {
    'sha-256': { name: 'sha256', bytes: 32 },
    sha256: { name: 'sha256', bytes: 32 },
    sha: { name: 'sha1', bytes: 20 },
    'sha-1': { name: 'sha1', bytes: 20 },
    md5: { name: 'md5', bytes: 16 },
    crc32c: { name: 'crc32c', bytes: 4 },
  };

/** Base64 as lowercase hex; undefined unless it is exactly so many bytes. */
export function base64ToHex(base64: string, bytes: number): string | undefined {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return undefined;
  const decoded = Buffer.from(base64, 'base64');
  return decoded.length === bytes ? decoded.toString('hex') : undefined;
}

/**
 * Digests of the whole representation from Repr-Digest (RFC 9530) and Digest (RFC 3230), which hold for a 206 too, and,
 * only where `isWhole`, from Content-Digest and Content-MD5, which speak of the bytes of this message.
 */
export function digestsOf(headers: Headers, isWhole: boolean): Digests {
  const found: Digests = {};
  const md5 = isWhole ? base64ToHex(headers['content-md5']?.trim() ?? '', 16) : undefined;
  if (md5 !== undefined) found.md5 = md5;
  collect(found, headers['digest'], /^\s*([A-Za-z0-9-]+)=(.+?)\s*$/);
  if (isWhole) collect(found, headers['content-digest'], /^\s*([a-z0-9-]+)=:(.+?):\s*$/i);
  collect(found, headers['repr-digest'], /^\s*([a-z0-9-]+)=:(.+?):\s*$/i);
  return found;
}

function collect(found: Digests, header: string | undefined, shape: RegExp): void {
  for (const part of header?.split(',') ?? []) {
    const match = shape.exec(part);
    const algorithm = ALGORITHMS[match?.[1]?.toLowerCase() ?? ''];
    const hex = algorithm && base64ToHex(match?.[2] ?? '', algorithm.bytes);
    if (algorithm && hex !== undefined) found[algorithm.name] = hex;
  }
}
