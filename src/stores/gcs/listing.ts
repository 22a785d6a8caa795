/** A listing of a bucket: the questions for its pages. */
import { listObjects } from '../lib/list-objects.js';
import type { Listed, ObjectListing, ObjectPage } from '../lib/list-objects.js';
import { factsOf, GcsPage, PAGE_FIELDS } from './answers.js';
import type { GcsObject } from './answers.js';
import type { GcsConnection, GcsRequest } from './connection.js';

/** The most that Google gives. */
const PAGE_SIZE = 1_000;

/** What is listed. */
export interface Listing extends ObjectListing {
  readonly recursive: boolean;
  readonly pageSize?: number;
}

type ListedObject = GcsObject & { readonly key: string };

/** Yields everything below the prefix, with versions and digests. */
export function listNames(
  connection: GcsConnection,
  listing: Listing,
): AsyncGenerator<Listed, void, undefined> {
  return listObjects<ListedObject>(
    listing,
    (token, signal) => askPage(connection, { ...listing, signal }, token),
    factsOf,
  );
}

/** Whether anything lies below the prefix: one small question. */
export async function hasNames(connection: GcsConnection, listing: Listing): Promise<boolean> {
  const { objects, prefixes } = await askPage(connection, { ...listing, pageSize: 1 }, undefined);
  return objects.length + prefixes.length > 0;
}

async function askPage(
  connection: GcsConnection,
  listing: Listing,
  token: string | undefined,
): Promise<ObjectPage<ListedObject>> {
  const { keyPrefix, recursive, path, operation, pageSize = PAGE_SIZE, signal } = listing;
  const request: GcsRequest = {
    what: 'list',
    key: keyPrefix,
    query: {
      fields: PAGE_FIELDS,
      maxResults: String(pageSize),
      ...(keyPrefix === '' ? {} : { prefix: keyPrefix }),
      ...(recursive ? {} : { delimiter: '/' }),
      ...(token === undefined ? {} : { pageToken: token }),
    },
    operation,
    path,
    ...(signal === undefined ? {} : { signal }),
  };
  const page = GcsPage.safeParse(await connection.ask(request));
  if (!page.success) throw connection.notGcs(request);
  const { items = [], prefixes = [], nextPageToken = '' } = page.data;
  return {
    objects: items.map((item) => ({ ...item, key: item.name })),
    prefixes,
    ...(nextPageToken === '' ? {} : { nextToken: nextPageToken }),
  };
}
