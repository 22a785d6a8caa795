/** The variables that the HDFS store reads, by where they go. */
import { NETWORK_VARIABLES } from '../lib/network-variables.js';
import { HDFS_SECRETS } from '../lib/secret-variables.js';

/** Where the Kerberos library looks for what; it reads them itself. */
export const KERBEROS_VARIABLES = ['KRB5CCNAME', 'KRB5_CONFIG', 'KRB5_CLIENT_KTNAME'] as const;

/** Settings that travel with the request, by the names that people have in their environment. */
export const SETTING_VARIABLES = [
  'HADOOP_CONF_DIR',
  'HADOOP_HOME',
  'HADOOP_USER_NAME',
  'HADOOP_TOKEN_FILE_LOCATION',
  'MLFLOW_KERBEROS_TICKET_CACHE',
  'MLFLOW_KERBEROS_USER',
  ...KERBEROS_VARIABLES,
  'WAYBILL_HDFS_URL',
  'WAYBILL_HDFS_CHECKSUM',
  'WAYBILL_HDFS_IDENTITY',
  ...NETWORK_VARIABLES.settings,
];

/** Secrets, which never do. */
export const SECRET_VARIABLES = [...HDFS_SECRETS, ...NETWORK_VARIABLES.secrets];
