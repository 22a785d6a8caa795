/** Which paths of a source are wanted. */
import picomatch from 'picomatch';
import type { PullRequest } from '../../model/pull.js';

/** Answers whether a path, relative to the source's root, is wanted. */
export type PathFilter = (path: string) => boolean;

/**
 * A pattern without `/` matches at any depth, `dir/` is all below it, and dotfiles count. Anything else is matched
 * against the whole path.
 */
function matcherOf(pattern: string): PathFilter {
  // Not `dir/**`: picomatch takes that for a file called `dir` too.
  const below = pattern.endsWith('/') ? `${pattern}**/*` : pattern;
  const rooted = below.startsWith('/') ? below.slice(1) : below;
  const hasSlash = below.includes('/');
  return picomatch(rooted, { dot: true, ...(hasSlash ? {} : { basename: true }) });
}

/** The filter of a request: one of the includes (if there are any) and none of the excludes, and listed in `files`. */
export function filterOf(filters: PullRequest['filters']): PathFilter {
  const include = filters.include.map(matcherOf);
  const exclude = filters.exclude.map(matcherOf);
  const files = filters.files === undefined ? undefined : new Set(filters.files);
  return (path) =>
    (files === undefined || files.has(path)) &&
    (include.length === 0 || include.some((matches) => matches(path))) &&
    !exclude.some((matches) => matches(path));
}

/** Whether a request asks for a part of its source only. */
export function isFiltered(filters: PullRequest['filters']): boolean {
  return filters.include.length + filters.exclude.length > 0 || filters.files !== undefined;
}
