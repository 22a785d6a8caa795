/** The completion script of zsh. */
import type { CompletedCommand, CompletedOption, Words } from './grammar.js';
import { shellQuote } from '../../model/shell-quote.js';

/** Text inside the brackets or between the colons of an `_arguments` specification. */
const escaped = (text: string): string => text.replace(/[[\]:\\]/g, '\\$&');

function action(words: Words): string {
  switch (words.kind) {
    case 'words':
      return `(${words.words.join(' ')})`;
    case 'source':
      return '_waybill_source';
    case 'pull':
      return '_waybill_pull';
    case 'connection':
      return '_waybill_connection';
    case 'folder':
      return '_files -/';
    case 'file':
      return '_files';
    case 'nothing':
      return ' ';
  }
}

function optionSpecs({ flags, summary, value, isRepeatable }: CompletedOption): string[] {
  const end = value === undefined ? '' : `:value:${action(value)}`;
  const others = isRepeatable ? '*' : `(${flags.join(' ')})`;
  return flags.map((flag) => shellQuote(`${others}${flag}[${escaped(summary)}]${end}`));
}

function commandCase({ name, options, words }: CompletedCommand): string {
  const specs = [
    ...options.flatMap(optionSpecs),
    ...words.map((word, index) => shellQuote(`${index + 1}:argument:${action(word)}`)),
  ];
  return [
    `    ${name})`,
    '      _arguments -s \\',
    specs.map((one) => `        ${one}`).join(' \\\n'),
    '      ;;',
  ].join('\n');
}

/** Addresses start with `starts`. */
export function zshScript(
  commands: readonly CompletedCommand[],
  starts: readonly string[],
): string {
  const described = commands.map(({ name, summary }) =>
    shellQuote(`${name}:${summary.replaceAll(':', '\\:')}`),
  );
  return `#compdef waybill
# Completion of waybill for zsh. In ~/.zshrc, after compinit: source <(waybill completion zsh)

_waybill_source() {
  _files
  compadd -S '' -- ${starts.join(' ')}
}

_waybill_pull() {
  local -a pulls
  pulls=(\${(f)"$(waybill __complete pulls 2>/dev/null)"})
  compadd -- $pulls
  _files -/
}

_waybill_connection() {
  local -a names
  names=(\${(f)"$(waybill __complete connections 2>/dev/null)"})
  compadd -- $names
}

_waybill() {
  local -a commands
  commands=(
${described.map((line) => `    ${line}`).join('\n')}
    'help:show the help of a command'
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  shift words
  (( CURRENT -= 1 ))
  case $words[1] in
    help) (( CURRENT == 2 )) && _describe command commands ;;
${commands.map(commandCase).join('\n')}
  esac
}

if [ "$funcstack[1]" = "_waybill" ]; then
  _waybill "$@"
else
  compdef _waybill waybill
fi
`;
}
