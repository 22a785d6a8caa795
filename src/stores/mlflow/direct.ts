/** The stores from which files can be fetched past MLflow, where the caller has access to them. */
import { redactUri } from '../../model/artifact-uri.js';
import { isListed } from '../lib/listed.js';
import { AZURE_SECRETS, GCS_SECRETS, HDFS_SECRETS } from '../lib/secret-variables.js';
import { AZURE_SIGN_IN, GCS_SIGN_IN, HDFS_SETTINGS, S3_SIGN_IN } from '../lib/setting-variables.js';
import type { ConnectionSecrets, ConnectionSettings } from '../store.js';
import { joinPath } from '../lib/join-path.js';

/** Who asks, as far as the storage is concerned. */
export interface Access {
  readonly settings: ConnectionSettings;
  readonly secrets: ConnectionSecrets;
}

/** One kind of store. */
interface Storage {
  readonly name: string;
  readonly schemes: RegExp;
  /** Whether the caller, or the connection, names something to sign in with. */
  readonly hasAccess: (access: Access) => boolean;
  /** A run may name any host, and what signs in there would go to that: the connection has to list the place (rules 3 and 4). */
  readonly goesToAnyHost?: (access: Access) => boolean;
}

const always = (): boolean => true;

const STORAGES: readonly Storage[] = [
  { name: 'S3', schemes: /^s3[an]?$/, hasAccess: hasS3Access },
  { name: 'Azure', schemes: /^(wasbs?|abfss?)$/, hasAccess: hasAzureAccess },
  { name: 'Google Cloud Storage', schemes: /^gs$/, hasAccess: hasGcsAccess },
  {
    name: 'HDFS',
    schemes: /^(hdfs|viewfs|s?webhdfs)$/,
    hasAccess: hasHdfsAccess,
    goesToAnyHost: ({ secrets }) => HDFS_SECRETS.some((name) => secrets[name]),
  },
  // Keys of this machine sign in at SFTP although nothing is set.
  { name: 'SFTP', schemes: /^sftp$/, hasAccess: always, goesToAnyHost: always },
  { name: 'FTP', schemes: /^ftp(e?s)?$/, hasAccess: always, goesToAnyHost: always },
];

/** What to set, for messages. */
const HOW_TO_HAVE_ACCESS =
  'set credentials for that storage (for S3: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; for Azure: AZURE_STORAGE_CONNECTION_STRING or AZURE_STORAGE_ACCESS_KEY; for Google Cloud Storage: GOOGLE_APPLICATION_CREDENTIALS; for HDFS: HADOOP_CONF_DIR, or HADOOP_USER_NAME)';

function schemeIn(uri: string): string {
  return /^([a-z][a-z0-9+.-]*):/i.exec(uri)?.[1]?.toLowerCase() ?? '';
}

function storageAt(uri: string): Storage | undefined {
  return STORAGES.find(({ schemes }) => schemes.test(schemeIn(uri)));
}

/**
 * A path below an artifact root as the URI of its own store. A root may hold a key or a password: the connection has its own (rules 3
 * and 4). MLflow decodes nothing in a root, and FTP servers get its path from their own root on.
 */
export function storageUri(artifactUri: string, path: string): string {
  const [, place, folder = ''] =
    /^(s?ftp:\/\/[^/?#]*)([^?#]*)/is.exec(redactUri(artifactUri)) ?? [];
  if (place === undefined) return joinPath(redactUri(artifactUri).replace(/\/+$/, ''), path);
  const full = joinPath(folder.replace(/^\/+|\/+$/g, ''), path);
  const slash = /^ftp:/i.test(place) ? '//' : '/';
  return place + slash + full.replace(/[%?#;]/g, encodeURIComponent);
}

/** Why the files at a URI are read past MLflow, as the end of a sentence; undefined: they come through MLflow. */
export function accessTo(uri: string, access: Access): string | undefined {
  if (access.settings['WAYBILL_MLFLOW_TRANSPORT'] === 'proxied') return undefined;
  const storage = storageAt(uri);
  if (storage?.hasAccess(access) !== true) return undefined;
  if (storage.goesToAnyHost?.(access) !== true) {
    return `this connection has credentials for ${storage.name}`;
  }
  return isListed(uri, access.settings) ? 'the prefixes of this connection list it' : undefined;
}

/** Whether the credentials that there are would go to whatever host a record names, and nobody said that they may. */
export function isUnlisted(uri: string, access: Access): boolean {
  return storageAt(uri)?.goesToAnyHost?.(access) === true && !isListed(uri, access.settings);
}

/** What to set so that files are read past MLflow. */
export function howToHaveAccess(uri: string, root: string, access: Access): string {
  if (!isUnlisted(uri, access)) return HOW_TO_HAVE_ACCESS;
  const scheme = schemeIn(uri);
  const login =
    scheme === 'sftp'
      ? 'a key, or WAYBILL_SFTP_PASSWORD'
      : /^ftp/.test(scheme)
        ? 'WAYBILL_FTP_USER and WAYBILL_FTP_PASSWORD'
        : 'the credentials that are set';
  return (
    `let the connection list the place, and Waybill reads it with ${login}: prefixes = ["runs:/", "models:/", ` +
    `"${storageUri(root, '')}"] (without a connection: WAYBILL_PREFIXES, separated by blanks)`
  );
}

function hasS3Access({ settings, secrets }: Access): boolean {
  if (secrets['AWS_ACCESS_KEY_ID']) return true;
  if (S3_SIGN_IN.some((name) => settings[name])) return true;
  return settings['MLFLOW_EXPERIMENTAL_S3_SIGNATURE_VERSION'] === 'unsigned';
}

function hasAzureAccess({ settings, secrets }: Access): boolean {
  if (/^(true|1|yes|on)$/i.test(settings['AZURE_STORAGE_ANON'] ?? '')) return true;
  return (
    AZURE_SIGN_IN.some((name) => settings[name]) || AZURE_SECRETS.some((name) => secrets[name])
  );
}

function hasGcsAccess({ settings, secrets }: Access): boolean {
  return GCS_SIGN_IN.some((name) => settings[name]) || GCS_SECRETS.some((name) => secrets[name]);
}

/** A configuration of the cluster, or whoever asks there; many clusters believe a name. */
function hasHdfsAccess({ settings, secrets }: Access): boolean {
  return HDFS_SETTINGS.some((name) => settings[name]) || HDFS_SECRETS.some((name) => secrets[name]);
}
