/** The completion script of bash. */
import type { CompletedCommand, Words } from './grammar.js';
import { shellQuote } from '../../model/shell-quote.js';

const list = (words: readonly string[]): string => shellQuote(words.join(' '));

/** The line that fills COMPREPLY; an empty one leaves bash to its own file names. */
function reply(words: Words, starts: readonly string[]): string {
  switch (words.kind) {
    case 'words':
      return `_waybill_words ${list(words.words)}`;
    case 'source':
      return `[[ -n $cur ]] && _waybill_words ${list(starts)} && compopt -o nospace`;
    case 'pull':
    case 'connection':
      return `_waybill_words "$("\${COMP_WORDS[0]}" __complete ${words.kind}s 2>/dev/null)"`;
    case 'folder':
      return 'compopt -o dirnames';
    case 'file':
      return ':';
    case 'nothing':
      return 'compopt +o default';
  }
}

function commandCase(command: CompletedCommand, starts: readonly string[]): string {
  const { name, options, words } = command;
  const flags = options.flatMap((option) => option.flags.filter((flag) => flag.startsWith('--')));
  const values = options.flatMap(({ flags: spellings, value }) =>
    value === undefined ? [] : [`      ${spellings.join('|')}) ${reply(value, starts)}; return ;;`],
  );
  const taking = options.filter(({ value }) => value !== undefined).flatMap((one) => one.flags);
  const places = words.map((word, index) => `      ${index + 1}) ${reply(word, starts)} ;;`);
  return [
    `  ${name})`,
    ...(values.length === 0 ? [] : ['    case $prev in', ...values, '    esac']),
    `    if [[ $cur == -* ]]; then _waybill_words ${list(flags)}; return; fi`,
    `    _waybill_place ${list(taking)}`,
    '    case $REPLY in',
    ...places,
    `      *) ${reply({ kind: 'nothing' }, starts)} ;;`,
    '    esac ;;',
  ].join('\n');
}

/** Addresses start with `starts`. */
export function bashScript(
  commands: readonly CompletedCommand[],
  starts: readonly string[],
): string {
  const names = commands.map(({ name }) => name);
  return `# Completion of waybill for bash. In ~/.bashrc: source <(waybill completion bash)

_waybill_words() {
  local IFS=$' \\t\\n'
  COMPREPLY=($(compgen -W "$1" -- "$cur"))
  (( \${#COMPREPLY[@]} > 0 ))
}

# Into REPLY: which argument the cursor is at. Bash cuts words at ":" and "@", so the line itself is read.
_waybill_place() {
  local -a line
  local word is_value='' place=0
  read -ra line <<<"\${COMP_LINE:0:COMP_POINT}x"
  for word in "\${line[@]:2}"; do
    if [[ -n $is_value ]]; then is_value=''; continue; fi
    case $word in
      -*) [[ " $1 " == *" $word "* ]] && is_value=1 ;;
      *) (( place += 1 )) ;;
    esac
  done
  REPLY=$place
}

_waybill() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} command=\${COMP_WORDS[1]}
  COMPREPLY=()
  if [[ $cur == '=' ]]; then cur=''; elif [[ $prev == '=' ]]; then prev=\${COMP_WORDS[COMP_CWORD-2]}; fi
  if (( COMP_CWORD < 2 )); then _waybill_words ${list([...names, 'help', '--help', '--version'])}; return; fi
  case $command in
  help) _waybill_words ${list(names)} ;;
${commands.map((command) => commandCase(command, starts)).join('\n')}
  esac
}

complete -o default -F _waybill waybill
`;
}
