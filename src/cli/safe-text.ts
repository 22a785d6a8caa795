/** Makes text from elsewhere harmless to a terminal: names at a source are hostile. */

/** First and last code unit of each range: C0, DEL and C1, then separators and marks that reorder text. */
const DANGEROUS: readonly (readonly [number, number])[] = [
  [0x00, 0x1f],
  [0x7f, 0x9f],
  [0x61c, 0x61c],
  [0x200e, 0x200f],
  [0x2028, 0x202e],
  [0x2066, 0x2069],
  [0xfeff, 0xfeff],
];

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

function escape(character: string): string {
  const short = SHORT[character];
  if (short !== undefined) return short;
  const code = character.charCodeAt(0);
  if (!DANGEROUS.some(([first, last]) => code >= first && code <= last)) return character;
  const hex = code.toString(16);
  return code < 0x100 ? `\\x${hex.padStart(2, '0')}` : `\\u${hex.padStart(4, '0')}`;
}

/** One line without control characters, direction marks and lone surrogates; they are shown as escapes. */
export function safeText(text: string): string {
  return Array.from(text.toWellFormed(), escape).join('');
}

/** As `safeText`, but line breaks stay: for messages of several lines. */
export function safeLines(text: string): string {
  return text.split('\n').map(safeText).join('\n');
}
