/** Secrets by which stores know who asks, as people have them in their environment: a store reads its own, a reference may lead to any. */

/** Amazon's. */
export const S3_SECRETS = [
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'AWS_CONTAINER_AUTHORIZATION_TOKEN',
] as const;

/** Account keys of Azure: of MLflow, of the az command line, of fsspec and rclone. */
export const AZURE_KEYS = [
  'AZURE_STORAGE_ACCESS_KEY',
  'AZURE_STORAGE_KEY',
  'AZURE_STORAGE_ACCOUNT_KEY',
] as const;

/** All of Azure's. */
export const AZURE_SECRETS = [
  'AZURE_STORAGE_CONNECTION_STRING',
  ...AZURE_KEYS,
  'AZURE_STORAGE_SAS_TOKEN',
  'AZURE_CLIENT_SECRET',
  'AZURE_CLIENT_CERTIFICATE_PASSWORD',
] as const;

/** Access tokens of Google, which cannot be renewed here. */
export const GCS_TOKENS = ['CLOUDSDK_AUTH_ACCESS_TOKEN', 'GOOGLE_OAUTH_ACCESS_TOKEN'] as const;

/** The content of a credentials file of Google. */
export const GCS_KEY_FILES = ['GOOGLE_CREDENTIALS', 'GCP_CREDENTIALS'] as const;

/** All of Google's. */
export const GCS_SECRETS = [...GCS_TOKENS, ...GCS_KEY_FILES] as const;

/** Delegation tokens of Hadoop, the one that is meant for Waybill first. */
export const HDFS_TOKENS = ['WAYBILL_HDFS_TOKEN', 'HADOOP_TOKEN'] as const;

/** A password at a gateway before Hadoop. */
export const HDFS_PASSWORD = 'WAYBILL_HDFS_PASSWORD';

/** All of Hadoop's. */
export const HDFS_SECRETS = [...HDFS_TOKENS, HDFS_PASSWORD] as const;

/** Of servers that speak SSH: of Waybill, and of sshpass. */
export const SFTP_SECRETS = [
  'WAYBILL_SFTP_PASSWORD',
  'WAYBILL_SFTP_KEY_PASSPHRASE',
  'SSHPASS',
] as const;

/** Who asks an FTP server; a name travels with its password. */
export const FTP_USER = 'WAYBILL_FTP_USER';
export const FTP_PASSWORD = 'WAYBILL_FTP_PASSWORD';

/** Both. */
export const FTP_SECRETS = [FTP_USER, FTP_PASSWORD] as const;

/** Those by which a registry's records are read at the stores that they lead to. */
export const SECRETS_BEHIND = [
  ...S3_SECRETS,
  ...AZURE_SECRETS,
  ...GCS_SECRETS,
  ...HDFS_SECRETS,
  ...SFTP_SECRETS,
  ...FTP_SECRETS,
] as const;
