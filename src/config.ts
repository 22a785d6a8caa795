/**
 * The configuration of one command, and the only reader of `process.env`: flag > `WAYBILL_<FLAG>` > ./waybill.toml >
 * the user's waybill.toml > default.
 */
import { existsSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import {
  defaultCacheDir,
  defaultStateDir,
  inlineReason,
  userConfigFile,
  type Machine,
} from './config/places.js';
import { propertyOf, SETTINGS, variableOf, type SettingValue } from './config/settings.js';
import {
  readTomlFile,
  type ConnectionTable,
  type SiteTable,
  type TomlFile,
} from './config/toml-file.js';
import { WaybillError } from './model/errors.js';

/** A setting with the place that it came from: `--if-exists`, `WAYBILL_IF_EXISTS`, a file's path or `default`. */
export interface ResolvedSetting {
  readonly name: string;
  readonly value: SettingValue;
  /** As it was written. */
  readonly text: string | undefined;
  readonly origin: string;
}

/** Which Temporal is used, and what chose it. */
export type TemporalChoice =
  | { readonly kind: 'local'; readonly mode: 'background' | 'inline'; readonly why: string }
  | {
      readonly kind: 'cluster';
      readonly address: string;
      readonly namespace: string | undefined;
      /** The key file of the encryption, where there is one. */
      readonly payloadKeysFile?: string;
      readonly why: string;
    };

/** The configuration of one command. */
export interface Config {
  readonly settings: ReadonlyMap<string, ResolvedSetting>;
  readonly connections: readonly ConnectionTable[];
  readonly sites: readonly SiteTable[];
  /** Configuration files that were read. */
  readonly files: readonly string[];
  /** The one among them that lies in the working directory, and may come from anyone. */
  readonly projectFile?: string;
  readonly stateDir: string;
  readonly cacheDir: string;
  readonly temporal: TemporalChoice;
  /** A Temporal CLI that the user named. */
  readonly temporalCli: string | undefined;
}

/** A process environment. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** What `readConfig` depends on beside the flags; a test gives its own. */
export interface ConfigInput {
  /** What commander found: `{ifExists: 'skip', json: true}`. */
  readonly flags?: Readonly<Record<string, unknown>>;
  readonly env?: Environment;
  readonly cwd?: string;
}

/** The values of those variables that are set and not empty. */
export function environmentOf(
  names: readonly string[],
  env: Environment = process.env,
): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of names) {
    const value = env[name];
    if (value !== undefined && value !== '') found[name] = value;
  }
  return found;
}

/** OpenTelemetry's own variables that count for a worker. */
export const TRACE_VARIABLES = [
  'OTEL_EXPORTER_OTLP_ENDPOINT',
  'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
  'OTEL_EXPORTER_OTLP_HEADERS',
  'OTEL_SERVICE_NAME',
  'OTEL_SDK_DISABLED',
  'OTEL_TRACES_EXPORTER',
] as const;

/** Variables that a background process of ours may inherit: no credential, no address, nothing that changes what node runs. */
const INHERITED =
  /^(PATH|HOME|USER|LOGNAME|LANG|LANGUAGE|LC_[A-Z]+|TZ|TMPDIR|XDG_(CACHE|CONFIG|DATA|STATE)_HOME|XDG_RUNTIME_DIR)$/;

/** The environment that the local service starts with (rule 2). */
export function scrubbedEnvironment(env: Environment = process.env): Record<string, string> {
  return environmentOf(
    Object.keys(env).filter((name) => INHERITED.test(name)),
    env,
  );
}

/** What the terminal can show, as the environment says. */
export interface TerminalHints {
  readonly hasColor: boolean;
  readonly isUnicode: boolean;
  /** Lines can be drawn over. */
  readonly hasCursor: boolean;
  /** Lines are broken anew when it gets narrower: all but xterm itself and screen. */
  readonly reflows: boolean;
}

/** Reads NO_COLOR, FORCE_COLOR, TERM and the locale. */
export function terminalHints(isTerminal: boolean, env: Environment = process.env): TerminalHints {
  const isRefused = (env['NO_COLOR'] ?? '') !== '' || env['TERM'] === 'dumb';
  const isForced = (env['FORCE_COLOR'] ?? '') !== '' && env['FORCE_COLOR'] !== '0';
  const locale = env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'] || '';
  return {
    hasColor: !isRefused && (isTerminal || isForced),
    isUnicode: /utf-?8/i.test(locale),
    hasCursor: env['TERM'] !== 'dumb',
    reflows: !env['XTERM_VERSION'] && !env['STY'],
  };
}

/** The machine that this process runs on. */
export function thisMachine(env: Environment = process.env): Machine {
  return {
    env,
    hostName: hostname(),
    tempDir: tmpdir(),
    userId: process.getuid?.(),
    processId: process.pid,
  };
}

function resolveSetting(
  name: string,
  sources: readonly { readonly origin: string; readonly text: string | undefined }[],
): ResolvedSetting {
  const found = SETTINGS.find((setting) => setting.name === name);
  if (!found) throw new WaybillError('WB_UNEXPECTED', `there is no setting ${name}`);
  const chosen = sources.find((source) => source.text !== undefined);
  const text = chosen?.text ?? found.default;
  const origin = chosen?.origin ?? (text === undefined ? 'not set' : 'default');
  if (text === undefined) return { name, value: undefined, text, origin };
  try {
    return { name, value: found.parse(text), text, origin };
  } catch (error) {
    if (!(error instanceof WaybillError)) throw error;
    const code = origin.startsWith('--') ? 'WB_USAGE' : 'WB_CONFIG_INVALID';
    const where = origin.startsWith('/') ? `${origin}: ${name}` : origin;
    throw new WaybillError(code, `${where}: ${error.message}`);
  }
}

function flagText(value: unknown): string | undefined {
  return value === undefined || value === null || Array.isArray(value) ? undefined : String(value);
}

function resolveAll(
  input: ConfigInput,
  env: Environment,
  files: readonly TomlFile[],
): ReadonlyMap<string, ResolvedSetting> {
  const settings = new Map<string, ResolvedSetting>();
  for (const { name } of SETTINGS) {
    const variable = env[variableOf(name)];
    const sources = [
      { origin: `--${name}`, text: flagText(input.flags?.[propertyOf(name)]) },
      { origin: variableOf(name), text: variable === '' ? undefined : variable },
      ...files.map((file) => ({ origin: file.path, text: file.values.get(name) })),
    ];
    settings.set(name, resolveSetting(name, sources));
  }
  return settings;
}

function chooseTemporal(
  settings: ReadonlyMap<string, ResolvedSetting>,
  env: Environment,
): TemporalChoice {
  const local = settings.get('local');
  const cluster = settings.get('cluster');
  // A flag beats what the surroundings say, whichever of the two it is.
  const isLocal =
    local?.value === true && (cluster?.origin !== '--cluster' || local.origin === '--local');
  if (local?.origin === '--local' && cluster?.origin === '--cluster') {
    throw new WaybillError('WB_USAGE', '--local and --cluster exclude each other');
  }
  const named = typeof cluster?.value === 'string' ? cluster.value : undefined;
  const address = named ?? (env['TEMPORAL_ADDRESS'] || undefined);
  if (!isLocal && address !== undefined) {
    const namespace = settings.get('namespace')?.text ?? (env['TEMPORAL_NAMESPACE'] || undefined);
    const why = named === undefined ? 'TEMPORAL_ADDRESS' : (cluster?.origin ?? '');
    const keys = settings.get('payload-keys')?.text;
    const encryption = keys === undefined ? {} : { payloadKeysFile: resolve(keys) };
    return { kind: 'cluster', address, namespace, why, ...encryption };
  }
  const service = settings.get('service');
  if (service?.value === 'inline' || service?.value === 'background') {
    return { kind: 'local', mode: service.value, why: service.origin };
  }
  const why = inlineReason(thisMachine(env));
  if (why !== undefined) return { kind: 'local', mode: 'inline', why };
  return { kind: 'local', mode: 'background', why: 'default' };
}

/** A folder setting; relative to the working directory where a flag or a variable said it. */
function folder(setting: ResolvedSetting | undefined, cwd: string): string | undefined {
  const text = setting?.text;
  if (text === undefined) return undefined;
  return resolve(cwd, text);
}

/** Whether something beside the flags asks for it: said also where the command line or a file is wrong. */
export function isAskedFor(name: 'json' | 'debug', env: Environment = process.env): boolean {
  const named = env[variableOf(name)];
  if (named !== undefined && named !== '') return /^(1|true|yes|on)$/i.test(named);
  try {
    return readConfig({ env }).settings.get(name)?.value === true;
  } catch {
    return false;
  }
}

/** The folder of the local service, where the configuration can be read and the folder is there. */
export function knownStateDir(): string | undefined {
  try {
    const { stateDir, temporal } = readConfig();
    return temporal.kind !== 'cluster' && existsSync(stateDir) ? stateDir : undefined;
  } catch {
    return undefined;
  }
}

/** Reads the configuration. A wrong value is WB_USAGE (a flag) or WB_CONFIG_INVALID, naming where it stands. */
export function readConfig(input: ConfigInput = {}): Config {
  const env = input.env ?? process.env;
  const cwd = input.cwd ?? process.cwd();
  const machine = thisMachine(env);
  const userFile = userConfigFile(machine);
  const project = readTomlFile(join(cwd, 'waybill.toml'), 'project');
  const files = [
    project,
    userFile === undefined ? undefined : readTomlFile(userFile, 'user'),
  ].filter((file) => file !== undefined);
  const settings = resolveAll(input, env, files);
  const connections: ConnectionTable[] = [];
  for (const table of files.flatMap((file) => file.connections)) {
    if (!connections.some((known) => known.name === table.name)) connections.push(table);
  }
  return {
    settings,
    connections,
    sites: files.flatMap((file) => file.sites),
    files: files.map((file) => file.path),
    ...(project === undefined ? {} : { projectFile: project.path }),
    stateDir: folder(settings.get('state-dir'), cwd) ?? defaultStateDir(machine),
    cacheDir: folder(settings.get('cache-dir'), cwd) ?? defaultCacheDir(machine),
    temporal: chooseTemporal(settings, env),
    temporalCli: folder(settings.get('temporal-cli'), cwd),
  };
}
