/** Headers of HTTP answers as values of the model. */
import type { Pin } from '../../model/object-entry.js';
import type { Headers } from './exchange.js';

/** A satisfied range: RFC 9110 section 14.4, with an exclusive end. */
export interface ContentRange {
  readonly startBytes: number;
  readonly endBytes: number;
  /** Size of the whole representation; absent where the server says `*`. */
  readonly totalBytes?: number;
}

/** Reads Content-Range; undefined where it is absent or makes no sense. */
export function contentRangeOf(headers: Headers): ContentRange | undefined {
  const match = /^bytes\s+(\d+)-(\d+)\/(\d+|\*)$/i.exec(headers['content-range'] ?? '');
  if (!match) return undefined;
  const startBytes = Number(match[1]);
  const endBytes = Number(match[2]) + 1;
  if (startBytes >= endBytes) return undefined;
  if (match[3] === '*') return { startBytes, endBytes };
  const totalBytes = Number(match[3]);
  return endBytes > totalBytes ? undefined : { startBytes, endBytes, totalBytes };
}

/** Content-Length in bytes; undefined where it is absent. */
export function contentLengthOf(headers: Headers): number | undefined {
  const text = headers['content-length'];
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

/** How the end of an answer's body is told (rule 11); `close` looks the same when the body was cut. */
export function endingOf(headers: Headers): 'length' | 'framing' | 'close' {
  if (/(^|[\s,])chunked\s*$/i.test(headers['transfer-encoding'] ?? '')) return 'framing';
  return contentLengthOf(headers) === undefined ? 'close' : 'length';
}

/** An HTTP date as ISO 8601 UTC; undefined for what is no date. */
export function isoDateOf(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const timeMs = Date.parse(text);
  return Number.isNaN(timeMs) ? undefined : new Date(timeMs).toISOString();
}

/** Retry-After (seconds or a date, RFC 9110 section 10.2.3) in milliseconds, between 0 and an hour. */
export function retryAfterMsOf(headers: Headers): number | undefined {
  const text = headers['retry-after']?.trim();
  if (text === undefined || text === '') return undefined;
  const HOUR_MS = 3_600_000;
  if (/^\d+$/.test(text)) return Math.min(Number(text) * 1_000, HOUR_MS);
  const untilMs = Date.parse(text);
  // The server's own clock decides: ours may be wrong.
  const nowMs = Date.parse(headers['date'] ?? '');
  if (Number.isNaN(untilMs)) return undefined;
  return Math.min(Math.max(untilMs - (Number.isNaN(nowMs) ? Date.now() : nowMs), 0), HOUR_MS);
}

/** The pin of an ETag as it stands on the wire, quotes included: `etag:"abc"` is strong, `etag:W/"abc"` weak. */
export function etagPin(etag: string | undefined): Pin | undefined {
  const text = etag?.trim();
  if (text === undefined || text === '') return undefined;
  return { strength: text.startsWith('W/') ? 'weak' : 'strong', value: `etag:${text}` };
}

/** The pin of a modification time together with the size: `mtime:<ISO 8601>+<bytes>`. Without a size it pins nothing. */
export function mtimePin(
  modifiedAt: string | undefined,
  sizeBytes: number | undefined,
): Pin | undefined {
  if (modifiedAt === undefined || sizeBytes === undefined) return undefined;
  return { strength: 'weak', value: `mtime:${modifiedAt}+${sizeBytes}` };
}

/** The strongest pin of an answer: its ETag, else Last-Modified with the size of the whole object. */
export function pinOf(headers: Headers, sizeBytes: number | undefined): Pin | undefined {
  return etagPin(headers['etag']) ?? mtimePin(isoDateOf(headers['last-modified']), sizeBytes);
}

/** The ETag of a strong pin, for If-Match; undefined for every other pin. */
export function ifMatchOf(pin: Pin | undefined): string | undefined {
  return pin?.strength === 'strong' && pin.value.startsWith('etag:')
    ? pin.value.slice('etag:'.length)
    : undefined;
}

/**
 * Whether an answer may be of the pinned version. A weak ETag is compared weakly (RFC 9110 section 8.8.3.2): Apache
 * calls the ETag of a file younger than a second weak, and the same ETag strong afterwards.
 */
export function answersPin(pinned: Pin, answered: Pin | undefined): boolean {
  if (answered === undefined) return false;
  const bare = (pin: Pin): string => pin.value.replace(/^etag:W\//, 'etag:');
  if (pinned.strength === 'strong') return answered.value === pinned.value;
  return bare(answered) === bare(pinned);
}
