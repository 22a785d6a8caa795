/** What the headers of an answer say about an object: its pin, and the digests that are truly its own. */
import type { DigestName, Digests, Pin } from '../../model/object-entry.js';
import { base64ToHex } from '../lib/digest-headers.js';
import type { Headers } from '../lib/exchange.js';
import { isoDateOf, mtimePin } from '../lib/http-headers.js';

/** Header, digest, bytes. https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html */
const CHECKSUMS: readonly (readonly [string, DigestName, number])[] = [
  ['x-amz-checksum-sha256', 'sha256', 32],
  ['x-amz-checksum-sha1', 'sha1', 20],
  ['x-amz-checksum-crc64nvme', 'crc64nvme', 8],
  ['x-amz-checksum-crc32c', 'crc32c', 4],
  ['x-amz-checksum-crc32', 'crc32', 4],
];

/** The pin of an ETag: strong, in the quotes that some services leave out of their listings. */
export function s3EtagPin(etag: string | undefined): Pin | undefined {
  const bare = etag?.trim().replace(/^"|"$/g, '');
  if (bare === undefined || bare === '') return undefined;
  if (bare.startsWith('W/')) return { strength: 'weak', value: `etag:${bare}"` };
  return { strength: 'strong', value: `etag:"${bare}"` };
}

/** The pin of an answer. Listings have milliseconds where headers have none: both are cut to the second. */
export function s3PinOf(
  etag: string | undefined,
  modifiedAt: string | undefined,
  sizeBytes: number | undefined,
): Pin | undefined {
  const second = modifiedAt?.replace(/\.\d+Z$/, '.000Z');
  return s3EtagPin(etag) ?? mtimePin(second, sizeBytes);
}

/** The pin in the headers of an answer. */
export function pinOfHeaders(headers: Headers, sizeBytes: number | undefined): Pin | undefined {
  return s3PinOf(headers['etag'], isoDateOf(headers['last-modified']), sizeBytes);
}

/**
 * The digests of the whole object. The ETag is its MD5 only where it was written in one piece and not under SSE-KMS or SSE-C; a
 * checksum with `-N`, or of type COMPOSITE, is one of part checksums; and on a part of an object (`isWhole` false) services
 * disagree about what a checksum header covers. None of those is taken: a wrong expectation would refuse a good file.
 */
export function digestsOfHeaders(headers: Headers, isWhole: boolean): Digests {
  const found: Digests = {};
  const md5 = md5OfEtag(headers);
  if (md5 !== undefined) found.md5 = md5;
  if (!isWhole || headers['x-amz-checksum-type']?.toUpperCase() === 'COMPOSITE') return found;
  for (const [header, name, bytes] of CHECKSUMS) {
    const hex = base64ToHex(headers[header]?.trim() ?? '', bytes);
    if (hex !== undefined) found[name] = hex;
  }
  return found;
}

function md5OfEtag(headers: Headers): string | undefined {
  const isKeyed =
    headers['x-amz-server-side-encryption']?.startsWith('aws:') === true ||
    headers['x-amz-server-side-encryption-customer-algorithm'] !== undefined;
  // Where the service names no request, it is no S3, and its ETag may be anything.
  if (isKeyed || headers['x-amz-request-id'] === undefined) return undefined;
  return /^"?([0-9a-f]{32})"?$/.exec(headers['etag'] ?? '')?.[1];
}
