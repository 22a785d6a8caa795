/** `waybill completion bash|zsh|fish`: the script that a shell completes with, and what it asks for. */
import type { Command } from 'commander';
import { WaybillError } from '../../model/errors.js';
import { STORE_FACTORIES } from '../../stores/index.js';
import { bashScript } from '../completion/bash.js';
import { fishScript } from '../completion/fish.js';
import { grammarOf } from '../completion/grammar.js';
import { zshScript } from '../completion/zsh.js';
import type { CommandContext, CommandFunction } from '../context.js';
import { findSession } from '../session.js';

const SHELLS = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;

/** `s3://`, `models:/`, ...: how addresses start. */
function startsOfSources(): string[] {
  const forms = STORE_FACTORIES.flatMap((factory) => factory.forms);
  const starts = forms.flatMap((form) => /^[a-z][a-z0-9+.-]*:\/+/.exec(form)?.[0] ?? []);
  return [...new Set(starts)].sort();
}

/** The command that prints the script of a shell, made from the parser. */
export function completionOf(program: Command): CommandFunction {
  return ({ output }, [shell = '']) => {
    if (shell !== 'bash' && shell !== 'zsh' && shell !== 'fish') {
      throw new WaybillError('WB_USAGE', `"${shell}" is no shell that can be completed`);
    }
    const script = SHELLS[shell](grammarOf(program), startsOfSources());
    if (output.isJson) output.jsonResult({ shell, script });
    else output.rawResult(script.trimEnd());
    return Promise.resolve(0);
  };
}

/** Pulls that a completion shows. */
const MAX_PULLS = 50;

async function pullIds({ config }: CommandContext): Promise<readonly string[]> {
  // A key press starts no service.
  const session = await findSession({ config, onProgress: () => undefined });
  if (!session) return [];
  try {
    const pulls = await session.client.list({ onlyLatest: true, limit: MAX_PULLS });
    return pulls.map(({ pullId }) => pullId);
  } finally {
    await session.close();
  }
}

/** What a completion script asks while somebody types: `__complete pulls|connections`. */
export async function runComplete(
  context: CommandContext,
  [what]: readonly (string | undefined)[],
): Promise<number> {
  const { config, output } = context;
  const words =
    what === 'pulls' ? await pullIds(context) : config.connections.map(({ name }) => name);
  for (const word of words) output.rawResult(word);
  return 0;
}
