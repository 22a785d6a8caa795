/** The two ways out of a command: stdout carries results only, stderr everything else. */
import { safeLines } from './safe-text.js';

/** A stream that takes text; `process.stdout` is one. */
export interface TextSink {
  write(text: string): unknown;
  /** The reader does not keep up: what is written now waits in memory. */
  readonly writableNeedDrain?: boolean;
  once?(event: 'drain', listener: () => void): unknown;
}

/** How a command speaks. */
export interface OutputOptions {
  readonly stdout: TextSink;
  readonly stderr: TextSink;
  readonly isQuiet: boolean;
  readonly isJson: boolean;
  /** Completes commands to type. */
  readonly complete?: (text: string) => string;
  /** The result line was printed. */
  readonly onResult?: () => void;
}

/** The output of one command. */
export class Output {
  readonly isQuiet: boolean;
  readonly isJson: boolean;

  constructor(private readonly options: OutputOptions) {
    this.isQuiet = options.isQuiet;
    this.isJson = options.isJson;
  }

  /** Whether the reader of stdout does not keep up. */
  get isBehind(): boolean {
    return this.options.stdout.writableNeedDrain === true;
  }

  /** Resolves when the reader has taken what was written; at once where it keeps up. */
  async caughtUp(): Promise<void> {
    const { stdout } = this.options;
    if (!this.isBehind) return;
    await new Promise<void>((resolve) => void stdout.once?.('drain', resolve));
  }

  /** A result, on stdout. Control characters in it are escaped. */
  result(text: string): void {
    this.options.stdout.write(`${this.shown(text)}\n`);
  }

  /** A result that a script reads byte by byte, such as a path; on stdout, nothing escaped. */
  rawResult(text: string): void {
    this.options.stdout.write(`${text}\n`);
  }

  /** One JSON document on one line, on stdout. */
  json(value: object): void {
    this.options.stdout.write(`${JSON.stringify(value)}\n`);
    if ('type' in value && value.type === 'result') this.options.onResult?.();
  }

  /** The last line of a command that came to its end, with what it found. */
  jsonResult(found: object = {}, exitCode = 0): void {
    this.json({ type: 'result', ok: exitCode === 0, exitCode, code: null, ...found });
  }

  /** Something worth knowing, on stderr; silent with --quiet. */
  say(text: string): void {
    if (!this.isQuiet) this.options.stderr.write(`${this.shown(text)}\n`);
  }

  /** A problem, on stderr, also with --quiet. */
  complain(text: string): void {
    this.options.stderr.write(`${this.shown(text)}\n`);
  }

  private shown(text: string): string {
    return safeLines(this.options.complete?.(text) ?? text);
  }
}
