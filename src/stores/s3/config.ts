/** The S3 store's address and settings, read and checked. */
import { WaybillError } from '../../model/errors.js';
import { S3_SETTINGS } from '../lib/setting-variables.js';
import type { ConnectionSettings, StoreAddress } from '../store.js';

/** Keys that come with the address. */
export interface StaticCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** Where credentials come from, when they do not come with the address. */
export interface ProfileSettings {
  readonly profile?: string;
  readonly configFile?: string;
  readonly credentialsFile?: string;
  readonly roleArn?: string;
  readonly roleSessionName?: string;
  readonly webIdentityTokenFile?: string;
  /** Where a container's platform hands out keys (EKS pod identity, ECS). */
  readonly containerFullUri?: string;
  readonly containerRelativeUri?: string;
  readonly containerTokenFile?: string;
}

/** All that the store needs to know; free of secrets but for `credentials`. */
export interface S3Config {
  readonly bucket: string;
  /** The key or key prefix of the root, without the slash at its end; '' is the whole bucket. */
  readonly rootKey: string;
  /** The URI ended in a slash: the root is a folder, whatever object has its name. */
  readonly isFolder: boolean;
  /** `s3://bucket/key`, as shown. */
  readonly root: string;
  /** As set; absent: AWS, or what the profile says. */
  readonly endpoint?: string;
  /** As set; absent: what the profile says, else us-east-1. */
  readonly region?: string;
  readonly addressing: 'path' | 'virtual' | 'auto';
  readonly isAnonymous: boolean;
  readonly ignoresTls: boolean;
  readonly expectedBucketOwner?: string;
  readonly requestPayer?: string;
  readonly credentials?: StaticCredentials;
  /** What the container's platform wants to hear before it hands out keys. */
  readonly containerToken?: string;
  readonly profile: ProfileSettings;
}

/** Settings that travel with the request, by the names that people have in their environment. */
export const SETTING_VARIABLES = S3_SETTINGS;

/** Those that name an identity of the machine. */
export const IDENTITY_VARIABLES = [
  'AWS_PROFILE',
  'AWS_ROLE_ARN',
  'AWS_WEB_IDENTITY_TOKEN_FILE',
  'AWS_CONTAINER_CREDENTIALS_FULL_URI',
  'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
  'AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE',
] as const satisfies readonly (typeof SETTING_VARIABLES)[number][];

const S3_URI = /^s3[an]?:\/\/([^/]*)(?:\/([\s\S]*))?$/i;

/** Longer than what AWS allows since 2018: old buckets in us-east-1, and other services, have such names. */
const BUCKET = /^[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]$/;

const REGION = /^[A-Za-z0-9-]{1,64}$/;

/** Whether a string can be a region: it becomes part of a host name. */
export function isRegion(text: string): boolean {
  return REGION.test(text);
}

/** Reads an address. A malformed URI is WB_USAGE, a setting that cannot be right WB_CONFIG_INVALID naming it. */
export function readS3Config(address: StoreAddress): S3Config {
  const { bucket, key } = parseS3Uri(address.uri);
  const { settings } = address;
  const endpoint = pick(settings, [
    'MLFLOW_S3_ENDPOINT_URL',
    'AWS_ENDPOINT_URL_S3',
    'AWS_ENDPOINT_URL',
  ]);
  const region = pick(settings, ['AWS_REGION', 'AWS_DEFAULT_REGION']);
  if (endpoint) checkEndpoint(endpoint.value, endpoint.name);
  if (region && !isRegion(region.value)) {
    throw invalid(`${region.name} is not the name of a region: ${region.value}`);
  }
  const credentials = staticCredentials(address);
  const containerToken = address.secrets['AWS_CONTAINER_AUTHORIZATION_TOKEN'] ?? '';
  const owner = pick(settings, ['MLFLOW_S3_EXPECTED_BUCKET_OWNER']);
  const payer = pick(settings, ['AWS_REQUEST_PAYER']);
  const rootKey = key.endsWith('/') ? key.slice(0, -1) : key;
  return {
    bucket,
    rootKey,
    isFolder: key === '' || key.endsWith('/'),
    root: `s3://${bucket}${rootKey === '' ? '' : `/${rootKey}`}`,
    ...(endpoint ? { endpoint: endpoint.value } : {}),
    ...(region ? { region: region.value } : {}),
    addressing: addressingOf(settings),
    isAnonymous: isAnonymous(settings),
    ignoresTls: isTrue(pick(settings, ['MLFLOW_S3_IGNORE_TLS'])?.value),
    ...(owner ? { expectedBucketOwner: owner.value } : {}),
    ...(payer ? { requestPayer: payer.value } : {}),
    ...(credentials ? { credentials } : {}),
    ...(containerToken === '' ? {} : { containerToken }),
    profile: profileOf(settings),
  };
}

/** Splits `s3://bucket/key`. Nothing is decoded: `?`, `#` and `%` are characters of a key. */
export function parseS3Uri(uri: string): { bucket: string; key: string } {
  const match = S3_URI.exec(uri);
  const bucket = match?.[1] ?? '';
  if (!match || bucket === '') {
    throw new WaybillError('WB_USAGE', `not an S3 URI: write s3://bucket/prefix, not ${uri}`, {
      operation: 'open',
      store: 's3',
    });
  }
  if (!BUCKET.test(bucket)) {
    throw new WaybillError(
      'WB_USAGE',
      `"${bucket.replace(/^.*@/, '***@')}" is not the name of a bucket`,
      {
        operation: 'open',
        store: 's3',
      },
    );
  }
  return { bucket, key: match[2] ?? '' };
}

function pick(
  settings: ConnectionSettings,
  names: readonly string[],
): { name: string; value: string } | undefined {
  for (const name of names) {
    const value = settings[name]?.trim();
    if (value !== undefined && value !== '') return { name, value };
  }
  return undefined;
}

function isTrue(text: string | undefined): boolean {
  return /^(true|1|yes|on)$/i.test(text ?? '');
}

/** Throws WB_CONFIG_INVALID unless the text is `http://host[:port][/path]`, or https. */
export function checkEndpoint(text: string, name: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && /^https?:$/.test(url.protocol) && url.username === '' && url.search === '') return url;
  throw invalid(
    `${name} is not the address of an S3 service: write https://host or http://host:port`,
  );
}

function addressingOf(settings: ConnectionSettings): S3Config['addressing'] {
  const style = pick(settings, ['MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE']);
  if (isTrue(settings['AWS_S3_FORCE_PATH_STYLE'])) return 'path';
  if (!style) return 'auto';
  const { value } = style;
  if (value === 'path' || value === 'virtual' || value === 'auto') return value;
  throw invalid(`${style.name} must be path, virtual or auto, not ${value}`);
}

function isAnonymous(settings: ConnectionSettings): boolean {
  return (
    isTrue(pick(settings, ['AWS_NO_SIGN_REQUEST'])?.value) ||
    settings['MLFLOW_EXPERIMENTAL_S3_SIGNATURE_VERSION']?.toLowerCase() === 'unsigned'
  );
}

function staticCredentials({ secrets }: StoreAddress): StaticCredentials | undefined {
  if (secrets['username'] !== undefined || secrets['password'] !== undefined) {
    throw invalid(
      'credentials in an S3 URI are not taken: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
    );
  }
  const accessKeyId = secrets['AWS_ACCESS_KEY_ID'] ?? '';
  const secretAccessKey = secrets['AWS_SECRET_ACCESS_KEY'] ?? '';
  const sessionToken = secrets['AWS_SESSION_TOKEN'] ?? '';
  if (accessKeyId === '' && secretAccessKey === '') return undefined;
  if (accessKeyId === '' || secretAccessKey === '') {
    throw invalid('AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be set together');
  }
  return { accessKeyId, secretAccessKey, ...(sessionToken === '' ? {} : { sessionToken }) };
}

function profileOf(settings: ConnectionSettings): ProfileSettings {
  const found: Record<string, string> = {};
  const take = (key: keyof ProfileSettings, ...names: string[]): void => {
    const value = pick(settings, names)?.value;
    if (value !== undefined) found[key] = value;
  };
  take('profile', 'AWS_PROFILE', 'AWS_DEFAULT_PROFILE');
  take('configFile', 'AWS_CONFIG_FILE');
  take('credentialsFile', 'AWS_SHARED_CREDENTIALS_FILE');
  take('roleArn', 'AWS_ROLE_ARN');
  take('roleSessionName', 'AWS_ROLE_SESSION_NAME');
  take('webIdentityTokenFile', 'AWS_WEB_IDENTITY_TOKEN_FILE');
  take('containerFullUri', 'AWS_CONTAINER_CREDENTIALS_FULL_URI');
  take('containerRelativeUri', 'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI');
  take('containerTokenFile', 'AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE');
  return found;
}

function invalid(message: string): WaybillError {
  return new WaybillError('WB_CONFIG_INVALID', message, { operation: 'open', store: 's3' });
}
