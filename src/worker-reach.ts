/**
 * What the worker of a cluster reads and writes for whoever starts a pull there (rule 4): its own connections by their
 * names, its own roots on disk, and nothing that the request brings along.
 */
import { realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { environmentOf, type Config } from './config.js';
import { PATH_VARIABLE, readConnection } from './config/connection.js';
import { variableOf } from './config/settings.js';
import type { ConnectionTable } from './config/toml-file.js';
import { schemeOf } from './model/artifact-uri.js';
import { WaybillError } from './model/errors.js';
import type { PullRequest } from './model/pull.js';
import { rootPathOf } from './stores/local/root-path.js';
import { StoreRegistry } from './stores/registry.js';
import type { ConnectionSettings, StoreFactory } from './stores/store.js';
import {
  checkPrefixes,
  outOfReach,
  PREFIXES_SETTING,
  type Reach,
  type SourceAccess,
} from './transfer/reach.js';

/** Settings of a request that would make the worker use files of its own; identities are each store's to name. */
const WORKERS_OWN = /^(ALLOW_LOCAL_ROOTS|WAYBILL_PATH_MAP|AWS_ROLE_SESSION_NAME)$/;

/** How patient the caller is; the one setting that goes along with a connection. */
const PATIENCE = 'WAYBILL_STALL_TIMEOUT';

/** What `resolve` finds out beside the URI; all else is read from the connection each time. */
const RESOLVED = /^(mlflow_.*|MLFLOW_TRACKING_URI|MLRUN_DBPATH)$/;

/**
 * Reads the roots and connections of this worker's configuration; those of its site, where a table names it. A function
 * is asked each time: what is changed in a file counts without a restart.
 */
export function clusterReach(
  configured: Config | (() => Config),
  site?: string,
  registry = new StoreRegistry(),
): Reach {
  const config = typeof configured === 'function' ? configured : (): Config => configured;
  const roots = (): readonly string[] => foldersOf(config(), 'roots', site);
  const sourceRoots = (): readonly string[] => [
    ...roots(),
    ...foldersOf(config(), 'source-roots', site),
  ];
  // A root that is no absolute path is said at the start.
  sourceRoots();
  return {
    // Its refusals are rejections, whatever finds them.
    connect: async (request, resolved) => {
      await Promise.resolve();
      if (request.source.credentials !== undefined) {
        throw outOfReach(
          'a worker of a cluster takes no credentials of a caller; use --connection',
        );
      }
      const { connection } = request.source;
      if (connection === undefined) return anonymous(request, resolved, registry);
      return named(tableOf(config().connections, connection), request, resolved, registry);
    },
    checkSource: async (asked, uri, settings) => {
      checkPrefixes(asked, uri, settings);
      if (schemeOf(uri) !== 'file') return;
      const where = 'reads local folders only below its roots and source-roots';
      await checkInside(rootPathOf(uri), sourceRoots(), where);
    },
    checkDestination: async (path) => checkInside(path, roots(), 'writes only below its roots'),
  };
}

/** A variable beats the table of the site, and that beats `[worker]`. */
function foldersOf(
  config: Config,
  name: 'roots' | 'source-roots',
  site: string | undefined,
): readonly string[] {
  const setting = config.settings.get(name);
  const table = config.sites.find((one) => one.name === site);
  if (table !== undefined && setting?.origin !== variableOf(name)) {
    return name === 'roots' ? table.roots : table.sourceRoots;
  }
  const text = setting?.text ?? '';
  const folders = text.split(':').filter((folder) => folder !== '');
  const wrong = folders.find((folder) => !isAbsolute(folder));
  if (wrong === undefined) return folders;
  throw new WaybillError('WB_CONFIG_INVALID', `${name}: ${wrong} is no absolute path`);
}

function tableOf(tables: readonly ConnectionTable[], name: string): ConnectionTable {
  const found = tables.find((table) => table.name === name);
  if (found !== undefined) return found;
  throw new WaybillError(
    'WB_CONFIG_INVALID',
    `this worker has no connection "${name}": it belongs into the waybill.toml of the worker`,
    { scope: 'request' },
  );
}

/** Without a connection: what anybody could read, and nothing of the worker's own. */
function anonymous(
  { source }: PullRequest,
  resolved: ConnectionSettings | undefined,
  { factories }: StoreRegistry,
): SourceAccess {
  const settings = resolved ?? source.settings;
  const identities = new Set(factories.flatMap(({ identity }) => identity?.settings ?? []));
  const own = [...Object.keys(source.settings), ...Object.keys(settings)].find(
    (name) => WORKERS_OWN.test(name) || PATH_VARIABLE.test(name) || identities.has(name),
  );
  const place = factories
    .map(({ placesHere }) => placesHere?.named(source.settings) ?? placesHere?.named(settings))
    .find((name) => name !== undefined);
  if (place !== undefined) {
    throw outOfReach(
      `${place} names a place on a disk, and a worker of a cluster reads no records of its own for anybody; use --connection`,
    );
  }
  if (own !== undefined) {
    throw outOfReach(`${own} would name something of the worker; unset it, or use --connection`);
  }
  // As nobody: a chain of credentials would find the identity of the worker's machine.
  const nobody = factories.map(({ identity }) => identity?.none ?? {});
  return { settings: Object.assign({}, settings, ...nobody) as ConnectionSettings, secrets: {} };
}

function named(
  table: ConnectionTable,
  { source }: PullRequest,
  resolved: ConnectionSettings | undefined,
  registry: StoreRegistry,
): SourceAccess {
  const store = registry.factories.find((factory) => factory.name === table.type);
  if (store === undefined) {
    throw new WaybillError(
      'WB_CONFIG_INVALID',
      `connections.${table.name}.type: "${table.type}" is no store`,
    );
  }
  const { settings, secrets } = readConnection(table, store.environment, environmentOf);
  checkType(table, store, source.uri, registry);
  const { [PATIENCE]: patience, ...asked } = source.settings;
  const other = Object.entries(asked).find(([name, value]) => settings[name] !== value);
  if (other !== undefined) {
    throw outOfReach(
      `${other[0]} is not what the connection "${table.name}" of the worker says, and there the connection decides`,
    );
  }
  refuseUnlimited(table, store, settings, Object.keys(secrets).length > 0);
  const found = Object.entries(resolved ?? {}).filter(([name]) => RESOLVED.test(name));
  const patient = patience === undefined ? {} : { [PATIENCE]: patience };
  return { settings: { ...patient, ...Object.fromEntries(found), ...settings }, secrets };
}

function checkType(
  table: ConnectionTable,
  store: StoreFactory,
  uri: string,
  registry: StoreRegistry,
): void {
  const asked = registry.factoryOf(uri);
  if (asked.name === store.name) return;
  throw outOfReach(
    `the connection "${table.name}" is for ${store.name}, and ${uri} is ${asked.name}`,
  );
}

/** A secret for any server that a request names would be everybody's: such a connection says where it goes. */
function refuseUnlimited(
  table: ConnectionTable,
  store: StoreFactory,
  settings: ConnectionSettings,
  hasSecrets: boolean,
): void {
  const isLimited = ['WAYBILL_ORIGINS', PREFIXES_SETTING].some((name) => settings[name]);
  const { name, secretsGoAnywhere } = store;
  const sendsSome =
    secretsGoAnywhere === 'always' || (secretsGoAnywhere !== undefined && hasSecrets);
  if (!sendsSome || isLimited) return;
  const wanted =
    name === 'http'
      ? 'origins; write origins = ["https://host"]'
      : `prefixes; write prefixes = ["${name}://host/folder"]`;
  throw new WaybillError(
    'WB_CONFIG_INVALID',
    `${table.file}: connections.${table.name} has secrets and names no ${wanted}`,
    { scope: 'request' },
  );
}

async function checkInside(path: string, roots: readonly string[], what: string): Promise<void> {
  const real = await realOf(path);
  for (const root of roots) {
    const below = relative(await realOf(root), real);
    if (below === '' || (below !== '..' && !below.startsWith('../') && !isAbsolute(below))) return;
  }
  const known = roots.length === 0 ? 'none is set' : roots.join(', ');
  throw outOfReach(
    `this worker ${what} (${known}), and ${path} is outside: see [worker] in its waybill.toml`,
  );
}

/** The path without symbolic links, as far as it exists. */
async function realOf(path: string): Promise<string> {
  const missing: string[] = [];
  for (let current = resolve(path); ; current = dirname(current)) {
    const real = await realpath(current).catch(() => undefined);
    if (real !== undefined) return join(real, ...missing);
    if (current === dirname(current)) return resolve(path);
    missing.unshift(basename(current));
  }
}
