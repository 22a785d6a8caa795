/** Keys as S3 gives them in listings. */

/**
 * Decodes a name of a listing with `encoding-type=url`: form encoding, where `+` is a space. A name that is no UTF-8 keeps its odd
 * bytes as lone surrogates (as Python's surrogateescape does), which the path guard refuses by name.
 */
export function decodeListed(text: string): string {
  const spaced = text.replaceAll('+', ' ');
  try {
    return decodeURIComponent(spaced);
  } catch {
    return spaced.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => {
      const byte = Number.parseInt(hex, 16);
      return String.fromCharCode(byte < 0x80 ? byte : 0xdc00 + byte);
    });
  }
}
