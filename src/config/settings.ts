/** Every setting of Waybill: its name is its flag, `WAYBILL_<NAME>` its variable, `file` its key in waybill.toml. */
import { WaybillError } from '../model/errors.js';
import { LEVELS } from '../model/level.js';
import { IF_EXISTS } from '../model/pull.js';
import {
  parseDuration,
  parseDurationOrNever,
  parseRateOrNever,
  parseSize,
} from '../model/sizes.js';

/** A value as it is used; durations in milliseconds, sizes in bytes, `undefined` for never or not set. */
export type SettingValue = string | number | boolean | undefined;

/** One setting. */
export interface Setting {
  readonly name: string;
  readonly parse: (text: string) => SettingValue;
  /** As a person would write it; absent: not set. */
  readonly default?: string;
  /** The key in a configuration file, tables separated by dots; absent: not in files. */
  readonly file?: string;
  /** A file that lies in the working directory may come from anyone: it cannot say where to connect or what to run. */
  readonly isForUserFileOnly?: boolean;
  readonly summary: string;
  /** The only values that there are. */
  readonly words?: readonly string[];
}

const text = (value: string): string => value;

function bool(value: string): boolean {
  if (/^(1|true|yes|on)$/i.test(value)) return true;
  if (/^(0|false|no|off|)$/i.test(value)) return false;
  throw new WaybillError('WB_CONFIG_INVALID', `"${value}" is neither true nor false`);
}

function count(value: string): number {
  const number = Number(value);
  if (!/^\d+$/.test(value) || number < 1 || !Number.isSafeInteger(number)) {
    throw new WaybillError(
      'WB_USAGE',
      `"${value}" is no whole number above 0; write one, such as 16`,
    );
  }
  return number;
}

function perSecondOrNever(value: string): number | undefined {
  if (/^never$/i.test(value)) return undefined;
  const number = Number(value);
  if (/^[\d.]+$/.test(value) && number >= 0.001 && number <= 1e9) return number;
  throw new WaybillError('WB_USAGE', `"${value}" is no number of requests; write 50, 0.5 or never`);
}

function oneOf(words: readonly string[]): (value: string) => string {
  return (value) => {
    if (words.includes(value)) return value;
    throw new WaybillError('WB_USAGE', `"${value}" is none of ${words.join(', ')}`);
  };
}

/** HOST:PORT to listen at. A host is asked for: all addresses of a machine are nothing to open by accident. */
function listenAddress(value: string): string {
  const port = Number(/^(?:\[[0-9a-f:.]+\]|[\w.-]+):(\d{1,5})$/i.exec(value)?.[1] ?? 0);
  if (port >= 1 && port <= 65_535) return value;
  throw new WaybillError(
    'WB_USAGE',
    `"${value}" is no HOST:PORT; write 127.0.0.1:9464, or 0.0.0.0:9464 for all addresses of this host`,
  );
}

const setting = (
  name: string,
  parse: (value: string) => SettingValue,
  summary: string,
  more: Partial<Setting> = {},
): Setting => ({ name, parse, summary, file: name, ...more });

const choice = (
  name: string,
  words: readonly string[],
  summary: string,
  more: Partial<Setting>,
): Setting => setting(name, oneOf(words), summary, { words, ...more });

const userOnly = { isForUserFileOnly: true };

/** All settings, in the order of `waybill config show`. */
export const SETTINGS: readonly Setting[] = [
  choice('if-exists', IF_EXISTS, 'what is done with files that are already there', {
    default: 'update',
  }),
  choice('require', LEVELS, 'the weakest proof that a file may have', { default: 'none' }),
  setting('checksum', bool, 'hash what is there instead of trusting size and times', {
    default: 'false',
  }),
  setting('reread', bool, 'read every written file back from the disk', { default: 'false' }),
  setting('prune', bool, 'remove files that the source no longer has', { default: 'false' }),
  setting(
    'concurrency',
    count,
    'connections to the source at most; how many it is worth is found out',
  ),
  setting('max-bandwidth', parseRateOrNever, 'bytes a second that a pull may bring', {
    default: 'never',
  }),
  setting('requests-per-second', perSecondOrNever, 'requests that a pull may send to its source', {
    default: 'never',
  }),
  setting('give-up-after', parseDurationOrNever, 'end a pull when nothing moved for so long', {
    default: '15m',
  }),
  setting('timeout', parseDurationOrNever, 'the longest that a pull may take', {
    default: 'never',
  }),
  setting('max-files', count, 'refuse a source with more files'),
  setting('max-bytes', parseSize, 'refuse a source with more bytes'),
  setting('tracking-uri', text, 'the MLflow server of models:/ and runs:/ sources'),
  setting('connection', text, 'the connection that sources use'),
  setting('quiet', bool, 'print the destination and nothing else', { default: 'false' }),
  setting('json', bool, 'print JSON', { default: 'false' }),
  setting('debug', bool, 'show stack traces and more', { default: 'false' }),
  setting('cluster', text, 'the address of a Temporal cluster', userOnly),
  setting('namespace', text, 'the Temporal namespace on a cluster', userOnly),
  setting('payload-keys', text, 'the key file with which a cluster is told everything encrypted', {
    ...userOnly,
  }),
  setting('local', bool, 'use the local service whatever TEMPORAL_ADDRESS says', {
    default: 'false',
    ...userOnly,
  }),
  choice('service', ['auto', 'background', 'inline'], 'where the local service lives', {
    default: 'auto',
    file: 'service.mode',
    ...userOnly,
  }),
  setting('state-dir', text, 'the folder of the local service', {
    file: 'service.state-dir',
    ...userOnly,
  }),
  setting('cache-dir', text, 'the folder of what can be fetched again', {
    file: 'service.cache-dir',
    ...userOnly,
  }),
  setting('roots', text, 'folders that a cluster worker may write and read, separated by :', {
    file: 'worker.roots',
    ...userOnly,
  }),
  setting('source-roots', text, 'folders that a cluster worker may read too', {
    file: 'worker.source-roots',
    ...userOnly,
  }),
  setting('metrics-bind', listenAddress, 'where a cluster worker shows Prometheus its metrics', {
    file: 'worker.metrics-bind',
    ...userOnly,
  }),
  setting('health-bind', listenAddress, 'where a cluster worker answers /healthz and /readyz', {
    file: 'worker.health-bind',
    ...userOnly,
  }),
  setting('grace', parseDuration, 'how long a cluster worker that was asked to end goes on', {
    default: '20s',
    file: 'worker.grace',
    ...userOnly,
  }),
  choice('log-format', ['json', 'text'], 'how a cluster worker logs; not set: text on a terminal', {
    file: 'worker.log-format',
    ...userOnly,
  }),
  setting(
    'service-metrics-bind',
    listenAddress,
    'where the worker of the local service shows them',
    {
      file: 'service.metrics-bind',
      ...userOnly,
    },
  ),
  setting('temporal-cli', text, 'the Temporal CLI to run', {
    file: 'service.temporal-cli',
    ...userOnly,
  }),
];

/** `WAYBILL_IF_EXISTS` for `if-exists`. */
export function variableOf(name: string): string {
  return `WAYBILL_${name.toUpperCase().replaceAll('-', '_')}`;
}

/** The property that commander gives a flag: `ifExists` for `if-exists`. */
export function propertyOf(name: string): string {
  return name.replace(/-([a-z])/g, (_match, letter: string) => letter.toUpperCase());
}
