/** Names that are bytes at the source, as text. */

/**
 * Bytes as UTF-8. Where they are none, every byte from 0x80 on becomes a lone surrogate (Python's `surrogateescape`), so
 * that the path guard refuses the name instead of reading another file.
 */
export function nameOfBytes(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  if (Buffer.from(text, 'utf8').equals(bytes)) return text;
  return [...bytes].map((byte) => String.fromCharCode(byte < 0x80 ? byte : 0xdc00 + byte)).join('');
}

/** Percent-decodes once. A percent sign without two hex digits stands for itself. */
export function percentDecodeOnce(text: string): string {
  if (!text.includes('%')) return text;
  const parts: Buffer[] = [];
  for (const part of text.split(/(%[0-9a-fA-F]{2})/)) {
    const isEscape = /^%[0-9a-fA-F]{2}$/.test(part);
    parts.push(isEscape ? Buffer.from(part.slice(1), 'hex') : Buffer.from(part, 'utf8'));
  }
  return nameOfBytes(Buffer.concat(parts));
}

/** A path with every segment percent-encoded, for a URL. The caller has refused lone surrogates and dot segments. */
export function percentEncodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}
