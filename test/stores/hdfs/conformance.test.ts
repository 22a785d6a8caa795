import { afterAll, beforeAll } from '@jest/globals';
import { HDFS_CAPABILITIES } from '../../../src/stores/hdfs/store.js';
import { startHadoop, type Hadoop } from '../../helpers/hadoop.js';
import { storeConformance } from '../conformance.js';
import type { StoreTraits } from '../conformance/testbed.js';
import { startGateway } from './gateway.js';
import { hdfsTestbed } from './testbed.js';

const LONG_MS = 180_000;
const TRAITS: StoreTraits = {
  capabilities: HDFS_CAPABILITIES,
  wrongCredentials: ['WB_PERMISSION_DENIED'],
  wrongCredentialsSay: /denies mallory \(HADOOP_USER_NAME\)/,
  hasEmptyFolders: true,
  // Of a hundred names a page.
  manyFiles: 305,
  // HDFS has no names with a colon.
  canHold: (name) => !name.includes(':'),
};

let hadoop: Hadoop;

beforeAll(async () => {
  hadoop = await startHadoop({ conf: { 'dfs.ls.limit': '100' } });
}, LONG_MS);

afterAll(() => hadoop.stop(), LONG_MS);

storeConformance({
  name: 'hdfs',
  traits: TRAITS,
  setup: async () => hdfsTestbed(hadoop, '/conformance', await startGateway(hadoop.port)),
});

/** The gateway that answers itself. */
storeConformance({
  name: 'hdfs',
  traits: { ...TRAITS, goesThroughToxics: false },
  setup: async () => {
    const url = await hadoop.startHttpFs({
      hdfsSite: { 'dfs.checksum.combine.mode': 'COMPOSITE_CRC' },
    });
    const port = Number(new URL(url).port);
    return hdfsTestbed(hadoop, '/by-httpfs', { url, port, stop: () => hadoop.stopHttpFs() });
  },
});
