/** What the worker needs to reach a source: its address and settings for the request, its secrets apart (rules 2, 3). */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, resolve } from 'node:path';
import { hasScheme, redactUri, splitSecrets, type SplitUri } from '../../model/artifact-uri.js';
import { WaybillError } from '../../model/errors.js';
import { chooseConnection, PATH_VARIABLE, readConnection } from '../../config/connection.js';
import type { ConnectionTable } from '../../config/toml-file.js';
import { NETWORK_VARIABLES, splitNetworkVariables } from '../../stores/lib/network-variables.js';
import type { StoreRegistry } from '../../stores/registry.js';
import type { StoreAddress, StoreFactory } from '../../stores/store.js';
import { loginsOf, refuseProjectWord } from './project-trust.js';

/** What `collectSource` depends on. */
export interface SourceInput {
  /** As typed. */
  readonly text: string;
  readonly cwd: string;
  readonly registry: StoreRegistry;
  readonly environmentOf: (names: readonly string[]) => Record<string, string>;
  readonly connections: readonly ConnectionTable[];
  readonly connectionName?: string | undefined;
  readonly trackingUri?: string | undefined;
  /** The project's file, where `trackingUri` stands in it. */
  readonly trackingUriFile?: string | undefined;
  /** The workers of a cluster read the source: with their own connections, and nothing of this host (rule 2). */
  readonly isCluster?: boolean;
}

/** A source, ready to be asked for. */
export interface CollectedSource {
  readonly address: StoreAddress;
  readonly factory: StoreFactory;
  /** The name of the connection that its values came from. */
  readonly connection?: string;
  /** Credentials of this shell that are not used: the connection of the workers is. */
  readonly unused?: readonly string[];
}

type Values = Record<string, string>;

/** `http//host` is a path to the letter, and never what was meant unless there is such a folder. */
function refuseLostColon(registry: StoreRegistry, text: string, path: string): void {
  const [, scheme, rest = ''] = /^([a-z][a-z0-9+.-]*)(\/\/.*)$/i.exec(text) ?? [];
  if (scheme === undefined || !registry.hasScheme(scheme) || existsSync(path)) return;
  throw new WaybillError(
    'WB_USAGE',
    `${text} has no colon, so it is a path, and there is nothing: did you mean ${redactUri(`${scheme}:${rest}`)}?`,
  );
}

function absoluteUri(registry: StoreRegistry, text: string, cwd: string): string {
  if (text === '')
    throw new WaybillError('WB_USAGE', 'the source is empty; is a variable not set?');
  if (hasScheme(text)) return text;
  // The worker is another process with another working directory.
  const path = resolve(cwd, text);
  refuseLostColon(registry, text, path);
  return path;
}

function factoryOf(registry: StoreRegistry, uri: string, text: string): StoreFactory {
  try {
    return registry.factoryOf(uri);
  } catch (error) {
    if (!(error instanceof WaybillError) || /^[a-z0-9+.-]+:\/\//i.test(uri)) throw error;
    throw new WaybillError(error.code, `${error.message}; for a local file write ./${text}`, {
      cause: error,
    });
  }
}

/** A setting that holds an address with a password is split: MLflow takes the parts, others must not have them. */
function splitSettings(settings: Values, secrets: Values): void {
  for (const [name, value] of Object.entries(settings)) {
    const split = splitSecrets(value);
    if (Object.keys(split.secrets).length === 0) continue;
    const { username, password } = split.secrets;
    if (name !== 'MLFLOW_TRACKING_URI' || username === undefined) {
      throw new WaybillError('WB_CONFIG_INVALID', `${name} holds a secret; take it out`);
    }
    settings[name] = split.uri;
    secrets['MLFLOW_TRACKING_USERNAME'] ??= username;
    if (password !== undefined) secrets['MLFLOW_TRACKING_PASSWORD'] ??= password;
  }
}

function absolutePaths(settings: Values, cwd: string): void {
  for (const [name, value] of Object.entries(settings)) {
    if (PATH_VARIABLE.test(name) && !isAbsolute(value)) settings[name] = resolve(cwd, value);
  }
}

/** The stores that a source may lead to: its own, or every one for a reference. */
function storesOf(registry: StoreRegistry, factory: StoreFactory, uri: string): StoreFactory[] {
  return factory.isReference?.(uri) === true ? [...registry.factories] : [factory];
}

/**
 * Collects the settings and secrets of a source: the connection that was named or matches, over the environment.
 * Unknown scheme: WB_UNSUPPORTED; a wrong connection or setting: WB_CONFIG_INVALID.
 */
export function collectSource(input: SourceInput): CollectedSource {
  const { registry, cwd } = input;
  // A URL copied from MLflow's page is a reference at the page's own server.
  const typed = registry.adoptUrl(input.text, {})?.uri ?? input.text;
  const split = splitSecrets(absoluteUri(registry, typed, cwd));
  const factory = factoryOf(registry, split.uri, input.text);
  const stores = storesOf(registry, factory, split.uri);
  const network =
    factory.name === 'local'
      ? { settings: {}, secrets: {} }
      : splitNetworkVariables(input.environmentOf(NETWORK_VARIABLES.settings));
  const settings: Values = {};
  const secrets: Values = {};
  for (const { environment } of stores) {
    Object.assign(settings, input.environmentOf(environment.settings));
    Object.assign(secrets, input.environmentOf(environment.secrets));
  }
  Object.assign(settings, network.settings);
  Object.assign(secrets, network.secrets);
  if (input.isCluster === true) {
    const named = input.connectionName ?? matching(input, split.uri);
    if (named !== undefined) return atWorkers(input, factory, split, named, Object.keys(secrets));
    dropOwnOfHost(registry, settings, secrets);
  }
  const table = chooseConnection(input.connections, split.uri, input.connectionName);
  const before = { ...settings };
  if (table) applyConnection(table, input, { settings, secrets });
  if (input.trackingUri !== undefined) settings['MLFLOW_TRACKING_URI'] = input.trackingUri;
  const asked = { uri: split.uri, settings, secrets: { ...secrets, ...split.secrets } };
  for (const [name, value] of Object.entries(factory.settingsAtHome?.(homedir(), asked) ?? {})) {
    settings[name] ??= value;
  }
  for (const [name, value] of Object.entries(factory.secretsAtHome?.(homedir(), asked) ?? {})) {
    // As the service's own tools do: each value from the environment, else from the file.
    secrets[name] ??= value;
  }
  const own = Object.keys(secrets);
  const isReference = factory.isReference?.(split.uri) === true;
  if (table?.isProject) {
    const said = pickOf(
      settings,
      Object.keys(settings).filter((key) => before[key] !== settings[key]),
    );
    const named = registry.factories.filter(({ name }) => name === table.type);
    const logins = named.flatMap((store) => loginsOf(store, settings));
    refuseProjectWord({
      file: table.file,
      said,
      before,
      secrets: [...own, ...logins],
      isReference,
    });
  }
  if (input.trackingUriFile !== undefined) {
    const said = pickOf(settings, ['MLFLOW_TRACKING_URI']);
    const sent = own.filter((name) => name.startsWith('MLFLOW_'));
    refuseProjectWord({ file: input.trackingUriFile, said, before, secrets: sent, isReference });
  }
  splitSettings(settings, secrets);
  absolutePaths(settings, cwd);
  const adopted = registry.adoptUrl(input.text, settings)?.settings;
  // What is on this host means nothing to the workers of a cluster.
  const isHere = input.isCluster !== true && adopted === undefined;
  const placed = (isHere ? factory.placesHere?.absolute(settings, cwd) : undefined) ?? settings;
  return {
    address: {
      uri: split.uri,
      settings: adopted ?? placed,
      secrets: { ...secrets, ...split.secrets },
    },
    factory,
    ...(table === undefined ? {} : { connection: table.name }),
  };
}

function pickOf(values: Values, names: readonly string[]): Values {
  return Object.fromEntries(Object.entries(values).filter(([name]) => names.includes(name)));
}

function matching({ connections }: SourceInput, uri: string): string | undefined {
  return chooseConnection(connections, uri, undefined)?.name;
}

/** Only the name of the connection goes to the workers, and what was typed about the server, which they compare. */
function atWorkers(
  input: SourceInput,
  factory: StoreFactory,
  split: SplitUri,
  connection: string,
  unused: readonly string[],
): CollectedSource {
  const adopted = input.registry.adoptUrl(input.text, {})?.settings['MLFLOW_TRACKING_URI'];
  const server = input.trackingUri ?? adopted;
  const settings: Values = server === undefined ? {} : { MLFLOW_TRACKING_URI: server };
  const address = { uri: split.uri, settings, secrets: split.secrets };
  return { address, factory, connection, unused };
}

/** Files and identities of this host mean nothing at a worker; an identity is a credential, and is refused as one. */
function dropOwnOfHost({ factories }: StoreRegistry, settings: Values, secrets: Values): void {
  const identities = new Set(factories.flatMap(({ identity }) => identity?.settings ?? []));
  for (const [name, value] of Object.entries(settings)) {
    const isProfile = identities.has(name);
    if (isProfile) secrets[name] = value;
    if (
      isProfile ||
      PATH_VARIABLE.test(name) ||
      /^(AWS_|ALLOW_LOCAL_ROOTS|WAYBILL_PATH_MAP)/.test(name)
    ) {
      const isKept = /^AWS_(DEFAULT_)?REGION$|^AWS_ENDPOINT_URL|^AWS_(S3_|NO_SIGN|REQUEST_)/.test(
        name,
      );
      if (!isKept) Reflect.deleteProperty(settings, name);
    }
  }
}

function applyConnection(
  table: ConnectionTable,
  input: SourceInput,
  values: { readonly settings: Values; readonly secrets: Values },
): void {
  const store = input.registry.factories.find((factory) => factory.name === table.type);
  if (!store) {
    const known = input.registry.factories.map((factory) => factory.name).join(', ');
    throw new WaybillError(
      'WB_CONFIG_INVALID',
      `${table.file}: connections.${table.name}.type is "${table.type}"; Waybill has ${known}`,
    );
  }
  const connection = readConnection(table, store.environment, input.environmentOf);
  // Half of one identity with half of another opens nothing.
  if (Object.keys(connection.secrets).length > 0) {
    for (const name of store.environment.secrets) Reflect.deleteProperty(values.secrets, name);
  }
  // A proxy goes by two names, and one with a password lies among the secrets: none may outlive the connection's own.
  for (const name of Object.keys(connection.settings).filter((key) => /_proxy$/i.test(key))) {
    for (const spelled of [name.toLowerCase(), name.toUpperCase()]) {
      Reflect.deleteProperty(values.settings, spelled);
      Reflect.deleteProperty(values.secrets, spelled);
    }
  }
  Object.assign(values.settings, connection.settings);
  Object.assign(values.secrets, connection.secrets);
}
