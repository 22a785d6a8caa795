/** Two lists of files held against each other, as streams: memory does not grow with them. */
import { sameStrongPin } from '../model/object-entry.js';
import type { ObjectEntry } from '../model/object-entry.js';
import { compareByBytes } from '../model/object-path.js';
import type { ManifestEntry } from './manifest.js';

/** What became of a file. `missing`: only in the first list. `extra`: only in the second. */
export type Verdict = 'same' | 'changed' | 'missing' | 'extra';

/** One file of either list or both. */
export type Compared<A, B> =
  | { readonly verdict: 'same' | 'changed'; readonly path: string; readonly a: A; readonly b: B }
  | { readonly verdict: 'missing'; readonly path: string; readonly a: A }
  | { readonly verdict: 'extra'; readonly path: string; readonly b: B };

type Stream<T> = AsyncIterable<T> | Iterable<T>;

/**
 * Walks two lists, both in ascending byte order of the path, and yields each path once, in that order.
 * @param isSame whether two files of the same path are equal
 */
export async function* compareSorted<A extends { path: string }, B extends { path: string }>(
  first: Stream<A>,
  second: Stream<B>,
  isSame: (a: A, b: B) => boolean | Promise<boolean>,
): AsyncGenerator<Compared<A, B>> {
  const left = iterate(first);
  const right = iterate(second);
  try {
    let a = await next(left);
    let b = await next(right);
    while (a !== undefined || b !== undefined) {
      const order = a === undefined ? 1 : b === undefined ? -1 : compareByBytes(a.path, b.path);
      if (a !== undefined && b !== undefined && order === 0) {
        const verdict = (await isSame(a, b)) ? 'same' : 'changed';
        yield { verdict, path: a.path, a, b };
        a = await next(left);
        b = await next(right);
      } else if (a !== undefined && order < 0) {
        yield { verdict: 'missing', path: a.path, a };
        a = await next(left);
      } else if (b !== undefined) {
        yield { verdict: 'extra', path: b.path, b };
        b = await next(right);
      }
    }
  } finally {
    await left.return?.();
    await right.return?.();
  }
}

/** Compares two manifests by size and SHA-256. */
export function compareManifests(
  first: Stream<ManifestEntry>,
  second: Stream<ManifestEntry>,
): AsyncGenerator<Compared<ManifestEntry, ManifestEntry>> {
  return compareSorted(first, second, sameBytes);
}

/**
 * Compares a manifest with a listing of its source: `missing` are the files that become stale, `extra` the new ones.
 * The listing holds files only, in ascending byte order.
 */
export function compareWithListing(
  manifest: Stream<ManifestEntry>,
  listing: Stream<ObjectEntry>,
): AsyncGenerator<Compared<ManifestEntry, ObjectEntry>> {
  return compareSorted(manifest, listing, (entry, object) => isUnchangedAtSource(entry, object));
}

/** Whether two manifest lines are of the same bytes. */
export function sameBytes(a: ManifestEntry, b: ManifestEntry): boolean {
  return a.sizeBytes === b.sizeBytes && a.sha256 === b.sha256;
}

/**
 * Whether the source still has the bytes of a manifest line, as far as a listing can say so: an equal SHA-256, or an
 * equal strong pin with the same size. A weak pin proves nothing here.
 */
export function isUnchangedAtSource(entry: ManifestEntry, object: ObjectEntry): boolean {
  if (object.sizeBytes !== undefined && object.sizeBytes !== entry.sizeBytes) return false;
  if (object.digests?.sha256 !== undefined) return object.digests.sha256 === entry.sha256;
  return sameStrongPin(entry.pin, object.pin);
}

function iterate<T>(stream: Stream<T>): AsyncIterator<T> | Iterator<T> {
  return Symbol.asyncIterator in stream
    ? stream[Symbol.asyncIterator]()
    : stream[Symbol.iterator]();
}

async function next<T>(iterator: AsyncIterator<T> | Iterator<T>): Promise<T | undefined> {
  const step = await iterator.next();
  return step.done === true ? undefined : step.value;
}
