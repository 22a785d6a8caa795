/** The order in which a tree is walked so that its paths come out in byte order. */
import { compareByBytes } from '../../model/object-path.js';

/** A name of a folder, or the content of a subfolder: `a` and its content `a/` sort apart, around `a.txt`. */
export interface WalkItem<T> {
  readonly name: string;
  readonly isContent: boolean;
  readonly of: T;
}

/**
 * Sorts the names of one folder for a walk. A name that may be a folder comes twice, the second time for its content;
 * without `recursive` only once. What was named twice is walked once: a file system may tell a slow reader a name again.
 */
export function walkOrder<T extends { readonly name: string }>(
  found: readonly T[],
  mayBeFolder: (one: T) => boolean,
  recursive: boolean,
): WalkItem<T>[] {
  const items = found.flatMap((of) => {
    const own = { key: of.name, name: of.name, isContent: false, of };
    if (!recursive || !mayBeFolder(of)) return [own];
    return [own, { ...own, key: `${of.name}/`, isContent: true }];
  });
  items.sort((a, b) => compareByBytes(a.key, b.key));
  return items.filter((item, index) => {
    const before = items[index - 1];
    return before?.key !== item.key || mayBeFolder(before.of) !== mayBeFolder(item.of);
  });
}
