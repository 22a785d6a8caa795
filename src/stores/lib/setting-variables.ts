/** Settings of stores that a reference may lead to, beside their secrets: a store reads its own, a registry passes them on. */

/** By which a connection says how to sign in at Amazon's. */
export const S3_SIGN_IN = [
  'AWS_PROFILE',
  'AWS_SHARED_CREDENTIALS_FILE',
  'AWS_WEB_IDENTITY_TOKEN_FILE',
  'AWS_CONTAINER_CREDENTIALS_FULL_URI',
  'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
] as const;

/** All of Amazon's, and those by which other tools know a server that speaks as S3 does. */
export const S3_SETTINGS = [
  'AWS_REGION',
  'AWS_DEFAULT_REGION',
  'AWS_ENDPOINT_URL_S3',
  'AWS_ENDPOINT_URL',
  'AWS_DEFAULT_PROFILE',
  'AWS_CONFIG_FILE',
  'AWS_ROLE_ARN',
  'AWS_ROLE_SESSION_NAME',
  ...S3_SIGN_IN,
  'AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE',
  'AWS_NO_SIGN_REQUEST',
  'AWS_REQUEST_PAYER',
  'AWS_S3_FORCE_PATH_STYLE',
  'MLFLOW_S3_ENDPOINT_URL',
  'MLFLOW_S3_IGNORE_TLS',
  'MLFLOW_S3_EXPECTED_BUCKET_OWNER',
  'MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE',
  'MLFLOW_EXPERIMENTAL_S3_SIGNATURE_VERSION',
] as const;

/** The same at Microsoft's. */
export const AZURE_SIGN_IN = [
  'AZURE_CLIENT_CERTIFICATE_PATH',
  'AZURE_FEDERATED_TOKEN_FILE',
] as const;

/** All of Azure's. */
export const AZURE_SETTINGS = [
  'AZURE_STORAGE_ACCOUNT',
  'AZURE_STORAGE_ACCOUNT_NAME',
  'AZURE_STORAGE_SERVICE_ENDPOINT',
  'AZURE_STORAGE_ENDPOINT',
  'AZURE_STORAGE_ANON',
  'AZURE_TENANT_ID',
  'AZURE_CLIENT_ID',
  ...AZURE_SIGN_IN,
  'AZURE_AUTHORITY_HOST',
  'MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT',
] as const;

/** The same at Google's. */
export const GCS_SIGN_IN = ['GOOGLE_APPLICATION_CREDENTIALS', 'STORAGE_EMULATOR_HOST'] as const;

/** All of Google's. */
export const GCS_SETTINGS = [
  ...GCS_SIGN_IN,
  'GOOGLE_CLOUD_QUOTA_PROJECT',
  'GS_NO_SIGN_REQUEST',
  'CLOUDSDK_CONFIG',
  'CLOUDSDK_AUTH_DISABLE_CREDENTIALS',
  'CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE',
  'MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT',
  'MLFLOW_GCS_DEFAULT_TIMEOUT',
] as const;

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

/** How an FTP server is spoken to; who asks is a secret. */
export const FTP_SETTINGS = ['WAYBILL_FTP_TLS', 'WAYBILL_FTP_CHECKSUM'] as const;

/** What else is said of a cluster of Hadoop. */
const HDFS_MORE = [
  'KRB5CCNAME',
  'KRB5_CONFIG',
  'KRB5_CLIENT_KTNAME',
  'WAYBILL_HDFS_CHECKSUM',
  'WAYBILL_HDFS_IDENTITY',
] as const;

/** What a connection of a registry may say of the stores that its records lead to. */
export const SETTINGS_BEHIND = [
  ...new Set<string>([
    ...S3_SETTINGS,
    ...AZURE_SETTINGS,
    ...GCS_SETTINGS,
    ...HDFS_SETTINGS,
    ...HDFS_MORE,
    ...SFTP_SETTINGS,
    ...FTP_SETTINGS,
  ]),
];
