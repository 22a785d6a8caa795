/** The completion script of fish. */
import type { CompletedCommand, CompletedOption, Words } from './grammar.js';

/** Between single quotes fish knows two escapes. */
const quoted = (text: string): string => `'${text.replace(/[\\']/g, '\\$&')}'`;

/** What follows `complete ...`: -f shuts out file names, -F lets them in, -x says that a value is needed. */
function values(words: Words, starts: readonly string[]): string {
  switch (words.kind) {
    case 'words':
      return `-f -a ${quoted(words.words.join(' '))}`;
    case 'source':
      return `-F -a ${quoted(starts.join(' '))}`;
    case 'pull':
    case 'connection':
      return `-F -a '(waybill __complete ${words.kind}s 2>/dev/null)'`;
    case 'folder':
      return "-f -a '(__fish_complete_directories)'";
    case 'file':
      return '-F';
    case 'nothing':
      return '-f';
  }
}

function optionLine(name: string, option: CompletedOption, starts: readonly string[]): string {
  const { flags, summary, value } = option;
  const spelled = flags.map((flag) =>
    flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`,
  );
  const taking = value === undefined ? '' : ` -r ${values(value, starts)}`;
  const seen = quoted(`__fish_seen_subcommand_from ${name}`);
  return `complete -c waybill -n ${seen} ${spelled.join(' ')}${taking} -d ${quoted(summary)}`;
}

/** Addresses start with `starts`. */
export function fishScript(
  commands: readonly CompletedCommand[],
  starts: readonly string[],
): string {
  const lines = commands.flatMap(({ name, summary, options, words }) => [
    `complete -c waybill -n __fish_use_subcommand -f -a ${name} -d ${quoted(summary)}`,
    ...words.map((word, index) => {
      const at = quoted(`__fish_seen_subcommand_from ${name}; and __waybill_place ${index + 1}`);
      return `complete -c waybill -n ${at} ${values(word, starts)}`;
    }),
    ...options.map((option) => optionLine(name, option, starts)),
  ]);
  return `# Completion of waybill for fish: waybill completion fish > ~/.config/fish/completions/waybill.fish

function __waybill_place
    # Options and their values do not count; an option's value may, where it is written apart.
    set -l words (commandline -opc)
    set -l place (count (string match -v -- '-*' $words[3..-1]))
    test (math $place + 1) -eq $argv[1]
end

complete -c waybill -f
complete -c waybill -n __fish_use_subcommand -f -a help -d 'show the help of a command'
complete -c waybill -n '__fish_seen_subcommand_from help' -f -a ${quoted(commands.map(({ name }) => name).join(' '))}
${lines.join('\n')}
`;
}
