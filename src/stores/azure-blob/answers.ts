/** What the headers of an answer, and the lines of a listing, say about a blob: its pin and its digest. */
import type { Digests, Pin } from '../../model/object-entry.js';
import { base64ToHex } from '../lib/digest-headers.js';
import type { Headers } from '../lib/exchange.js';
import { contentLengthOf, etagPin, isoDateOf, mtimePin } from '../lib/http-headers.js';
import type { ObjectFacts } from '../lib/list-objects.js';
import { objectFacts } from '../lib/object-store.js';

/** The pin of an ETag, in the quotes that listings leave out, else of the time. */
export function azurePinOf(
  etag: string | undefined,
  modifiedAt: string | undefined,
  sizeBytes: number | undefined,
): Pin | undefined {
  const text = etag?.trim() ?? '';
  const quoted = text === '' || /^(W\/)?"/.test(text) ? text : `"${text}"`;
  return etagPin(quoted) ?? mtimePin(modifiedAt, sizeBytes);
}

/** The pin in the headers of an answer. */
export function pinOfHeaders(headers: Headers, sizeBytes: number | undefined): Pin | undefined {
  return azurePinOf(headers['etag'], isoDateOf(headers['last-modified']), sizeBytes);
}

/**
 * The MD5 of the whole blob, which its writer or the service stored with it: `x-ms-blob-content-md5` on a part (there Content-MD5
 * would be of the part), Content-MD5 else.
 */
export function digestsOfHeaders(headers: Headers, isWhole: boolean): Digests {
  const ofBlob = headers['x-ms-blob-content-md5'];
  return digestsOfMd5(ofBlob ?? (isWhole ? headers['content-md5'] : undefined));
}

/** The MD5 in a listing or a header. */
export function digestsOfMd5(base64: string | undefined): Digests {
  const md5 = base64ToHex(base64?.trim() ?? '', 16);
  return md5 === undefined ? {} : { md5 };
}

/** What an answer to HEAD says beside the path. */
export function factsOfHeaders(headers: Headers): ObjectFacts {
  const sizeBytes = contentLengthOf(headers);
  const modifiedAt = isoDateOf(headers['last-modified']);
  const pin = pinOfHeaders(headers, sizeBytes);
  const digests = digestsOfHeaders(headers, true);
  return objectFacts({ sizeBytes, modifiedAt, pin, digests });
}

/** A blob that stands for a folder: Hadoop's marker, and the folders of a hierarchical namespace. */
export function isFolderMarker(headers: Headers): boolean {
  return (
    headers['x-ms-meta-hdi_isfolder']?.toLowerCase() === 'true' ||
    headers['x-ms-resource-type'] === 'directory'
  );
}

/** A web page answers 200 to any path: it would be taken for a model. */
export function isAzureAnswer(headers: Headers): boolean {
  return headers['x-ms-request-id'] !== undefined && headers['x-ms-version'] !== undefined;
}
