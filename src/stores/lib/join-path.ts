/** Joins two relative paths of which either may be empty. */
export function joinPath(left: string, right: string): string {
  if (left === '' || right === '') return left + right;
  return `${left}/${right}`;
}
