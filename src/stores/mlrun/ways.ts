/** How the bytes at a place travel: directly from the store that they lie in, or through MLRun's API server. */
import { pathToFileURL } from 'node:url';
import { redactUri, schemeOf } from '../../model/artifact-uri.js';
import { isListed } from '../lib/listed.js';
import { allowedPath, diskPath, isDiskRoot } from '../lib/local-roots.js';
import { NETWORK_VARIABLES } from '../lib/network-variables.js';
import { findMapped } from '../lib/path-map.js';
import { AZURE_SECRETS, GCS_SECRETS } from '../lib/secret-variables.js';
import { AZURE_SIGN_IN, GCS_SIGN_IN, S3_SIGN_IN } from '../lib/setting-variables.js';
import type { ConnectionSecrets, ConnectionSettings, OtherStores } from '../store.js';
import type { MlrunConfig } from './config.js';
import { mlrunError } from './errors.js';

/** A way, with its reason. */
export type Way =
  | { readonly via: 'direct'; readonly uri: string; readonly why: string }
  | { readonly via: 'proxied'; readonly scheme: string; readonly why: string }
  /** Directly, if the API server does not pass it on: nothing is set to sign in with. */
  | { readonly via: 'undecided'; readonly uri: string; readonly scheme: string };

/** Object stores: what signs in there goes to that service, whatever bucket a record names. */
const OBJECT_STORES: Readonly<Record<string, readonly string[]>> = {
  s3: ['AWS_ACCESS_KEY_ID', ...S3_SIGN_IN, 'AWS_NO_SIGN_REQUEST'],
  gs: [...GCS_SIGN_IN, ...GCS_SECRETS],
  az: [...AZURE_SECRETS, ...AZURE_SIGN_IN, 'AZURE_STORAGE_ANON'],
};

/** Schemes by which MLRun and Waybill call the same store differently. */
export function spellAsWaybill(target: string): string {
  return target.replace(/^gcs:/i, 'gs:').replace(/^s3[an]:/i, 's3:');
}

function objectStoreOf(scheme: string): string | undefined {
  if (scheme === 's3' || scheme === 'gs') return scheme;
  return /^(az|wasbs?|abfss?)$/.test(scheme) ? 'az' : undefined;
}

/** The scheme of a place; `file` for a path. */
export function schemeOfTarget(target: string): string {
  return isDiskRoot(target) ? 'file' : schemeOf(spellAsWaybill(target));
}

/** The way to a place (a folder, or a single file) as far as it can be told without a request. */
export async function wayTo(
  place: string,
  config: MlrunConfig,
  others: Pick<OtherStores, 'hasScheme'>,
): Promise<Way> {
  const scheme = schemeOfTarget(place);
  const isForced = config.settings['WAYBILL_MLRUN_TRANSPORT'] === 'proxied';
  if (scheme === 'ds') {
    throw unreadable(
      place,
      `a datastore profile, whose address and keys MLRun's server has: Waybill does not ask for those; pull from the ` +
        'store behind the profile, or log the artifact with its full address',
    );
  }
  if (scheme === 'memory') throw unreadable(place, 'the memory of a process that has ended');
  if (scheme === 'store' || scheme === 'mlrun') throw unreadable(place, 'another reference');
  if (isForced) return { via: 'proxied', scheme, why: 'asked for' };
  if (scheme === 'file') return wayToDisk(place, config);
  // A target may hold a key or a signature: the connection has its own (rules 3 and 4).
  const uri = redactUri(spellAsWaybill(place));
  if (scheme === 'v3io' || scheme === 'v3ios') {
    const { settings, secrets } = config;
    if (settings['V3IO_API'] && secrets['V3IO_ACCESS_KEY']) {
      return { via: 'direct', uri, why: 'V3IO_API and V3IO_ACCESS_KEY are set' };
    }
    return { via: 'proxied', scheme, why: 'V3IO_API and V3IO_ACCESS_KEY are not both set' };
  }
  if (!others.hasScheme(scheme)) {
    return { via: 'proxied', scheme, why: `Waybill itself reads no ${scheme}:` };
  }
  const objects = objectStoreOf(scheme);
  if (objects === undefined) return { via: 'direct', uri, why: `the files lie at ${scheme}:` };
  const { settings, secrets } = config;
  const has = (OBJECT_STORES[objects] ?? []).find((name) => settings[name] || secrets[name]);
  if (has === undefined) return { via: 'undecided', uri, scheme };
  return { via: 'direct', uri, why: `${has} is set for ${scheme}:` };
}

/** Files on a disk: read here only where that is allowed, else through the server. */
async function wayToDisk(place: string, config: MlrunConfig): Promise<Way> {
  const path = place.replace(/\/+$/, '');
  const mapped = await findMapped(config.settings, path, '', 'mlrun');
  if (mapped !== undefined) {
    return { via: 'direct', uri: pathToFileURL(mapped.path).href, why: mapped.why };
  }
  const here = await allowedPath(config.allowLocalRoots, diskPath(path));
  if (here !== undefined) {
    const why = 'the files lie in a folder that allow_local_roots names';
    return { via: 'direct', uri: pathToFileURL(here).href, why };
  }
  return { via: 'proxied', scheme: 'file', why: 'the files lie on a disk that is not named here' };
}

/** What says who one is, beside secrets: a certificate, and keys that an SSH server is shown. */
const IDENTITY = /^WAYBILL_CLIENT_|^MLFLOW_TRACKING_CLIENT_CERT_PATH$/;

/**
 * The settings and secrets that the store of a target gets. A record may name any host: a password for some host must not go to the
 * one that it names (rule 4), unless the connection lists that place.
 */
export function accessTo(
  uri: string,
  { settings, secrets }: Pick<MlrunConfig, 'settings' | 'secrets'>,
): { readonly settings: ConnectionSettings; readonly secrets: ConnectionSecrets } {
  // The key of the platform goes to its web API, which its own store sees to.
  const isPlatform = /^v3ios?:/i.test(uri);
  const foreign = isPlatform ? /^MLRUN_/ : /^(MLRUN_|V3IO_)/;
  const own = Object.entries(secrets).filter(([name]) => !foreign.test(name));
  if (isPlatform || isListed(uri, settings) || objectStoreOf(schemeOf(uri)) !== undefined) {
    return { settings, secrets: Object.fromEntries(own) };
  }
  const network: readonly string[] = NETWORK_VARIABLES.settings;
  const asNobody = Object.entries(settings).filter(([name]) => !IDENTITY.test(name));
  return {
    settings: { ...Object.fromEntries(asNobody), WAYBILL_SFTP_IDENTITY: 'none' },
    // A proxy may want a password, which is nothing to the host behind it.
    secrets: Object.fromEntries(own.filter(([name]) => network.includes(name))),
  };
}

function unreadable(place: string, what: string): Error {
  return mlrunError('WB_UNSUPPORTED', `the files lie at ${redactUri(place)}, which is ${what}`, {
    operation: 'resolve',
    scope: 'source',
  });
}
