/** A listing of an object store, page by page, the next page asked for while the last one is read. */
import { WaybillError } from '../../model/errors.js';
import { compareByBytes } from '../../model/object-path.js';
import type { ObjectEntry } from '../../model/object-entry.js';
import type { ListOptions } from '../store.js';
import { askAgain } from './ask-again.js';

/** One page: objects, and where folders are not entered the prefixes below which there is more. */
export interface ObjectPage<T extends { readonly key: string }> {
  readonly objects: readonly T[];
  /** With the slash at their end. */
  readonly prefixes: readonly string[];
  /** Asks for the next page; absent: this is the last one. */
  readonly nextToken?: string;
}

/** What is listed. */
export interface ObjectListing {
  /** The store's name, for errors. */
  readonly store: string;
  /** What every key starts with; '' or with a slash at its end. */
  readonly keyPrefix: string;
  /** How much of a key is not part of its path. */
  readonly rootPrefixLength: number;
  /** Relative to the root, for errors. */
  readonly path: string;
  readonly operation: string;
  readonly signal?: AbortSignal;
  readonly again?: NonNullable<ListOptions['again']>;
}

/** An entry, or the listed folder itself where it has an object of its own. */
export type Listed = ObjectEntry | { readonly isMarker: true };

/** What an object's entry says beside its path. */
export type ObjectFacts = Omit<ObjectEntry, 'path' | 'kind'>;

/**
 * Yields everything below the prefix, in the byte order of the keys; a key that ends in a slash is a folder. A listing that goes
 * in circles, or names keys outside of the prefix, is WB_UNAVAILABLE, not retryable.
 * @param ask one page; without a token the first
 */
export async function* listObjects<T extends { readonly key: string }>(
  listing: ObjectListing,
  ask: (token: string | undefined, signal: AbortSignal) => Promise<ObjectPage<T>>,
  factsOf: (object: T) => ObjectFacts,
): AsyncGenerator<Listed, void, undefined> {
  const stop = new AbortController();
  const signal =
    listing.signal === undefined ? stop.signal : AbortSignal.any([listing.signal, stop.signal]);
  const asked = (token?: string): Promise<ObjectPage<T>> => {
    const page = ask(token, signal);
    // It may fail while nobody waits for it yet.
    page.catch(() => undefined);
    return page;
  };
  const circle = new CircleDetector();
  let token: string | undefined;
  let coming: Promise<ObjectPage<T>> | undefined = asked();
  try {
    while (coming !== undefined) {
      const current = token;
      const page: ObjectPage<T> = await askAgain(
        { ...listing, signal },
        () => asked(current),
        coming,
      );
      token = page.nextToken;
      if (token !== undefined && circle.hasSeen(token)) {
        throw brokenListing(listing, 'a page that was there before');
      }
      coming = token === undefined ? undefined : asked(token);
      yield* entriesOf(page, listing, factsOf);
      listing.signal?.throwIfAborted();
    }
  } finally {
    stop.abort(new Error('the rest of the listing is not wanted'));
  }
}

/** The error of a listing that contradicts itself. */
export function brokenListing(
  { store, operation, path }: ObjectListing,
  what: string,
): WaybillError {
  return new WaybillError('WB_UNAVAILABLE', `the listing cannot be trusted: it has ${what}`, {
    operation,
    store,
    path,
    retryable: false,
  });
}

/** Entries in the byte order of their keys: a page has its prefixes apart. */
function* entriesOf<T extends { readonly key: string }>(
  { objects, prefixes }: ObjectPage<T>,
  listing: ObjectListing,
  factsOf: (object: T) => ObjectFacts,
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
    yield entryOf(object, listing, factsOf);
  }
  for (; next < prefixes.length; next += 1) yield folderOf(prefixes[next] ?? '', listing);
}

function entryOf<T extends { readonly key: string }>(
  object: T,
  listing: ObjectListing,
  factsOf: (object: T) => ObjectFacts,
): Listed {
  const { key } = object;
  if (key === listing.keyPrefix && key !== '') return { isMarker: true };
  if (key.endsWith('/')) return folderOf(key, listing);
  return { path: pathOf(key, listing), kind: 'file', ...factsOf(object) };
}

function folderOf(prefix: string, listing: ObjectListing): Listed {
  return { path: pathOf(prefix, listing).replace(/\/$/, ''), kind: 'directory' };
}

function pathOf(key: string, listing: ObjectListing): string {
  if (key.startsWith(listing.keyPrefix) && key !== '') return key.slice(listing.rootPrefixLength);
  throw brokenListing(
    listing,
    `a key that does not start with ${JSON.stringify(listing.keyPrefix)}`,
  );
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
