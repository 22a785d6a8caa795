/** Keys of an object store, and the paths that they are below the store's root. */

/** The key of a path below the root; '' for the root of a whole bucket. */
export function keyOf(rootKey: string, path: string): string {
  if (path === '') return rootKey;
  return rootKey === '' ? path : `${rootKey}/${path}`;
}

/** What every key below a folder starts with; '' for a whole bucket. */
export function prefixOf(rootKey: string, path: string): string {
  const key = keyOf(rootKey, path);
  return key === '' ? '' : `${key}/`;
}

/** A path as the contract wants it: a slash at its end, which a caller may give, is dropped. */
export function withoutSlash(path: string): string {
  return path.endsWith('/') ? path.slice(0, -1) : path;
}

/** encodeURIComponent, and the five characters that it leaves although RFC 3986 reserves them. */
export function encodeStrictly(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
