/** What an FTP server answers on the control connection (RFC 959, 4.2). */

/** One answer, of one line or more. */
export interface Reply {
  readonly code: number;
  /** Its lines, in bytes as latin1: names are decoded where they are used. */
  readonly lines: readonly string[];
}

/** No answer is longer; a server that sends more is none. */
const MAX_REPLY_CHARACTERS = 64 * 1024;

/** Puts answers together, however their bytes are cut. */
export class ReplyParser {
  private rest = '';
  private lines: string[] = [];
  private size = 0;

  /** What came so far is no whole answer. */
  get isWithin(): boolean {
    return this.rest !== '' || this.lines.length > 0;
  }

  /** The answers that these bytes complete. Throws where they are none. */
  push(bytes: Buffer): Reply[] {
    const replies: Reply[] = [];
    const pieces = (this.rest + bytes.toString('latin1')).split('\n');
    this.rest = pieces.pop() ?? '';
    this.size += bytes.length;
    for (const piece of pieces) {
      this.lines.push(piece.replace(/\r$/, ''));
      const reply = completed(this.lines);
      if (reply === undefined) continue;
      replies.push(reply);
      this.lines = [];
      this.size = 0;
    }
    if (this.size > MAX_REPLY_CHARACTERS) throw notFtp('its answer does not end');
    return replies;
  }
}

/** The code of an error that says that no FTP is spoken here. */
export const NOT_FTP = 'WB_NOT_FTP';

function notFtp(why: string): Error {
  return Object.assign(new Error(why), { code: NOT_FTP });
}

function completed(lines: readonly string[]): Reply | undefined {
  const [, code, dash] = /^([1-6]\d\d)(?:(-)|[ ]|$)/.exec(lines[0] ?? '') ?? [];
  if (code === undefined) throw notFtp('its answer has no code');
  if (dash === undefined) return { code: Number(code), lines: [...lines] };
  const isEnd = lines.length > 1 && /^\d\d\d(?: |$)/.test(lines.at(-1) ?? '');
  if (!isEnd || !lines.at(-1)?.startsWith(code)) return undefined;
  return { code: Number(code), lines: [...lines] };
}

/** The words of an answer for a person: one line, no control characters, at most 200. */
export function wordsOf({ lines }: Reply): string {
  const text = Buffer.from(lines.join(' '), 'latin1').toString('utf8');
  const line = text.replace(/[\p{Cc}\s]+/gu, ' ').trim();
  return line.length > 200 ? `${line.slice(0, 200)}…` : line;
}

/** An answer that is no success. */
export class Refusal extends Error {
  constructor(
    readonly reply: Reply,
    /** The command's own word: `RETR`; never what follows it. */
    readonly command: string,
  ) {
    super(wordsOf(reply));
  }
}
