/** Makes the request of a pull from its command line. */
import { environmentOf, type Config } from '../../config.js';
import { hasScheme } from '../../model/artifact-uri.js';
import { WaybillError } from '../../model/errors.js';
import { LEVELS } from '../../model/level.js';
import { IF_EXISTS, PROTOCOL, type Expectation, type PullRequest } from '../../model/pull.js';
import { StoreRegistry } from '../../stores/registry.js';
import type { StoreAddress } from '../../stores/store.js';
import { listFlag, textFlag, type Flags } from '../context.js';
import {
  refuseSite,
  resolveDestination,
  resolveSiteDestination,
  type SiteDestination,
} from './destination.js';
import { parseExpectation } from './expectation.js';
import { readFileList } from './files-from.js';
import { siteOfThisHost } from './here.js';
import { refuseOverlap } from './overlap.js';
import { collectSource, type CollectedSource } from './source.js';

/** What a command line asks for. */
export interface PullInput {
  readonly config: Config;
  readonly flags: Flags;
  readonly source: string;
  readonly destination: string | undefined;
  readonly cwd: string;
  readonly registry?: StoreRegistry;
}

/** A request with what must not be in it. */
export interface BuiltRequest {
  /** Without the fingerprint of the secrets: they are not handed over yet. */
  readonly request: PullRequest;
  /** The source with its secrets, for what runs in this process. */
  readonly address: StoreAddress;
  /** The site of a destination on a cluster. */
  readonly site?: string;
  /** The command itself serves that site. */
  readonly isHere: boolean;
  /** Said before anything starts. */
  readonly notices: readonly string[];
}

function settingOf(config: Config, name: string): string | number | boolean | undefined {
  return config.settings.get(name)?.value;
}

function numberOf(config: Config, name: string): number | undefined {
  const value = settingOf(config, name);
  return typeof value === 'number' ? value : undefined;
}

/** Collects a source for the commands that read one. */
export function sourceOf(
  config: Config,
  text: string,
  cwd: string,
  registry = new StoreRegistry(),
  isCluster = false,
): CollectedSource {
  const tracking = config.settings.get('tracking-uri');
  const isOfProject = tracking?.text !== undefined && tracking.origin === config.projectFile;
  return collectSource({
    text,
    cwd,
    registry,
    environmentOf,
    connections: config.connections,
    connectionName: config.settings.get('connection')?.text,
    trackingUri: tracking?.text,
    ...(isOfProject ? { trackingUriFile: config.projectFile } : {}),
    isCluster: isCluster && config.temporal.kind === 'cluster',
  });
}

/** A list in another store is read with that store's own settings and secrets; those of the source stay as they are. */
function withListStore(
  input: PullInput,
  source: CollectedSource,
  expect: Expectation | undefined,
): CollectedSource {
  if (expect?.kind !== 'list' || !hasScheme(expect.location)) return source;
  const isForWorkers = input.flags['dryRun'] !== true && input.flags['here'] !== true;
  const list = sourceOf(input.config, expect.location, input.cwd, input.registry, isForWorkers);
  if (list.factory.name === source.factory.name) return source;
  const { address } = source;
  return {
    ...source,
    address: {
      uri: address.uri,
      settings: { ...list.address.settings, ...address.settings },
      secrets: { ...list.address.secrets, ...address.secrets },
    },
  };
}

function filtersOf(flags: Flags): PullRequest['filters'] {
  const filesFrom = textFlag(flags, 'filesFrom');
  return {
    include: listFlag(flags, 'include'),
    exclude: listFlag(flags, 'exclude'),
    ...(filesFrom === undefined ? {} : { files: readFileList(filesFrom) }),
  };
}

function limitsOf(config: Config): Partial<PullRequest> {
  const concurrency = numberOf(config, 'concurrency');
  const maxBytesPerSecond = numberOf(config, 'max-bandwidth');
  const maxRequestsPerSecond = numberOf(config, 'requests-per-second');
  const giveUpAfterMs = numberOf(config, 'give-up-after');
  const timeoutMs = numberOf(config, 'timeout');
  const maxFiles = numberOf(config, 'max-files');
  const maxBytes = numberOf(config, 'max-bytes');
  return {
    ...(concurrency === undefined ? {} : { concurrency }),
    ...(maxBytesPerSecond === undefined ? {} : { maxBytesPerSecond }),
    ...(maxRequestsPerSecond === undefined ? {} : { maxRequestsPerSecond }),
    ...(giveUpAfterMs === undefined ? {} : { giveUpAfterMs }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(maxFiles === undefined ? {} : { maxFiles }),
    ...(maxBytes === undefined ? {} : { maxBytes }),
  };
}

/** A store waits up to two minutes for an answer. */
const LONGEST_SILENCE_MS = 120_000;

/** A server that says nothing is not waited for longer than `--give-up-after` lets a pull stand still. */
function withPatience(config: Config, source: CollectedSource): StoreAddress['settings'] {
  const { settings } = source.address;
  const giveUpAfterMs = numberOf(config, 'give-up-after');
  const isLong = giveUpAfterMs === undefined || giveUpAfterMs >= LONGEST_SILENCE_MS;
  if (isLong || source.factory.name === 'local') return settings;
  return { WAYBILL_STALL_TIMEOUT: `${giveUpAfterMs}ms`, ...settings };
}

/** On a cluster the caller's credentials are refused, never silently ignored (rule 2). */
function refuseSecrets(config: Config, source: CollectedSource): void {
  const names = Object.keys(source.address.secrets);
  if (config.temporal.kind !== 'cluster' || names.length === 0) return;
  const inUri = names.some((name) => ['username', 'password', 'query'].includes(name));
  throw new WaybillError(
    'WB_USAGE',
    inUri
      ? 'the address of the source holds a secret, and a cluster would keep it; use --connection'
      : `the workers of a cluster do not take credentials from here (${names.join(', ')}); use --connection, or unset them`,
  );
}

function noticesOf({ unused = [], connection = '' }: CollectedSource): string[] {
  if (unused.length === 0) return [];
  const names = unused.join(', ');
  return [`${names} of this shell: not used, the workers have their own connection ${connection}`];
}

/** `--here`: this host fetches for a pull of the cluster. WB_USAGE where there is no cluster. */
function askedForHere({ temporal }: Config, flags: Flags): boolean {
  if (flags['here'] !== true) return false;
  if (temporal.kind === 'cluster') return true;
  throw new WaybillError(
    'WB_USAGE',
    '--here is for a Temporal cluster, and none is chosen (--cluster HOST:PORT or TEMPORAL_ADDRESS); ' +
      'the local service fetches into this host anyway: leave --here away',
  );
}

function destinationOf(
  { config, destination: text, cwd }: PullInput,
  { address, factory }: CollectedSource,
  isHere: boolean,
): SiteDestination {
  if (config.temporal.kind === 'cluster' && !isHere) {
    return resolveSiteDestination(text, config.temporal.why);
  }
  if (isHere) refuseSite(text);
  const localName = factory.localName(address.uri);
  const destination = resolveDestination(text, localName, address.uri, cwd);
  if (factory.name === 'local') refuseOverlap(address.uri, localName, destination);
  return isHere ? { destination, site: siteOfThisHost(destination.path) } : { destination };
}

/** Builds the request; all that can be wrong with a command line is found here, before anything starts. */
export function buildPullRequest(input: PullInput): BuiltRequest {
  const { config, flags, cwd } = input;
  const expectText = textFlag(flags, 'expect');
  const expect = expectText === undefined ? undefined : parseExpectation(expectText, cwd);
  const isHere = askedForHere(config, flags);
  const isForWorkers = flags['dryRun'] !== true && !isHere;
  const asked = sourceOf(config, input.source, cwd, input.registry, isForWorkers);
  const source = withListStore(input, asked, expect);
  if (!isHere) refuseSecrets(config, source);
  const { uri } = source.address;
  const settings = withPatience(config, source);
  const { destination, site } = destinationOf(input, source, isHere);
  const ifExists = IF_EXISTS.find((word) => word === settingOf(config, 'if-exists')) ?? 'update';
  const requireLevel = LEVELS.find((level) => level === settingOf(config, 'require')) ?? 'none';
  const isOnCluster =
    config.temporal.kind === 'cluster' && !isHere && source.connection !== undefined;
  const request: PullRequest = {
    protocol: PROTOCOL,
    source: {
      uri,
      settings,
      ...(isOnCluster ? { connection: source.connection } : {}),
    },
    destination,
    filters: filtersOf(flags),
    ifExists,
    requireLevel,
    acceptUnprovenLength:
      requireLevel === 'none' && config.settings.get('require')?.origin !== 'default',
    ...(expect === undefined ? {} : { expect }),
    checksum: settingOf(config, 'checksum') === true,
    prune: settingOf(config, 'prune') === true,
    reread: settingOf(config, 'reread') === true,
    replaceSource: flags['replaceSource'] === true,
    takeOver: flags['takeOver'] === true,
    ...limitsOf(config),
  };
  return {
    request,
    address: source.address,
    notices: noticesOf(source),
    isHere,
    ...(site === undefined ? {} : { site }),
  };
}
