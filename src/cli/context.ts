/** What every command gets: its configuration, its output, and the net for secrets. */
import { readConfig, type Config } from '../config.js';
import { commandsAt } from './at-cluster.js';
import { Output, type TextSink } from './output.js';
import type { Redactor } from './redact.js';

/** The flags of one command line as commander gives them. */
export type Flags = Readonly<Record<string, unknown>>;

/** What is known of the pull at hand, for the result line of a command that fails in the middle. */
export interface Subject {
  pullId: string | null;
  destination: string | null;
  /** The result line was printed: there is no second one. */
  hasResult: boolean;
  /** The command has work that goes on when nobody reads its output any more. */
  outlivesReader: boolean;
}

/** The surroundings of a command. */
export interface CommandContext {
  readonly config: Config;
  readonly output: Output;
  readonly redactor: Redactor;
  readonly flags: Flags;
  readonly subject: Subject;
}

/** A command: its arguments in order, to an exit code. */
export type CommandFunction = (
  context: CommandContext,
  args: readonly (string | undefined)[],
) => Promise<number>;

/** Reads the configuration for these flags and opens the output. */
export function createContext(
  flags: Flags,
  redactor: Redactor,
  subject: Subject,
  streams: { readonly stdout: TextSink; readonly stderr: TextSink },
): CommandContext {
  const config = readConfig({ flags });
  const output = new Output({
    ...streams,
    isQuiet: config.settings.get('quiet')?.value === true,
    isJson: config.settings.get('json')?.value === true,
    complete: commandsAt({
      cluster: textFlag(flags, 'cluster'),
      namespace: textFlag(flags, 'namespace'),
    }),
    onResult: () => (subject.hasResult = true),
  });
  return { config, output, redactor, flags, subject };
}

/** The value of a text flag or setting that commander or the configuration holds. */
export function textFlag(flags: Flags, name: string): string | undefined {
  const value = flags[name];
  return typeof value === 'string' ? value : undefined;
}

/** The values of a flag that may be repeated. */
export function listFlag(flags: Flags, name: string): readonly string[] {
  const value = flags[name];
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}
