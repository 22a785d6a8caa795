/** Host patterns of OpenSSH: `*` and `?`, and `!` before a pattern that must not match. */

/** Whether a list of patterns matches a name: one does, and none of those with `!`. */
export function matchesHost(patterns: readonly string[], name: string): boolean {
  let isFound = false;
  for (const pattern of patterns) {
    const isNegated = pattern.startsWith('!');
    if (!patternOf(isNegated ? pattern.slice(1) : pattern).test(name)) continue;
    if (isNegated) return false;
    isFound = true;
  }
  return isFound;
}

function patternOf(glob: string): RegExp {
  const source = glob
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, 'i');
}
