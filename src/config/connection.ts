/** What a `[connections.NAME]` table means to its store: settings that may be kept, and secrets that may not. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import picomatch from 'picomatch';
import { errnoOf } from '../model/errno.js';
import { WaybillError } from '../model/errors.js';
import { nearestOf } from './nearest.js';
import { variableName } from './variable-name.js';
import type { ConnectionTable } from './toml-file.js';

/** The names that a store knows, as its factory lists them. */
export interface KnownVariables {
  readonly settings: readonly string[];
  readonly secrets: readonly string[];
  /** The setting that `url` stands for. */
  readonly url?: string;
}

/** A connection with its values; the keys are names of variables. */
export interface Connection {
  readonly name: string;
  readonly settings: Readonly<Record<string, string>>;
  readonly secrets: Readonly<Record<string, string>>;
}

/** Variables that name a file, a folder or a socket. */
export const PATH_VARIABLE =
  /(_FILE|_DIR|_PATH|_BUNDLE|^NODE_EXTRA_CA_CERTS|^GOOGLE_APPLICATION_CREDENTIALS|^CLOUDSDK_CONFIG|^HADOOP_HOME|^HADOOP_TOKEN_FILE_LOCATION|^MLFLOW_KERBEROS_TICKET_CACHE)$/;

function invalid(table: ConnectionTable, why: string): WaybillError {
  return new WaybillError('WB_CONFIG_INVALID', `${table.file}: connections.${table.name}${why}`);
}

function readSecretFile(table: ConnectionTable, key: string, path: string): string {
  try {
    return readFileSync(resolve(dirname(table.file), path), 'utf8').trimEnd();
  } catch (error) {
    const code = errnoOf(error);
    throw invalid(table, `.${key}: the file ${path} cannot be read (${String(code)})`);
  }
}

/** The variable that a key means: `aws_region` is AWS_REGION, `ca_file` WAYBILL_CA_FILE; undefined: none of those known. */
function variableOf(key: string, known: readonly string[]): string | undefined {
  const name = variableName(key);
  return [name, `WAYBILL_${name}`].find((variable) => known.includes(variable));
}

/**
 * Reads a connection's values: `aws_region = "x"` is the setting AWS_REGION, `aws_secret_access_key_file` and
 * `..._env` name where a secret lies. Paths are relative to the file that they stand in. A secret written down, an unknown key or an unreadable file is WB_CONFIG_INVALID.
 */
export function readConnection(
  table: ConnectionTable,
  known: KnownVariables,
  environmentOf: (names: readonly string[]) => Record<string, string>,
): Connection {
  const settings: Record<string, string> = {};
  const secrets: Record<string, string> = {};
  if (table.url !== undefined) {
    if (known.url === undefined) throw invalid(table, `.url: a ${table.type} connection has none`);
    settings[known.url] = table.url;
  }
  for (const [key, value] of Object.entries(table.rest)) {
    const [, base = key, how] = /^(.*)_(file|env)$/i.exec(key) ?? [];
    const setting = variableOf(key, known.settings);
    const secret = how === undefined ? undefined : variableOf(base, known.secrets);
    if (setting !== undefined) {
      settings[setting] = PATH_VARIABLE.test(setting) ? resolve(dirname(table.file), value) : value;
    } else if (variableOf(key, known.secrets) !== undefined) {
      throw invalid(table, `.${key}: write ${key}_file or ${key}_env, never the secret itself`);
    } else if (secret !== undefined) {
      const found = how === 'env' ? environmentOf([value])[value] : undefined;
      if (how === 'env' && found === undefined) {
        throw invalid(table, `.${key}: the variable ${value} is not set`);
      }
      secrets[secret] = found ?? readSecretFile(table, key, value);
    } else {
      const names = [...known.settings, ...known.secrets.map((name) => `${name}_file`)];
      const shown = names.map((name) => name.toLowerCase());
      const near = nearestOf(key, shown);
      const meant = near === undefined ? '' : ` (did you mean ${near}?)`;
      throw invalid(
        table,
        `.${key} is unknown${meant}; a ${table.type} connection knows ${shown.join(', ')}`,
      );
    }
  }
  return { name: table.name, settings, secrets };
}

/** The connection that a source uses: the one that was named (unknown: WB_CONFIG_INVALID), or the first that matches. */
export function chooseConnection(
  tables: readonly ConnectionTable[],
  sourceUri: string,
  named: string | undefined,
): ConnectionTable | undefined {
  if (named !== undefined) {
    const found = tables.find((table) => table.name === named);
    if (found) return found;
    const names = tables.map((table) => table.name).join(', ') || 'none is configured';
    throw new WaybillError(
      'WB_CONFIG_INVALID',
      `there is no connection "${named}" (known: ${names})`,
    );
  }
  return tables.find((table) => table.match.some((pattern) => matches(pattern, sourceUri)));
}

/** `s3://ml-*` covers the bucket and all below it: a pattern matches the whole URI or a prefix that ends at a `/`. */
function matches(pattern: string, uri: string): boolean {
  const options = { dot: true, nonegate: true, noextglob: true };
  const trimmed = pattern.replace(/\/+$/, '');
  return picomatch.isMatch(uri, [trimmed, `${trimmed}/**`], options);
}
