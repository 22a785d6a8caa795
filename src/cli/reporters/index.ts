/** Chooses how a pull is told. */
import { terminalHints } from '../../config.js';
import type { CommandContext } from '../context.js';
import { JsonReporter } from './json.js';
import { PlainReporter } from './plain.js';
import type { Reporter } from './reporter.js';

export type { PullLabel, Reporter, Stopped } from './reporter.js';

/** The reporter that fits the flags and the terminal. `keys` are told in the last line of the picture. */
export async function chooseReporter(
  { output, subject }: CommandContext,
  source: string,
  hint: string | undefined,
): Promise<Reporter> {
  if (output.isJson) return new JsonReporter(output, source, subject);
  const stream = process.stderr;
  const hints = terminalHints(stream.isTTY);
  if (!stream.isTTY || output.isQuiet || !hints.hasCursor) return new PlainReporter(output, source);
  const { TerminalReporter } = await import('./terminal.js');
  return new TerminalReporter({ output, stream, source, hint, ...hints });
}
