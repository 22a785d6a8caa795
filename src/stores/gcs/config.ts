/** The GCS store's address and settings, read and checked. */
import { WaybillError } from '../../model/errors.js';
import { GCS_KEY_FILES, GCS_TOKENS } from '../lib/secret-variables.js';
import { GCS_SETTINGS } from '../lib/setting-variables.js';
import type { ConnectionSettings, StoreAddress } from '../store.js';

/** Where the requests go. */
export interface GcsPlace {
  /** Without a slash at its end. */
  readonly endpoint: string;
  /** The variable that says so; absent: Google's own. */
  readonly variable?: string;
  /** An emulator knows nobody, and gets no credentials. */
  readonly isEmulator: boolean;
}

/** A secret, and the variable that it comes from. */
export interface NamedSecret {
  readonly variable: string;
  readonly value: string;
}

/** Who asks, as far as the address says it; in this order, the files of gcloud and the platform come after it. */
export interface GcsIdentity {
  /** The variable that asks for requests without a sign-in. */
  readonly anonymousBy?: string;
  /** An access token, which cannot be renewed here. */
  readonly token?: NamedSecret;
  /** The content of a credentials file. */
  readonly json?: NamedSecret;
  /** GOOGLE_APPLICATION_CREDENTIALS. */
  readonly file?: string;
  /** Where gcloud keeps its files; absent: ~/.config/gcloud. */
  readonly gcloudFolder?: string;
  /** The project that pays, where the owner of the bucket does not. */
  readonly quotaProject?: string;
}

/** All that the store needs to know; free of secrets but for those of `identity`. */
export interface GcsConfig {
  readonly bucket: string;
  /** The object name or prefix of the root, without the slash at its end; '' is the whole bucket. */
  readonly rootKey: string;
  /** The URI ended in a slash: the root is a folder, whatever object has its name. */
  readonly isFolder: boolean;
  /** `gs://bucket/name`, as shown. */
  readonly root: string;
  readonly place: GcsPlace;
  readonly identity: GcsIdentity;
}

/** Settings that travel with the request, by the names that people have in their environment. */
export const SETTING_VARIABLES = GCS_SETTINGS;

const GOOGLE = 'https://storage.googleapis.com';

const GCS_URI = /^(?:gs|gcs):\/\/([^/]*)(?:\/([\s\S]*))?$/i;

/** 3 to 63 characters, more with dots; Google takes no capitals, some emulators do. */
const BUCKET = /^[A-Za-z0-9][A-Za-z0-9._-]{1,220}[A-Za-z0-9]$/;

/** Reads an address. A malformed URI is WB_USAGE, a setting that cannot be right WB_CONFIG_INVALID naming it. */
export function readGcsConfig({ uri, settings, secrets }: StoreAddress): GcsConfig {
  const { bucket, key } = parseGcsUri(uri);
  if (secrets['username'] !== undefined || secrets['password'] !== undefined) {
    throw invalid(
      'credentials in a gs:// address are not taken: set GOOGLE_APPLICATION_CREDENTIALS to a file',
    );
  }
  const rootKey = key.endsWith('/') ? key.slice(0, -1) : key;
  return {
    bucket,
    rootKey,
    isFolder: key === '' || key.endsWith('/'),
    root: `gs://${bucket}${rootKey === '' ? '' : `/${rootKey}`}`,
    place: placeOf(settings),
    identity: identityOf(settings, secrets),
  };
}

/** Splits `gs://bucket/name`. Nothing is decoded: `?`, `#` and `%` are characters of a name. */
export function parseGcsUri(uri: string): { bucket: string; key: string } {
  const match = GCS_URI.exec(uri);
  const bucket = match?.[1] ?? '';
  if (match && BUCKET.test(bucket)) return { bucket, key: match[2] ?? '' };
  const shown = bucket.replace(/^.*@/, '***@');
  throw new WaybillError(
    'WB_USAGE',
    bucket === ''
      ? `not an address in Google Cloud Storage: write gs://bucket/prefix, not ${uri}`
      : `"${shown}" is not the name of a bucket`,
    { operation: 'open', store: 'gcs' },
  );
}

function placeOf(settings: ConnectionSettings): GcsPlace {
  const own = pick(settings, ['CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE']);
  if (own) {
    const url = addressOf(own.value, own.variable);
    if (!isPrivate(url)) {
      throw invalid(
        `${own.variable} is not encrypted, so that a token could be read on its way: write https://, or name an emulator by STORAGE_EMULATOR_HOST`,
      );
    }
    return { endpoint: trimmed(url), variable: own.variable, isEmulator: false };
  }
  const emulator = pick(settings, ['STORAGE_EMULATOR_HOST']);
  if (!emulator) return { endpoint: GOOGLE, isEmulator: false };
  // Google's libraries for Go and C++ take it without a scheme, those for Python and Node.js with one.
  const address = emulator.value.includes('://') ? emulator.value : `http://${emulator.value}`;
  const url = addressOf(address, emulator.variable);
  return { endpoint: trimmed(url), variable: emulator.variable, isEmulator: true };
}

/** Whether what is sent there cannot be read on its way. */
export function isPrivate(url: URL): boolean {
  return url.protocol === 'https:' || /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname);
}

function addressOf(text: string, variable: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && /^https?:$/.test(url.protocol) && url.username === '' && url.search === '') return url;
  throw invalid(
    `${variable} is not the address of a service: write https://host or http://host:port`,
  );
}

/** gcloud writes the path of the API into its override, other tools leave it out. */
function trimmed({ origin, pathname }: URL): string {
  return origin + pathname.replace(/\/+$/, '').replace(/\/storage\/v1$/, '');
}

function identityOf(
  settings: ConnectionSettings,
  secrets: Readonly<Record<string, string>>,
): GcsIdentity {
  const off = ['GS_NO_SIGN_REQUEST', 'CLOUDSDK_AUTH_DISABLE_CREDENTIALS'].find((name) =>
    /^(true|1|yes|on)$/i.test(settings[name]?.trim() ?? ''),
  );
  const token = pick(secrets, GCS_TOKENS);
  const json = pick(secrets, GCS_KEY_FILES);
  const file = pick(settings, ['GOOGLE_APPLICATION_CREDENTIALS'])?.value;
  const gcloudFolder = pick(settings, ['CLOUDSDK_CONFIG'])?.value;
  const quotaProject = pick(settings, ['GOOGLE_CLOUD_QUOTA_PROJECT'])?.value;
  return {
    ...(off === undefined ? {} : { anonymousBy: off }),
    ...(token === undefined ? {} : { token }),
    ...(json === undefined ? {} : { json }),
    ...(file === undefined ? {} : { file }),
    ...(gcloudFolder === undefined ? {} : { gcloudFolder }),
    ...(quotaProject === undefined ? {} : { quotaProject }),
  };
}

function pick(
  values: Readonly<Record<string, string>>,
  names: readonly string[],
): NamedSecret | undefined {
  for (const variable of names) {
    const value = values[variable]?.trim();
    if (value !== undefined && value !== '') return { variable, value };
  }
  return undefined;
}

function invalid(message: string): WaybillError {
  return new WaybillError('WB_CONFIG_INVALID', message, { operation: 'open', store: 'gcs' });
}
