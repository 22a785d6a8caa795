/** A listing of a bucket, page by page, the next page asked for while the last one is read. */
import { WaybillError } from '../../model/errors.js';
import { compareByBytes } from '../../model/object-path.js';
import type { ObjectEntry } from '../../model/object-entry.js';
import type { HttpAnswer } from '../lib/http-client.js';
import { askAgain } from '../lib/ask-again.js';
import type { ListOptions } from '../store.js';
import { s3PinOf } from './answers.js';
import type { S3Connection, S3Request } from './connection.js';
import { notS3 } from './errors.js';
import { parseListPage } from './list-page.js';
import type { ListedObject, ListPage } from './list-page.js';

/** More than 1,000 keys of 1,024 bytes, percent-encoded, can take. */
const MAX_PAGE_BYTES = 16 * 1024 * 1024;

/** What is listed. */
export interface Listing {
  /** What every key starts with; '' or with a slash at its end. */
  readonly keyPrefix: string;
  /** How much of a key is not part of its path. */
  readonly rootPrefixLength: number;
  readonly recursive: boolean;
  /** Relative to the root, for errors. */
  readonly path: string;
  readonly operation: string;
  /** Default 1,000, the most that a service gives. */
  readonly pageSize?: number;
  readonly signal?: AbortSignal;
  readonly again?: NonNullable<ListOptions['again']>;
}

/** An entry, or the listed folder itself where it has an object of its own. */
export type Listed = ObjectEntry | { readonly isMarker: true };

/** Yields everything below the prefix. A listing that goes in circles is WB_UNAVAILABLE, not retryable. */
export async function* listKeys(
  connection: S3Connection,
  listing: Listing,
): AsyncGenerator<Listed, void, undefined> {
  const stop = new AbortController();
  const signal =
    listing.signal === undefined ? stop.signal : AbortSignal.any([listing.signal, stop.signal]);
  const ask = (token?: string): Promise<ListPage> => {
    const page = askPage(connection, { ...listing, signal }, token);
    // It may fail while nobody waits for it yet.
    page.catch(() => undefined);
    return page;
  };
  const circle = new CircleDetector();
  let token: string | undefined;
  let coming: Promise<ListPage> | undefined = ask();
  try {
    while (coming !== undefined) {
      const asked = token;
      const page: ListPage = await askAgain({ ...listing, signal }, () => ask(asked), coming);
      token = successorOf(page, circle, listing);
      coming = token === undefined ? undefined : ask(token);
      yield* entriesOf(page.objects, page.prefixes, listing);
      listing.signal?.throwIfAborted();
    }
  } finally {
    stop.abort(new Error('the rest of the listing is not wanted'));
  }
}

/** Whether anything lies below the prefix: one small question. */
export async function hasKeys(connection: S3Connection, listing: Listing): Promise<boolean> {
  const { objects, prefixes } = await askPage(connection, { ...listing, pageSize: 1 }, undefined);
  return objects.length + prefixes.length > 0;
}

function successorOf(page: ListPage, circle: CircleDetector, listing: Listing): string | undefined {
  const { isTruncated, nextToken } = page;
  if (!isTruncated) return undefined;
  if (nextToken === undefined) throw brokenListing(listing, 'a page without its successor');
  if (circle.hasSeen(nextToken)) throw brokenListing(listing, 'a page that was there before');
  return nextToken;
}

async function askPage(
  connection: S3Connection,
  listing: Listing,
  token: string | undefined,
): Promise<ListPage> {
  const { keyPrefix, recursive, path, operation, pageSize, signal } = listing;
  const request: S3Request = {
    method: 'GET',
    key: '',
    query: {
      'list-type': '2',
      'encoding-type': 'url',
      ...(keyPrefix === '' ? {} : { prefix: keyPrefix }),
      ...(recursive ? {} : { delimiter: '/' }),
      ...(pageSize === undefined ? {} : { 'max-keys': String(pageSize) }),
      ...(token === undefined ? {} : { 'continuation-token': token }),
    },
    operation,
    path,
    ...(signal === undefined ? {} : { signal }),
  };
  const answer = await connection.send(request);
  const page = parseListPage(await readPage(connection, answer, request));
  if (page === undefined) throw notS3(connection.asked(request, answer.url));
  return page;
}

function readPage(
  connection: S3Connection,
  answer: HttpAnswer,
  { operation, path }: S3Request,
): Promise<string> {
  return connection.http.readText(answer, { url: answer.url, operation, path }, MAX_PAGE_BYTES);
}

/** Entries in the byte order of their keys: a page has its prefixes apart. */
function* entriesOf(
  objects: readonly ListedObject[],
  prefixes: readonly string[],
  listing: Listing,
): Generator<Listed> {
  let next = 0;
  for (const object of objects) {
    for (
      ;
      next < prefixes.length && compareByBytes(prefixes[next] ?? '', object.key) < 0;
      next += 1
    ) {
      yield folderOf(prefixes[next] ?? '', listing);
    }
    yield entryOf(object, listing);
  }
  for (; next < prefixes.length; next += 1) yield folderOf(prefixes[next] ?? '', listing);
}

function entryOf(object: ListedObject, listing: Listing): Listed {
  const { key, sizeBytes, modifiedAt, etag } = object;
  if (key === listing.keyPrefix && key !== '') return { isMarker: true };
  if (key.endsWith('/')) return folderOf(key, listing);
  const pin = s3PinOf(etag, modifiedAt, sizeBytes);
  return {
    path: pathOf(key, listing),
    kind: 'file',
    ...(sizeBytes === undefined ? {} : { sizeBytes }),
    ...(modifiedAt === undefined ? {} : { modifiedAt }),
    ...(pin === undefined ? {} : { pin }),
  };
}

function folderOf(prefix: string, listing: Listing): Listed {
  return { path: pathOf(prefix, listing).replace(/\/$/, ''), kind: 'directory' };
}

function pathOf(key: string, listing: Listing): string {
  if (key.startsWith(listing.keyPrefix) && key !== '') return key.slice(listing.rootPrefixLength);
  throw brokenListing(
    listing,
    `a key that does not start with ${JSON.stringify(listing.keyPrefix)}`,
  );
}

function brokenListing({ operation, path }: Listing, what: string): WaybillError {
  return new WaybillError('WB_UNAVAILABLE', `the listing cannot be trusted: it has ${what}`, {
    operation,
    store: 's3',
    path,
    retryable: false,
  });
}

/** Finds a page token that comes again, however long the circle, remembering one (Brent's algorithm). */
export class CircleDetector {
  private remembered: string | undefined;
  private steps = 0;
  private limit = 1;

  hasSeen(token: string): boolean {
    if (token === this.remembered) return true;
    this.steps += 1;
    if (this.steps === this.limit) {
      this.remembered = token;
      this.steps = 0;
      this.limit *= 2;
    }
    return false;
  }
}
