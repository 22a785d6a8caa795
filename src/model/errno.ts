/** The `code` of an error of the operating system (`ENOENT`), also of one from another realm; else undefined. */
export function errnoOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** Numbers that neither Node.js nor libuv has a name for. */
const NAMELESS: Readonly<Record<number, string>> = { 112: 'EHOSTDOWN', 117: 'EUCLEAN' };

/**
 * The same, also of an error that libuv has no name for (ESTALE, EDQUOT): it comes as `Unknown system error -116`, or as UNKNOWN with
 * that number.
 * @param numbers `constants.errno` of `node:os`
 */
export function namedErrnoOf(
  error: unknown,
  numbers: Readonly<Record<string, number>>,
): string | undefined {
  const code = errnoOf(error);
  if (code === undefined || typeof error !== 'object' || error === null) return undefined;
  const unnamed =
    code === 'UNKNOWN' && 'errno' in error
      ? String(error.errno).slice(1)
      : /^Unknown system error -(\d+)$/u.exec(code)?.[1];
  if (unnamed === undefined) return code;
  const number = Number(unnamed);
  const known = Object.entries(numbers).find(([, value]) => value === number)?.[0];
  return known ?? NAMELESS[number] ?? code;
}
