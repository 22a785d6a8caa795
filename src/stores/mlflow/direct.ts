/** The stores from which files can be fetched past MLflow, where the caller has access to them. */
import { AZURE_SECRETS, GCS_SECRETS, HDFS_SECRETS } from '../lib/secret-variables.js';
import type { MlflowConfig } from './config.js';

/** One kind of store. */
interface Storage {
  readonly name: string;
  readonly schemes: RegExp;
  /** Whether the caller, or the connection, names something to sign in with. */
  readonly hasAccess: (config: MlflowConfig) => boolean;
}

const STORAGES: readonly Storage[] = [
  { name: 'S3', schemes: /^s3[an]?$/, hasAccess: hasS3Access },
  { name: 'Azure', schemes: /^(wasbs?|abfss?)$/, hasAccess: hasAzureAccess },
  { name: 'Google Cloud Storage', schemes: /^gs$/, hasAccess: hasGcsAccess },
  { name: 'HDFS', schemes: /^(hdfs|viewfs|s?webhdfs)$/, hasAccess: hasHdfsAccess },
];

/** What to set, for messages. */
export const HOW_TO_HAVE_ACCESS =
  'for S3: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; for Azure: AZURE_STORAGE_CONNECTION_STRING or AZURE_STORAGE_ACCESS_KEY; for Google Cloud Storage: GOOGLE_APPLICATION_CREDENTIALS; for HDFS: HADOOP_CONF_DIR, or HADOOP_USER_NAME';

/** The name of the store of this scheme, if the caller has access to it; undefined: its files come through MLflow. */
export function storageOf(scheme: string, config: MlflowConfig): string | undefined {
  if (config.settings['WAYBILL_MLFLOW_TRANSPORT'] === 'proxied') return undefined;
  return STORAGES.find(({ schemes, hasAccess }) => schemes.test(scheme) && hasAccess(config))?.name;
}

function hasS3Access({ settings, secrets }: MlflowConfig): boolean {
  if (secrets['AWS_ACCESS_KEY_ID']) return true;
  const names = ['AWS_PROFILE', 'AWS_SHARED_CREDENTIALS_FILE', 'AWS_WEB_IDENTITY_TOKEN_FILE'];
  if (names.some((name) => settings[name])) return true;
  return settings['MLFLOW_EXPERIMENTAL_S3_SIGNATURE_VERSION'] === 'unsigned';
}

function hasAzureAccess({ settings, secrets }: MlflowConfig): boolean {
  if (/^(true|1|yes|on)$/i.test(settings['AZURE_STORAGE_ANON'] ?? '')) return true;
  const names = ['AZURE_CLIENT_CERTIFICATE_PATH', 'AZURE_FEDERATED_TOKEN_FILE'];
  return names.some((name) => settings[name]) || AZURE_SECRETS.some((name) => secrets[name]);
}

function hasGcsAccess({ settings, secrets }: MlflowConfig): boolean {
  const names = ['GOOGLE_APPLICATION_CREDENTIALS', 'STORAGE_EMULATOR_HOST'];
  return names.some((name) => settings[name]) || GCS_SECRETS.some((name) => secrets[name]);
}

/** A configuration of the cluster, or whoever asks there; many clusters believe a name. */
function hasHdfsAccess({ settings, secrets }: MlflowConfig): boolean {
  return HDFS_SETTINGS.some((name) => settings[name]) || HDFS_SECRETS.some((name) => secrets[name]);
}

/** Settings that the direct way to HDFS needs. */
export const HDFS_SETTINGS = [
  'HADOOP_CONF_DIR',
  'HADOOP_HOME',
  'HADOOP_USER_NAME',
  'HADOOP_TOKEN_FILE_LOCATION',
  'MLFLOW_KERBEROS_TICKET_CACHE',
  'MLFLOW_KERBEROS_USER',
  'WAYBILL_HDFS_URL',
] as const;

/** Settings that the direct way to Google Cloud Storage needs. */
export const GCS_SETTINGS = [
  'GOOGLE_APPLICATION_CREDENTIALS',
  'GOOGLE_CLOUD_QUOTA_PROJECT',
  'STORAGE_EMULATOR_HOST',
  'MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT',
] as const;

/** Settings that the direct way to Azure needs. */
export const AZURE_SETTINGS = [
  'AZURE_STORAGE_ACCOUNT',
  'AZURE_STORAGE_SERVICE_ENDPOINT',
  'AZURE_STORAGE_ANON',
  'AZURE_TENANT_ID',
  'AZURE_CLIENT_ID',
  'AZURE_CLIENT_CERTIFICATE_PATH',
  'AZURE_FEDERATED_TOKEN_FILE',
] as const;
