/** Text in lines, out of chunks of bytes, without ever holding more than one line. */
import { WaybillError } from '../model/errors.js';
import type { ErrorCode } from '../model/errors.js';

/** Bytes or text as they arrive: a file's stream, a body, or a list of strings. */
export type Chunks = AsyncIterable<Uint8Array | string> | Iterable<Uint8Array | string>;

/** One line without its line feed. `isTorn`: the text ended before a line feed came. */
export interface Line {
  readonly text: string;
  /** Counted from 1. */
  readonly number: number;
  readonly isTorn: boolean;
}

/** What the text is called in messages, and the code of the errors thrown about it. */
export interface LineOptions {
  readonly name: string;
  readonly code: ErrorCode;
  /** Longest line in UTF-16 units. Default 64 KiB. */
  readonly maxLineLength?: number;
}

const DEFAULT_MAX_LINE_LENGTH = 65_536;

/**
 * Splits text at LF. A final line without LF is yielded with `isTorn`. Throws with the options' code for a line
 * that is too long and for bytes that are no UTF-8.
 */
export async function* splitLines(chunks: Chunks, options: LineOptions): AsyncGenerator<Line> {
  const longest = options.maxLineLength ?? DEFAULT_MAX_LINE_LENGTH;
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let number = 0;
  let rest = '';
  const check = (length: number): void => {
    if (length <= longest) return;
    throw new WaybillError(
      options.code,
      `line ${number + 1} of ${options.name} is longer than ${longest} characters: this is no such file`,
      { operation: 'parse' },
    );
  };
  for await (const chunk of chunks) {
    rest += decode(decoder, chunk, options, number + 1);
    let start = 0;
    for (;;) {
      const end = rest.indexOf('\n', start);
      if (end < 0) break;
      check(end - start);
      number += 1;
      yield { text: rest.slice(start, end), number, isTorn: false };
      start = end + 1;
    }
    rest = rest.slice(start);
    check(rest.length);
  }
  rest += decode(decoder, undefined, options, number + 1);
  if (rest !== '') yield { text: rest, number: number + 1, isTorn: true };
}

function decode(
  decoder: InstanceType<typeof TextDecoder>,
  chunk: Uint8Array | string | undefined,
  options: LineOptions,
  line: number,
): string {
  if (typeof chunk === 'string') return chunk;
  try {
    return chunk === undefined ? decoder.decode() : decoder.decode(chunk, { stream: true });
  } catch (cause) {
    throw new WaybillError(
      options.code,
      `${options.name} holds bytes that are no UTF-8, near line ${line}`,
      { operation: 'parse', cause },
    );
  }
}
