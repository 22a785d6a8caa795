/** The last lines of a terminal, drawn over again and again. */
import type { WriteStream } from 'node:tty';
import { widthOf } from './spans.js';

/** Terminals that know it show what lies between the two at once; the others ignore it. */
const HOLD = '\u001b[?2026h';
const SHOW = '\u001b[?2026l';
/** A window that got narrower a moment ago, unknown to us, cuts a line off instead of breaking it in two. */
const NO_WRAP = '\u001b[?7l';
const WRAP = '\u001b[?7h';
const CLEAR_LINE = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';

/** A line as it is written, and the columns that it takes. */
export interface PictureLine {
  readonly text: string;
  readonly columns: number;
}

/** What the picture needs of a terminal. */
export type PictureStream = Pick<WriteStream, 'columns' | 'rows'> & {
  write(text: string): unknown;
  /** Node's own way to ask for the size now; it does so itself only after a signal, which may be late. */
  _refreshSize?(): void;
};

/** Text without colours. */
export function plainLine(text: string): PictureLine {
  return { text, columns: widthOf(text) };
}

/**
 * A picture at the bottom. Between two frames the cursor stands behind the last line, and is never hidden: whatever ends
 * this process, the terminal is as it was. Nothing is erased before it is written anew, so that nothing flickers.
 */
export class Picture {
  private drawn: readonly PictureLine[] = [];
  private drawnColumns = 0;

  /** `reflows`: the terminal breaks lines anew when it gets narrower; only very old ones do not. */
  constructor(
    private readonly stream: PictureStream,
    private readonly reflows = true,
  ) {}

  /** Draws a frame over the last one. Every line has to be narrower than the terminal. */
  draw(lines: readonly PictureLine[]): void {
    this.stream._refreshSize?.();
    const shown = lines.slice(0, Math.max(1, (this.stream.rows || 24) - 1));
    const body = shown.map(({ text }) => text + CLEAR_LINE).join('\n');
    this.stream.write(HOLD + this.toStart() + NO_WRAP + body + CLEAR_BELOW + WRAP + SHOW);
    this.drawn = shown;
    this.drawnColumns = this.columns();
  }

  /** Takes the picture away; the cursor stands where it began. */
  clear(): void {
    if (this.drawn.length === 0) return;
    this.stream._refreshSize?.();
    this.stream.write(this.toStart() + CLEAR_BELOW);
    this.drawn = [];
  }

  /** Somebody else wrote to the terminal: the next frame is drawn below that. */
  forget(): void {
    this.drawn = [];
  }

  private columns(): number {
    return this.stream.columns || 80;
  }

  /** From behind the last line to the start of the first one. */
  private toStart(): string {
    if (this.drawn.length === 0) return '';
    const columns = this.columns();
    const isNarrower = this.reflows && columns < this.drawnColumns;
    const rows = this.drawn.reduce(
      (sum, line) => sum + (isNarrower ? Math.max(1, Math.ceil(line.columns / columns)) : 1),
      0,
    );
    const up = rows > 1 ? `\u001b[${rows - 1}A` : '';
    // Lines that were broken anew leave rests that no new line covers.
    return `${up}\r${columns === this.drawnColumns ? '' : CLEAR_BELOW}`;
  }
}
