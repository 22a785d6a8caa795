/** A word as a POSIX shell takes it, quoted only where it must be. */
export function shellQuote(word: string): string {
  if (/^[\w@%+=:,./~-]+$/.test(word) && !word.startsWith('~')) return word;
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
