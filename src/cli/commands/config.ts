/** `waybill config show`: every value and where it came from. */
import { environmentOf, type Config, type ResolvedSetting } from '../../config.js';
import type { ConnectionTable } from '../../config/toml-file.js';
import { formatRate } from '../../model/sizes.js';
import { STORE_FACTORIES } from '../../stores/index.js';
import { NETWORK_VARIABLES } from '../../stores/lib/network-variables.js';
import type { CommandContext } from '../context.js';
import type { Redactor } from '../redact.js';
import { formatColumns } from '../table.js';

const HIDDEN = '***';

interface Shown {
  readonly name: string;
  /** Absent: not set. */
  readonly value: string | undefined;
  readonly origin: string;
}

/** Folders have a value also where nobody chose one. */
function shownSetting(
  { name, text, origin }: ResolvedSetting,
  config: Config,
  redactor: Redactor,
): Shown {
  const folder = { 'state-dir': config.stateDir, 'cache-dir': config.cacheDir }[name];
  if (folder !== undefined) {
    return { name, value: folder, origin: text === undefined ? 'default' : origin };
  }
  return { name, value: text === undefined ? undefined : redactor.redact(text), origin };
}

/** The keys of a connection beside type, url and match. What is no setting of its store may be a secret: hidden. */
function shownKeys({ type, rest }: ConnectionTable, redactor: Redactor): Record<string, string> {
  const known = STORE_FACTORIES.find(({ name }) => name === type)?.environment.settings ?? [];
  const isPlain = (key: string): boolean =>
    /_(file|env)$/i.test(key) || known.includes(key.toUpperCase().replaceAll('-', '_'));
  return Object.fromEntries(
    Object.entries(rest).map(([key, value]) => [
      key,
      isPlain(key) ? redactor.redact(value) : HIDDEN,
    ]),
  );
}

/** The variables of the stores and of the network that are set here; a secret's value is hidden. */
function shownVariables(redactor: Redactor): Shown[] {
  const environments = [NETWORK_VARIABLES, ...STORE_FACTORIES.map((one) => one.environment)];
  const named = (kind: 'settings' | 'secrets'): Record<string, string> =>
    environmentOf([...new Set(environments.flatMap((environment) => environment[kind]))]);
  const secrets = named('secrets');
  redactor.learn(Object.values(secrets));
  const settings = Object.entries(named('settings')).filter(([name]) => !(name in secrets));
  return [
    ...settings.map(([name, value]) => ({ name, value: redactor.redact(value) })),
    ...Object.keys(secrets).map((name) => ({ name, value: HIDDEN })),
  ].map((shown) => ({ ...shown, origin: 'environment' }));
}

function connectionRows(config: Config, redactor: Redactor): string[][] {
  return config.connections.flatMap((table) => {
    const { name, type, url, match, file } = table;
    const row = (key: string, value: string): string[] => [
      `connections.${name}.${key}`,
      value,
      file,
    ];
    return [
      row('type', type),
      ...(url === undefined ? [] : [row('url', redactor.redact(url))]),
      ...(match.length === 0 ? [] : [row('match', match.join(' '))]),
      ...Object.entries(shownKeys(table, redactor)).map(([key, value]) => row(key, value)),
    ];
  });
}

function siteRows({ sites }: Config): string[][] {
  return sites.flatMap(({ name, roots, sourceRoots, file, ...limits }) => [
    [`sites.${name}.roots`, roots.join(':') || '-', file],
    ...(sourceRoots.length === 0
      ? []
      : [[`sites.${name}.source-roots`, sourceRoots.join(':'), file]]),
    ...(limits.maxBytesPerSecond === undefined
      ? []
      : [[`sites.${name}.max-bandwidth`, formatRate(limits.maxBytesPerSecond), file]]),
    ...(limits.maxRequestsPerSecond === undefined
      ? []
      : [[`sites.${name}.requests-per-second`, String(limits.maxRequestsPerSecond), file]]),
  ]);
}

/** Prints the settings, the connections, the sites, the variables of the stores and the choice of Temporal; never a secret. */
export function runConfigShow({ config, output, redactor }: CommandContext): Promise<number> {
  const variables = shownVariables(redactor);
  const settings = [
    ...[...config.settings.values()].map((found) => shownSetting(found, config, redactor)),
    ...variables,
  ];
  const { stateDir, cacheDir, files, temporal } = config;
  if (output.isJson) {
    const connections = config.connections.map((table) => {
      const { name, type, url, match, file } = table;
      const shown = url === undefined ? null : redactor.redact(url);
      return { name, type, url: shown, match, keys: shownKeys(table, redactor), file };
    });
    output.jsonResult({
      settings: settings.map(({ name, value, origin }) => ({ name, value: value ?? null, origin })),
      stateDir,
      cacheDir,
      temporal,
      files,
      connections,
      sites: config.sites,
    });
    return Promise.resolve(0);
  }
  const chosen =
    temporal.kind === 'cluster'
      ? `cluster at ${temporal.address}`
      : `local service, ${temporal.mode}`;
  output.result(
    formatColumns([
      ['setting', 'value', 'from'],
      ...settings.map(({ name, value, origin }) => [name, value ?? '-', origin]),
      ...connectionRows(config, redactor),
      ...siteRows(config),
      ['(Temporal)', chosen, temporal.why],
    ]),
  );
  output.say(
    files.length === 0
      ? 'No configuration file was read: neither ./waybill.toml nor the one of the user.'
      : `Read, the stronger first: ${files.join(', ')}`,
  );
  return Promise.resolve(0);
}
