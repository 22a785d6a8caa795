/** What can be completed, read off the parser: nothing is said twice. */
import type { Command } from 'commander';
import { SETTINGS } from '../../config/settings.js';

/** What a word may be: one of a few, or something that lies on this machine. */
export type Words =
  | { readonly kind: 'words'; readonly words: readonly string[] }
  /** A source: a path, or the start of an address. */
  | { readonly kind: 'source' | 'file' | 'folder' | 'pull' | 'connection' | 'nothing' };

/** An option with its spellings. */
export interface CompletedOption {
  readonly flags: readonly string[];
  readonly summary: string;
  /** Absent: it takes no value. */
  readonly value?: Words;
  readonly isRepeatable: boolean;
}

/** A command, or a command below one. */
export interface CompletedCommand {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly CompletedOption[];
  readonly words: readonly Words[];
}

const VALUES: Readonly<Record<string, Words['kind']>> = {
  '--files-from': 'file',
  '--expect': 'file',
  '--receipt-out': 'file',
  '--connection': 'connection',
};

const ARGUMENTS: Readonly<Record<string, Words['kind']>> = {
  source: 'source',
  destination: 'folder',
  directory: 'folder',
  id: 'pull',
};

function place(kind: Words['kind'] | undefined): Words {
  return kind === undefined || kind === 'words' ? { kind: 'nothing' } : { kind };
}

function valueOf(long: string): Words {
  const words = SETTINGS.find(({ name }) => `--${name}` === long)?.words;
  return words === undefined ? place(VALUES[long]) : { kind: 'words', words };
}

function commandOf(command: Command): CompletedCommand {
  const options = command.createHelp().visibleOptions(command);
  const below = command.commands.map((one) => one.name());
  const words: Words[] = command.registeredArguments.map((argument) =>
    argument.argChoices === undefined
      ? place(ARGUMENTS[argument.name()])
      : { kind: 'words', words: argument.argChoices },
  );
  return {
    name: command.name(),
    summary: command.description(),
    options: options.map(({ long, short, description, required, optional, defaultValue }) => ({
      flags: [long, short].filter((flag) => typeof flag === 'string'),
      summary: description,
      isRepeatable: Array.isArray(defaultValue) || /may be repeated/.test(description),
      ...(required || optional ? { value: valueOf(long ?? '') } : {}),
    })),
    words: below.length > 0 ? [{ kind: 'words', words: below }] : words,
  };
}

/** Every command that is shown, in the order of `--help`; a command below another has the options of its last one. */
export function grammarOf(program: Command): readonly CompletedCommand[] {
  const help = program.createHelp();
  return help
    .visibleCommands(program)
    .filter((command) => command.name() !== 'help')
    .map((command) => {
      const found = commandOf(command);
      const below = command.commands.flatMap((one) => commandOf(one).options);
      return below.length === 0 ? found : { ...found, options: below };
    });
}
