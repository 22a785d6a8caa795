/** Settings of stores that a reference may lead to, beside their secrets: a store reads its own, a registry passes them on. */

/** By which a connection says how to sign in at Amazon's. */
export const S3_SIGN_IN = [
  'AWS_PROFILE',
  'AWS_SHARED_CREDENTIALS_FILE',
  'AWS_WEB_IDENTITY_TOKEN_FILE',
] as const;

/** The same at Microsoft's. */
export const AZURE_SIGN_IN = [
  'AZURE_CLIENT_CERTIFICATE_PATH',
  'AZURE_FEDERATED_TOKEN_FILE',
] as const;

/** The same at Google's. */
export const GCS_SIGN_IN = ['GOOGLE_APPLICATION_CREDENTIALS', 'STORAGE_EMULATOR_HOST'] as const;

/** Which cluster of Hadoop, and who asks there; many believe a name. */
export const HDFS_SETTINGS = [
  'HADOOP_CONF_DIR',
  'HADOOP_HOME',
  'HADOOP_USER_NAME',
  'HADOOP_TOKEN_FILE_LOCATION',
  'MLFLOW_KERBEROS_TICKET_CACHE',
  'MLFLOW_KERBEROS_USER',
  'WAYBILL_HDFS_URL',
] as const;

/** Whom a server that speaks SSH gets to see, and by what it is known. */
export const SFTP_SETTINGS = [
  'SSH_AUTH_SOCK',
  'WAYBILL_SFTP_KEY_FILE',
  'WAYBILL_SFTP_CONFIG_FILE',
  'WAYBILL_SFTP_KNOWN_HOSTS_FILE',
  'WAYBILL_SFTP_CHECKSUM',
  'WAYBILL_SFTP_IDENTITY',
] as const;
