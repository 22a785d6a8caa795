/** Which MLflow server, and who asks: settings and secrets of an address, read and checked. */
import { redactUri } from '../../model/artifact-uri.js';
import { WaybillError } from '../../model/errors.js';
import { SECRETS_BEHIND } from '../lib/secret-variables.js';
import { SETTINGS_BEHIND } from '../lib/setting-variables.js';
import { diskPlaceOf } from './places.js';
import type { ConnectionSecrets, ConnectionSettings, StoreAddress } from '../store.js';

/** Settings of MLflow's own environment, and of the storage behind it for the direct transport. */
export const SETTING_NAMES = [
  'MLFLOW_TRACKING_URI',
  'MLFLOW_REGISTRY_URI',
  'MLFLOW_WORKSPACE',
  'MLFLOW_HTTP_REQUEST_TIMEOUT',
  'MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD',
  'WAYBILL_MLFLOW_TRANSPORT',
  'ALLOW_LOCAL_ROOTS',
  'WAYBILL_PATH_MAP',
  ...SETTINGS_BEHIND,
];

/** Secrets of the same. */
export const SECRET_NAMES = [
  'MLFLOW_TRACKING_USERNAME',
  'MLFLOW_TRACKING_PASSWORD',
  'MLFLOW_TRACKING_TOKEN',
  ...SECRETS_BEHIND,
] as const;

/** How long a server may take to answer, in milliseconds, as MLflow's own client reads it; undefined: not set. */
export function answerMsOf(settings: ConnectionSettings): number | undefined {
  const seconds = Number(settings['MLFLOW_HTTP_REQUEST_TIMEOUT'] ?? '');
  return seconds > 0 ? seconds * 1_000 : undefined;
}

/** A server and the right to ask it. */
export interface MlflowConfig {
  /** Scheme, host and static prefix, no slash at the end. */
  readonly trackingUri: string;
  /** Where registered models are looked up; usually the same. */
  readonly registryUri: string;
  /** The header that goes to `credentialsOrigins` and nowhere else. */
  readonly authorization?: string;
  readonly credentialsOrigins: readonly string[];
  readonly workspace?: string;
  /** Local folders in which a run's files may be read from disk (rule 4); empty: none. */
  readonly allowLocalRoots: readonly string[];
  /** As given, for the HTTP library: proxies, certificates, time-outs. */
  readonly settings: ConnectionSettings;
  readonly secrets: ConnectionSecrets;
}

function invalid(message: string): WaybillError {
  return new WaybillError('WB_CONFIG_INVALID', message, { operation: 'open', store: 'mlflow' });
}

/** What Databricks keeps in a bucket of one's own is a source like any other; what it keeps itself only its own tools fetch. */
const AT_DATABRICKS =
  'Pull the files from where they lie, if that is storage of yours (s3://, abfss:// or gs://: the source or artifact_uri that ' +
  'the workspace shows); else fetch them with `mlflow artifacts download`.';

/** Checks a server address and takes the slash at its end off. */
function serverUri(value: string, variable: string): string {
  const shown = redactUri(value);
  if (/^(?:databricks|databricks-uc|uc)(?::|$)/i.test(value)) {
    throw new WaybillError(
      'WB_UNSUPPORTED',
      `${variable} is ${shown}: a workspace of Databricks, whose profiles and models Waybill does not read yet`,
      { operation: 'open', store: 'mlflow', advice: AT_DATABRICKS },
    );
  }
  if (!/^https?:\/\//i.test(value)) {
    throw new WaybillError(
      'WB_UNSUPPORTED',
      `${variable} is ${shown}, and Waybill reads MLflow through its server, a folder (file:///data/mlruns) or a SQLite ` +
        `database (sqlite:////data/mlflow.db): start \`mlflow server --backend-store-uri ${shown}\` and set ${variable} to ` +
        'its http(s) address',
      { operation: 'open', store: 'mlflow' },
    );
  }
  if (!URL.canParse(value)) throw invalid(`${variable} is no address: ${shown}`);
  const url = new URL(value);
  if (url.username !== '' || url.password !== '') {
    throw invalid(
      `${variable} holds a password: take it out and set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD`,
    );
  }
  return url.origin + url.pathname.replace(/\/+$/, '');
}

/** Records on disk get no credentials, so that there is nobody they were meant for. */
function trustedServers(configured: string): string[] {
  return diskPlaceOf(configured) ? [] : [serverUri(configured, 'MLFLOW_TRACKING_URI')];
}

/** MLflow's own order: name and password win over the token. */
function authorizationOf(secrets: ConnectionSecrets): string | undefined {
  const username = secrets['MLFLOW_TRACKING_USERNAME'] ?? secrets['username'];
  const password = secrets['MLFLOW_TRACKING_PASSWORD'] ?? secrets['password'];
  if (username && password) {
    return `Basic ${Buffer.from(`${username}:${password}`, 'utf8').toString('base64')}`;
  }
  const token = secrets['MLFLOW_TRACKING_TOKEN'] ?? secrets['token'];
  return token ? `Bearer ${token.trim()}` : undefined;
}

/**
 * Reads an address. No tracking server set is WB_USAGE, one that is no HTTP server WB_UNSUPPORTED, a password in its
 * address WB_CONFIG_INVALID.
 */
export function readConfig({ settings, secrets }: StoreAddress): MlflowConfig {
  const tracking = settings['MLFLOW_TRACKING_URI'];
  if (tracking === undefined || tracking === '') {
    throw new WaybillError(
      'WB_USAGE',
      'no MLflow is named: set MLFLOW_TRACKING_URI, or add --tracking-uri http://host:5000 (or file:./mlruns, or ' +
        'sqlite:///mlflow.db); neither mlruns with experiments nor mlflow.db is in this folder',
      { operation: 'open', store: 'mlflow' },
    );
  }
  const trackingUri = serverUri(tracking, 'MLFLOW_TRACKING_URI');
  const registry = settings['MLFLOW_REGISTRY_URI'];
  const registryUri = registry ? serverUri(registry, 'MLFLOW_REGISTRY_URI') : trackingUri;
  // A page's URL names its own server; credentials stay with the one that was configured before.
  const trusted = settings['mlflow_credentials_for'];
  const trustedUris = trusted ? trustedServers(trusted) : [trackingUri, registryUri];
  const authorization = authorizationOf(secrets);
  const workspace = settings['MLFLOW_WORKSPACE'];
  return {
    trackingUri,
    registryUri,
    credentialsOrigins: [...new Set(trustedUris.map((uri) => new URL(uri).origin))],
    allowLocalRoots: (settings['ALLOW_LOCAL_ROOTS'] ?? '').split(':').filter((root) => root !== ''),
    settings,
    secrets,
    ...(authorization === undefined ? {} : { authorization }),
    ...(workspace ? { workspace } : {}),
  };
}
