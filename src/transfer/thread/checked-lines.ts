/** Lines with a CRC in front: a torn tail and a damaged line are told from whole ones (rule 15). */
import { crc32 } from 'node:zlib';

/** A line with the CRC-32 of its text in front. */
export function checkedLine(text: string): string {
  return `${crc32(text).toString(16).padStart(8, '0')} ${text}\n`;
}

/** The texts of the whole lines in a checked file; damaged ones and a torn tail are left out. */
export function* readCheckedLines(content: string): Generator<string> {
  for (const line of content.split('\n')) {
    if (line.length < 10 || line[8] !== ' ') continue;
    const text = line.slice(9);
    if (crc32(text).toString(16).padStart(8, '0') === line.slice(0, 8)) yield text;
  }
}

/** The text of one checked line, as bytes; undefined where it is damaged. */
export function checkedText(line: Buffer): string | undefined {
  if (line.length < 10 || line[8] !== 0x20) return undefined;
  const sum = crc32(line.subarray(9)).toString(16).padStart(8, '0');
  return sum === line.toString('latin1', 0, 8) ? line.toString('utf8', 9) : undefined;
}
