/** A listing of a bucket: the questions for its pages, and what their objects are. */
import type { HttpAnswer } from '../lib/http-client.js';
import { brokenListing, listObjects } from '../lib/list-objects.js';
import type { Listed, ObjectFacts, ObjectListing, ObjectPage } from '../lib/list-objects.js';
import { objectFacts } from '../lib/object-store.js';
import { cutListing } from '../lib/service-errors.js';
import { s3PinOf } from './answers.js';
import type { S3Connection, S3Request } from './connection.js';
import { notS3 } from './errors.js';
import { parseListPage } from './list-page.js';
import type { ListedObject } from './list-page.js';

/** More than 1,000 keys of 1,024 bytes, percent-encoded, can take. */
const MAX_PAGE_BYTES = 16 * 1024 * 1024;

/** What is listed. */
export interface Listing extends ObjectListing {
  readonly recursive: boolean;
  /** Default 1,000, the most that a service gives. */
  readonly pageSize?: number;
}

/** Yields everything below the prefix. */
export function listKeys(
  connection: S3Connection,
  listing: Listing,
): AsyncGenerator<Listed, void, undefined> {
  return listObjects(
    listing,
    (token, signal) => askPage(connection, { ...listing, signal }, token),
    factsOf,
  );
}

/** Whether anything lies below the prefix: one small question. */
export async function hasKeys(connection: S3Connection, listing: Listing): Promise<boolean> {
  const { objects, prefixes } = await askPage(connection, { ...listing, pageSize: 1 }, undefined);
  return objects.length + prefixes.length > 0;
}

async function askPage(
  connection: S3Connection,
  listing: Listing,
  token: string | undefined,
): Promise<ObjectPage<ListedObject>> {
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
  const text = await readPage(connection, answer, request);
  const page = parseListPage(text);
  if (page === undefined) {
    const asked = connection.asked(request, answer.url);
    throw cutListing(text, { start: '<?xml', headers: answer.headers }, asked) ?? notS3(asked);
  }
  const { objects, prefixes, isTruncated, nextToken } = page;
  if (!isTruncated) return { objects, prefixes };
  if (nextToken === undefined) throw brokenListing(listing, 'a page without its successor');
  return { objects, prefixes, nextToken };
}

function readPage(
  connection: S3Connection,
  answer: HttpAnswer,
  { operation, path }: S3Request,
): Promise<string> {
  return connection.http.readText(answer, { url: answer.url, operation, path }, MAX_PAGE_BYTES);
}

function factsOf({ sizeBytes, modifiedAt, etag }: ListedObject): ObjectFacts {
  return objectFacts({ sizeBytes, modifiedAt, pin: s3PinOf(etag, modifiedAt, sizeBytes) });
}
