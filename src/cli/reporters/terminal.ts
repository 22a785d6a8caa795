/** A picture of the pull in a terminal, drawn again a few times a second, on stderr. */
import { Chalk, type ChalkInstance } from 'chalk';
import type { WriteStream } from 'node:tty';
import type { PullStatus } from '../../model/pull.js';
import type { PullEvent } from '../events.js';
import type { Output } from '../output.js';
import { Picture } from '../progress/picture.js';
import { renderLines } from '../progress/render.js';
import { widthOf, type Line, type Tone } from '../progress/spans.js';
import { addStatus, emptyView, type View } from '../progress/view.js';
import { safeText } from '../safe-text.js';
import { Remarks, startedText } from './event-text.js';
import { tellResult, tellStopped } from './final.js';
import { OFTEN, type PullLabel, type Reporter, type Stopped } from './reporter.js';
import type { PullResult } from '../../model/pull.js';

const FRAME_MS = 125;

/** Retries and failures that get a line of their own; after that the counts tell. */
const MAX_REMARKS = 30;

/** What the terminal reporter needs. */
export interface TerminalOptions {
  readonly output: Output;
  readonly stream: WriteStream;
  readonly source: string;
  readonly hasColor: boolean;
  readonly isUnicode: boolean;
  readonly reflows: boolean;
  readonly hint: string | undefined;
}

/** Draws the pull. */
export class TerminalReporter implements Reporter {
  readonly looks = OFTEN;
  private view: View;
  private readonly remarks = new Remarks(MAX_REMARKS);
  private isOpen = true;
  private readonly timer: NodeJS.Timeout;
  private readonly picture: Picture;
  private readonly chalk: ChalkInstance;

  constructor(private readonly options: TerminalOptions) {
    this.view = emptyView(options.source);
    this.picture = new Picture(options.stream, options.reflows);
    this.chalk = new Chalk({ level: options.hasColor ? 1 : 0 });
    this.timer = setInterval(() => this.redraw(), FRAME_MS);
    this.timer.unref();
    process.on('SIGCONT', this.onContinued);
  }

  prelude(line: string): void {
    this.view = { ...this.view, prelude: line };
    this.redraw();
  }

  started(label: PullLabel): void {
    this.above(startedText(label));
    this.view = { ...this.view, prelude: 'waiting for the first news', hint: this.options.hint };
    this.redraw();
  }

  update(status: PullStatus, events: readonly PullEvent[]): void {
    this.view = addStatus(this.view, status, performance.now());
    for (const text of this.remarks.of(events)) this.above(text);
  }

  remark(text: string): void {
    this.above(text);
  }

  finish(result: PullResult, label: PullLabel): void {
    this.close();
    tellResult(this.options.output, result, label);
  }

  stopped(stopped: Stopped): void {
    this.close();
    tellStopped(this.options.output, stopped);
  }

  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    clearInterval(this.timer);
    process.off('SIGCONT', this.onContinued);
    this.picture.clear();
  }

  /** After Ctrl-Z and `fg` the shell has written below the picture. */
  private readonly onContinued = (): void => this.picture.forget();

  /** Writes a line that stays, above the picture. */
  private above(text: string): void {
    this.picture.clear();
    this.options.stream.write(`${safeText(text)}\n`);
    this.redraw();
  }

  private redraw(): void {
    if (!this.isOpen) return;
    const { stream, isUnicode } = this.options;
    // One column less: a line that fills the last one wraps in some terminals.
    const columns = Math.max(20, (stream.columns || 80) - 1);
    const maxFiles = Math.max(0, Math.min(6, (stream.rows || 24) - 8));
    const lines = renderLines(this.view, { columns, maxFiles, isUnicode }, performance.now());
    this.picture.draw(
      lines.map((line) => ({
        text: this.paint(line),
        columns: line.reduce((sum, part) => sum + widthOf(part.text), 0),
      })),
    );
  }

  private paint(line: Line): string {
    return line.map(({ text, tone }) => this.tint(this.drawable(text), tone)).join('');
  }

  private drawable(text: string): string {
    return this.options.isUnicode ? text : text.replaceAll('…', '~');
  }

  private tint(text: string, tone: Tone): string {
    switch (tone) {
      case 'plain':
        return text;
      case 'dim':
        return this.chalk.dim(text);
      case 'bold':
        return this.chalk.bold(text);
      case 'good':
        return this.chalk.green(text);
      case 'warn':
        return this.chalk.yellow(text);
      case 'bad':
        return this.chalk.red(text);
    }
  }
}
