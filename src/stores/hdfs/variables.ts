/** The variables that the HDFS store reads, by where they go. */
import { NETWORK_VARIABLES } from '../lib/network-variables.js';
import { HDFS_SECRETS } from '../lib/secret-variables.js';
import { HDFS_SETTINGS } from '../lib/setting-variables.js';

/** Where the Kerberos library looks for what; it reads them itself. */
export const KERBEROS_VARIABLES = ['KRB5CCNAME', 'KRB5_CONFIG', 'KRB5_CLIENT_KTNAME'] as const;

/** Settings that travel with the request, by the names that people have in their environment. */
export const SETTING_VARIABLES = [
  ...HDFS_SETTINGS,
  ...KERBEROS_VARIABLES,
  'WAYBILL_HDFS_CHECKSUM',
  'WAYBILL_HDFS_IDENTITY',
  ...NETWORK_VARIABLES.settings,
];

/** Secrets, which never do. */
export const SECRET_VARIABLES = [...HDFS_SECRETS, ...NETWORK_VARIABLES.secrets];
