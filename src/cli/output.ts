/** The two ways out of a command: stdout carries results only, stderr everything else. */
import { safeLines } from './safe-text.js';

/** A stream that takes text; `process.stdout` is one. */
export interface TextSink {
  write(text: string): unknown;
}

/** How a command speaks. */
export interface OutputOptions {
  readonly stdout: TextSink;
  readonly stderr: TextSink;
  readonly isQuiet: boolean;
  readonly isJson: boolean;
}

/** The output of one command. */
export class Output {
  readonly isQuiet: boolean;
  readonly isJson: boolean;

  constructor(private readonly options: OutputOptions) {
    this.isQuiet = options.isQuiet;
    this.isJson = options.isJson;
  }

  /** A result, on stdout. Control characters in it are escaped. */
  result(text: string): void {
    this.options.stdout.write(`${safeLines(text)}\n`);
  }

  /** A result that a script reads byte by byte, such as a path; on stdout, nothing escaped. */
  rawResult(text: string): void {
    this.options.stdout.write(`${text}\n`);
  }

  /** One JSON document on one line, on stdout. */
  json(value: unknown): void {
    this.options.stdout.write(`${JSON.stringify(value)}\n`);
  }

  /** Something worth knowing, on stderr; silent with --quiet. */
  say(text: string): void {
    if (!this.isQuiet) this.options.stderr.write(`${safeLines(text)}\n`);
  }

  /** A problem, on stderr, also with --quiet. */
  complain(text: string): void {
    this.options.stderr.write(`${safeLines(text)}\n`);
  }
}
