/** What the stores of objects under keys (S3, Azure, GCS) say alike. */
import { WaybillError } from '../../model/errors.js';
import type { Digests, Pin } from '../../model/object-entry.js';
import type { ListOptions } from '../store.js';
import type { ObjectFacts, ObjectListing } from './list-objects.js';
import { keyOf, prefixOf } from './object-keys.js';

/** What is known of an object beside its path; what is undefined is left out. */
export function objectFacts(known: {
  readonly sizeBytes: number | undefined;
  readonly modifiedAt: string | undefined;
  readonly pin: Pin | undefined;
  readonly digests?: Digests;
}): ObjectFacts {
  const { sizeBytes, modifiedAt, pin, digests = {} } = known;
  return {
    ...(sizeBytes === undefined ? {} : { sizeBytes }),
    ...(modifiedAt === undefined ? {} : { modifiedAt }),
    ...(pin === undefined ? {} : { pin }),
    ...(Object.keys(digests).length === 0 ? {} : { digests }),
  };
}

/** The listing of what lies below a path of a store's root. */
export function listingBelow(
  store: string,
  rootKey: string,
  path: string,
  operation: string,
  { signal, again }: Partial<ListOptions>,
): ObjectListing {
  return {
    store,
    keyPrefix: prefixOf(rootKey, path),
    rootPrefixLength: prefixOf(rootKey, '').length,
    path,
    operation,
    ...(signal === undefined ? {} : { signal }),
    ...(again === undefined ? {} : { again }),
  };
}

/** The error of a path with neither an object nor anything below it. `container` as in `s3://bucket`. */
export function nothingThere(
  container: string,
  { store, keyPrefix, operation, path }: ObjectListing,
): WaybillError {
  return new WaybillError(
    'WB_NOT_FOUND',
    `there is no object ${container}/${keyPrefix.slice(0, -1)}, and none below it`,
    { operation, store, path, ...(path === '' ? { scope: 'source' as const } : {}) },
  );
}

/** The key of a file to read. A folder, which is no file, is WB_NOT_FOUND. */
export function fileKeyOf(
  store: string,
  { rootKey, root }: { readonly rootKey: string; readonly root: string },
  path: string,
): string {
  const key = keyOf(rootKey, path);
  if (key !== '' && !key.endsWith('/')) return key;
  const message = `${root} is a folder, which cannot be read`;
  throw new WaybillError('WB_NOT_FOUND', message, { operation: 'openRead', store, path });
}

/** What is described; undefined where one file is missing, and not the whole source. */
export async function unlessMissing<T>(describing: Promise<T>): Promise<T | undefined> {
  try {
    return await describing;
  } catch (error) {
    const isMissing = error instanceof WaybillError && error.code === 'WB_NOT_FOUND';
    if (isMissing && error.scope === 'file') return undefined;
    throw error;
  }
}
