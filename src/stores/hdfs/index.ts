/** How the HDFS store enters the registry. */
import { patience } from '../lib/timeouts.js';
import type { Store, StoreAddress, StoreFactory } from '../store.js';
import { localNameOfHdfs } from './address.js';
import { KERBEROS_VARIABLES, SECRET_VARIABLES, SETTING_VARIABLES } from './variables.js';

async function open(address: StoreAddress): Promise<Store> {
  // Loaded here: a thread that reads another store need not carry this one.
  const { readHdfsConfig } = await import('./config.js');
  const { HdfsStore } = await import('./store.js');
  const { negotiateWith } = await import('./kerberos.js');
  return new HdfsStore(await readHdfsConfig(address), address, negotiateWith(address.settings));
}

/** Hadoop's file system, over WebHDFS. */
export const hdfs: StoreFactory = {
  name: 'hdfs',
  schemes: ['hdfs', 'webhdfs', 'swebhdfs', 'viewfs'],
  summary: 'Hadoop (WebHDFS, HttpFS, Knox)',
  forms: [
    'hdfs:///models/churn',
    'hdfs://namenode:8020/models/churn',
    'webhdfs://namenode:9870/models/churn',
    'swebhdfs://namenode/models/churn',
    'viewfs://cluster/models/churn',
  ],
  facts: {
    auth: ['Kerberos ticket', 'delegation token', 'user and password', 'user', 'none'],
    ranges: 'yes',
    pin: 'strong: file id with mtime and size',
    digests: ['md5crc', 'crc32c', 'crc32'],
    levels: ['size', 'provider'],
  },
  patience,
  environment: { settings: SETTING_VARIABLES, secrets: SECRET_VARIABLES, url: 'WAYBILL_HDFS_URL' },
  identity: {
    settings: [
      'HADOOP_USER_NAME',
      'HADOOP_TOKEN_FILE_LOCATION',
      'MLFLOW_KERBEROS_TICKET_CACHE',
      'MLFLOW_KERBEROS_USER',
      ...KERBEROS_VARIABLES,
    ],
    none: { WAYBILL_HDFS_IDENTITY: 'none' },
  },
  secretsGoAnywhere: 'configured',
  open,
  localName: localNameOfHdfs,
};
