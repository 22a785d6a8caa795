/** Opens an object over HTTP, checked as rules 11 and 12 ask: the one place that sends Range and believes no answer. */
import { WaybillError, type ErrorCode } from '../../model/errors.js';
import type { Digests, Pin } from '../../model/object-entry.js';
import type { OpenObject, ReadOptions } from '../store.js';
import { digestsOf as standardDigestsOf } from './digest-headers.js';
import type { Headers } from './exchange.js';
import type { HttpAnswer, HttpClient, HttpRequest } from './http-client.js';
import {
  answersPin,
  contentLengthOf,
  contentRangeOf,
  endingOf,
  ifMatchOf,
  isoDateOf,
  pinOf as standardPinOf,
} from './http-headers.js';

/** What is opened, and where a service differs from plain HTTP. */
export interface RangedRequest extends ReadOptions {
  readonly url: string | URL;
  readonly store: string;
  /** Relative to the store's root, for errors. */
  readonly path: string;
  /** Headers beside ours; a function gets ours (Range, If-Match) and returns all, e.g. signed. */
  readonly headers?: Headers | ((own: Headers) => Headers | Promise<Headers>);
  /** Default: ETag, else Last-Modified with the size. */
  readonly pinOf?: (headers: Headers, sizeBytes: number | undefined) => Pin | undefined;
  /** Digests of the whole object beside the standard headers. `isWhole`: the answer holds all of it. */
  readonly digestsOf?: (headers: Headers, isWhole: boolean) => Digests;
  /** A service's own reading of an answer that is no success; undefined: the common table. */
  readonly errorOf?: (answer: HttpAnswer) => Promise<WaybillError | undefined>;
  /** Raw bytes with a Content-Encoding are the object, as object stores mean it. Default: only for names like `x.gz`. */
  readonly acceptsEncoding?: boolean;
  readonly redirects?: 'follow' | 'never';
  readonly headersTimeoutMs?: number;
  readonly stallTimeoutMs?: number;
}

/** An object, opened, with what its answer said. */
export interface RangedObject extends OpenObject {
  readonly headers: Headers;
  /** The address that answered, after redirects; may hold secrets. */
  readonly url: URL;
}

/** Opens. Throws as `Store.openRead` says; the body's errors are WaybillErrors. */
export async function openRanged(
  client: HttpClient,
  request: RangedRequest,
): Promise<RangedObject> {
  const { offsetBytes = 0, lengthBytes, pin } = request;
  const httpRequest: HttpRequest = {
    url: request.url,
    headers: await headersOf(request),
    signal: request.signal,
    operation: 'openRead',
    path: request.path,
    ...(request.redirects === undefined ? {} : { redirects: request.redirects }),
    ...(request.headersTimeoutMs === undefined
      ? {}
      : { headersTimeoutMs: request.headersTimeoutMs }),
    ...(request.stallTimeoutMs === undefined ? {} : { stallTimeoutMs: request.stallTimeoutMs }),
    ...(request.collect === undefined ? {} : { collect: request.collect }),
  };
  const answer = await client.request(httpRequest);
  if (answer.status !== 200 && answer.status !== 206) {
    throw (await request.errorOf?.(answer)) ?? (await client.errorOf(answer, httpRequest));
  }
  try {
    const place = placeOf(answer, offsetBytes, lengthBytes);
    const found = (request.pinOf ?? standardPinOf)(answer.headers, place.sizeBytes);
    if (pin && !answersPin(pin, found)) {
      throw new Refusal('WB_SOURCE_CHANGED', 'it changed since it was pinned');
    }
    refuseEncoded(answer, request);
    return describe(answer, place, found, request);
  } catch (error) {
    answer.body.destroy();
    if (!(error instanceof Refusal)) throw error;
    const message = `${request.path === '' ? 'the file' : request.path}: ${error.message}`;
    throw new WaybillError(error.code, message, {
      operation: 'openRead',
      store: request.store,
      path: request.path,
      // What is wrong with one answer is not wrong with the request for all of them.
      scope: 'file',
    });
  }
}

/** A refusal that still lacks its context. */
class Refusal extends Error {
  constructor(
    readonly code: ErrorCode,
    message: string,
  ) {
    super(message);
  }
}

async function headersOf(request: RangedRequest): Promise<Headers> {
  const { offsetBytes = 0, lengthBytes, pin, headers } = request;
  const own: Record<string, string> = {};
  if (offsetBytes > 0 || lengthBytes !== undefined) {
    const last = lengthBytes === undefined ? '' : String(offsetBytes + lengthBytes - 1);
    own['range'] = `bytes=${offsetBytes}-${last}`;
  }
  const etag = ifMatchOf(pin);
  if (etag !== undefined) own['if-match'] = etag;
  return typeof headers === 'function' ? headers(own) : { ...own, ...headers };
}

interface Place {
  readonly offsetBytes: number;
  readonly lengthBytes?: number;
  readonly sizeBytes?: number;
  readonly isWhole: boolean;
}

function placeOf(answer: HttpAnswer, offsetBytes: number, lengthBytes: number | undefined): Place {
  const announced = contentLengthOf(answer.headers);
  if (answer.status === 200) {
    const size = announced === undefined ? {} : { lengthBytes: announced, sizeBytes: announced };
    return { offsetBytes: 0, isWhole: true, ...size };
  }
  if (offsetBytes === 0 && lengthBytes === undefined) {
    throw new Refusal(
      'WB_SIZE_MISMATCH',
      'the server sent a part (HTTP 206) of what was asked whole',
    );
  }
  const range = contentRangeOf(answer.headers);
  const shown = JSON.stringify((answer.headers['content-range'] ?? '(none)').slice(0, 80));
  const askedEnd = lengthBytes === undefined ? undefined : offsetBytes + lengthBytes;
  const lastEnd = Math.min(askedEnd ?? Infinity, range?.totalBytes ?? Infinity);
  const isRight =
    range?.startBytes === offsetBytes &&
    (range.totalBytes === undefined && askedEnd === undefined
      ? true
      : range.totalBytes === undefined
        ? range.endBytes <= lastEnd
        : range.endBytes === lastEnd);
  if (!range || !isRight) {
    throw new Refusal(
      'WB_SIZE_MISMATCH',
      `asked for bytes from ${offsetBytes}${askedEnd === undefined ? '' : ` to ${askedEnd - 1}`}, ` +
        `the server answered with Content-Range ${shown}`,
    );
  }
  const rangeBytes = range.endBytes - range.startBytes;
  if (announced !== undefined && announced !== rangeBytes) {
    throw new Refusal(
      'WB_SIZE_MISMATCH',
      `the server announced ${announced} bytes with Content-Range ${shown}`,
    );
  }
  const total = range.totalBytes === undefined ? {} : { sizeBytes: range.totalBytes };
  return {
    offsetBytes,
    lengthBytes: rangeBytes,
    isWhole: rangeBytes === range.totalBytes,
    ...total,
  };
}

function refuseEncoded(answer: HttpAnswer, request: RangedRequest): void {
  const encoding = answer.headers['content-encoding']?.toLowerCase() ?? 'identity';
  if (encoding === 'identity' || encoding === '' || request.acceptsEncoding) return;
  // Apache calls a stored archive `Content-Encoding: x-gzip`: there the raw bytes are the file.
  if (/\.(t?gz|z|bz2|br|xz|zst|svgz)$/i.test(new URL(request.url).pathname)) return;
  throw new Refusal(
    'WB_UNSUPPORTED',
    `the server compresses it (${encoding.slice(0, 40)}) although the plain bytes were asked for`,
  );
}

function describe(
  answer: HttpAnswer,
  place: Place,
  pin: Pin | undefined,
  request: RangedRequest,
): RangedObject {
  const { headers, bytes, url } = answer;
  const modifiedAt = isoDateOf(headers['last-modified']);
  const answeredAt = isoDateOf(headers['date']);
  const digests = {
    ...standardDigestsOf(headers, place.isWhole),
    ...request.digestsOf?.(headers, place.isWhole),
  };
  return {
    // Of a collected answer nobody asks for the stream.
    get body() {
      return answer.body;
    },
    ...(bytes === undefined ? {} : { bytes }),
    headers,
    url,
    offsetBytes: place.offsetBytes,
    ...(place.lengthBytes === undefined ? {} : { lengthBytes: place.lengthBytes }),
    ...(place.sizeBytes === undefined ? {} : { sizeBytes: place.sizeBytes }),
    ...(pin === undefined ? {} : { pin }),
    ...(modifiedAt === undefined ? {} : { modifiedAt }),
    ...(Object.keys(digests).length === 0 ? {} : { digests }),
    ...(answeredAt === undefined ? {} : { answeredAt }),
    ending: place.lengthBytes !== undefined ? 'length' : endingOf(headers),
  };
}
