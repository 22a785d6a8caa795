/** Where one path lies to another. */

/** Whether one absolute, normalised path is another or lies below it. Links are the caller's to resolve. */
export function isInside(root: string, path: string): boolean {
  return path === root || path.startsWith(root === '/' ? '/' : `${root}/`);
}
