/** MLRun's own file of variables: `~/.mlrun.env`, or the one that MLRUN_ENV_FILE names. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { WaybillError } from '../../model/errors.js';

/**
 * Its variables. The file of the home folder need not be there; one that is named, or cannot be read, is WB_CONFIG_INVALID. For the
 * command line of whoever owns the file.
 */
export function readEnvFile(
  homeDir: string,
  named: string | undefined,
): Readonly<Record<string, string>> {
  const place =
    named === undefined || named === ''
      ? join(homeDir, '.mlrun.env')
      : named.replace(/^~(?=\/)/, homeDir);
  let text: string;
  try {
    text = readFileSync(place, 'utf8');
  } catch (cause) {
    const code: unknown =
      typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined;
    const isAbsent = code === 'ENOENT' || code === 'ENOTDIR';
    if (isAbsent && (named === undefined || named === '')) return {};
    const how = isAbsent
      ? 'is not there: MLRUN_ENV_FILE names it'
      : 'cannot be read: make it readable';
    throw new WaybillError('WB_CONFIG_INVALID', `${place} ${how}`, {
      operation: 'open',
      store: 'mlrun',
      cause,
    });
  }
  return parseEnvFile(text);
}

/** `NAME=value` a line, quotes and `export` as a shell has them. */
export function parseEnvFile(text: string): Readonly<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const line of text.split('\n')) {
    const match = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*$/.exec(line);
    if (match === null) continue;
    const [, name = '', value = ''] = match;
    const quoted = /^(["'])(.*?)\1/.exec(value);
    found[name] = quoted === null ? value.replace(/\s+#.*$/, '') : (quoted[2] ?? '');
  }
  return found;
}
