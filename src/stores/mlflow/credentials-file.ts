/** MLflow's own credentials file, `~/.mlflow/credentials`. */
import { readFileSync } from 'node:fs';
import { parse } from 'ini';
import { WaybillError } from '../../model/errors.js';
import type { ConnectionSecrets } from '../store.js';

const NAMES = ['MLFLOW_TRACKING_USERNAME', 'MLFLOW_TRACKING_PASSWORD'] as const;

/**
 * Name and password in the section `[mlflow]`, by the names of their variables. A file that does not exist has none; one
 * that cannot be read is WB_CONFIG_INVALID. For the command line of whoever owns the file: a worker that read files that
 * a request names would hand its own password to the server that the request names.
 */
export function readCredentialsFile(place: string): ConnectionSecrets {
  let text: string;
  try {
    text = readFileSync(place, 'utf8');
  } catch (cause) {
    const code =
      typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR') return {};
    throw new WaybillError('WB_CONFIG_INVALID', `${place} cannot be read: make it readable`, {
      operation: 'open',
      store: 'mlflow',
      cause,
    });
  }
  const section: unknown = parse(text)['mlflow'];
  if (typeof section !== 'object' || section === null) return {};
  const found: Record<string, string> = {};
  for (const name of NAMES) {
    const value: unknown = Reflect.get(section, name.toLowerCase());
    if (typeof value === 'string' && value !== '') found[name] = value;
  }
  return found;
}
