/** What answers say about objects: their version, and the digests that are theirs. */
import * as z from 'zod';
import type { Digests, Pin } from '../../model/object-entry.js';
import { base64ToHex } from '../lib/digest-headers.js';
import type { Headers } from '../lib/exchange.js';
import { isoDateOf } from '../lib/http-headers.js';
import type { ObjectFacts } from '../lib/list-objects.js';
import { objectFacts } from '../lib/object-store.js';

/** Google writes its 64-bit numbers as text. */
const int64 = z.string().regex(/^\d+$/);

/** An object, as far as it is asked for. https://cloud.google.com/storage/docs/json_api/v1/objects#resource */
export const GcsObject = z.object({
  name: z.string(),
  size: int64.optional(),
  generation: int64.optional(),
  updated: z.string().optional(),
  md5Hash: z.string().optional(),
  crc32c: z.string().optional(),
});
export type GcsObject = z.infer<typeof GcsObject>;

/** A page of a listing. */
export const GcsPage = z.object({
  kind: z.literal('storage#objects'),
  items: z.array(GcsObject).optional(),
  prefixes: z.array(z.string()).optional(),
  nextPageToken: z.string().optional(),
});

/** The `fields` of a question for one object. */
export const OBJECT_FIELDS = Object.keys(GcsObject.shape).join(',');

/** The `fields` of a question for a page. */
export const PAGE_FIELDS = `kind,prefixes,nextPageToken,items(${OBJECT_FIELDS})`;

/** The pin of a generation: a number that no other content of that name ever gets. */
export function generationPin(generation: string | undefined): Pin | undefined {
  if (generation === undefined || !/^\d+$/.test(generation)) return undefined;
  return { strength: 'strong', value: `generation:${generation}` };
}

/** The generation of a pin, for the question; undefined of every other pin. */
export function generationOf(pin: Pin | undefined): string | undefined {
  return /^generation:(\d+)$/.exec(pin?.value ?? '')?.[1];
}

/** The pin in the headers of an answer. */
export function pinOfHeaders(headers: Headers): Pin | undefined {
  return generationPin(headers['x-goog-generation']);
}

/**
 * The digests in the headers of an answer. They are those of the whole object as it is stored, whatever part of it the answer
 * holds: `crc32c=...,md5=...`, in one header or two. Composite objects have no MD5.
 */
export function digestsOfHeaders(headers: Headers): Digests {
  const said: Record<string, string> = {};
  for (const part of headers['x-goog-hash']?.split(',') ?? []) {
    const [, name = '', value = ''] = /^\s*(crc32c|md5)=(\S*)\s*$/.exec(part) ?? [];
    if (name !== '') said[name] = value;
  }
  return digestsIn(said['crc32c'], said['md5']);
}

/** What a listing, or the answer about one object, says beside its name. */
export function factsOf({ size, generation, updated, md5Hash, crc32c }: GcsObject): ObjectFacts {
  const modifiedAt = isoDateOf(updated);
  const pin = generationPin(generation);
  const digests = digestsIn(crc32c, md5Hash);
  const sizeBytes = size === undefined ? undefined : Number(size);
  return objectFacts({ sizeBytes, modifiedAt, pin, digests });
}

/** Base64 of the bytes in network order. */
function digestsIn(crc32c: string | undefined, md5: string | undefined): Digests {
  const crc32cHex = base64ToHex(crc32c ?? '', 4);
  const md5Hex = base64ToHex(md5 ?? '', 16);
  return {
    ...(crc32cHex === undefined ? {} : { crc32c: crc32cHex }),
    ...(md5Hex === undefined ? {} : { md5: md5Hex }),
  };
}

/**
 * Why these are not the bytes of the object as they are stored; undefined: they are. Google unpacks what is stored with
 * `Content-Encoding: gzip` unless it is asked not to: then neither length nor digest is the object's.
 */
export function transcodingOf(headers: Headers): string | undefined {
  const stored = headers['x-goog-stored-content-encoding']?.toLowerCase() ?? 'identity';
  const sent = headers['content-encoding']?.toLowerCase() ?? 'identity';
  if (stored === sent) return undefined;
  if (stored === 'gzip') return 'it is stored compressed (gzip), and was unpacked on its way';
  return sent === 'gzip' ? 'it was compressed (gzip) on its way' : undefined;
}
