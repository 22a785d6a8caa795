/** The lines of a long file, one after another with their offsets, a few pieces in memory at a time. */
import { open } from 'node:fs/promises';

/** Read at once, where the caller says nothing else. */
const CHUNK_BYTES = 1024 * 1024;
const LINE_FEED = 10;

/** One line without its line feed. */
export interface ScannedLine {
  /** Good until the next line is asked for. */
  readonly bytes: Buffer;
  readonly offsetBytes: number;
}

/** The whole lines of a file from an offset on, chunk by chunk; a torn last line is left out. Throws what `node:fs` throws. */
export async function* scanLines(
  path: string,
  options: {
    readonly fromBytes?: number;
    readonly chunkBytes?: number;
    readonly onChunk?: (chunk: Buffer) => void;
  } = {},
): AsyncGenerator<readonly ScannedLine[]> {
  const { fromBytes = 0, chunkBytes = CHUNK_BYTES, onChunk } = options;
  const handle = await open(path, 'r');
  try {
    let rest: Buffer = Buffer.alloc(0);
    let position = fromBytes;
    for (;;) {
      const buffer = Buffer.allocUnsafeSlow(chunkBytes);
      const { bytesRead } = await handle.read(buffer, 0, chunkBytes, position);
      if (bytesRead === 0) return;
      const read = buffer.subarray(0, bytesRead);
      onChunk?.(read);
      let offsetBytes = position - rest.length;
      const chunk = rest.length === 0 ? read : Buffer.concat([rest, read]);
      position += bytesRead;
      const lines: ScannedLine[] = [];
      let start = 0;
      for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
        lines.push({ bytes: chunk.subarray(start, end), offsetBytes });
        offsetBytes += end + 1 - start;
        start = end + 1;
      }
      rest = Buffer.from(chunk.subarray(start));
      yield lines;
    }
  } finally {
    await handle.close();
  }
}
