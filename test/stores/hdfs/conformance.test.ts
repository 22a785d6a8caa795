import { HDFS_CAPABILITIES } from '../../../src/stores/hdfs/store.js';
import { startHadoop } from '../../helpers/hadoop.js';
import { storeConformance } from '../conformance.js';
import { hdfsTestbed } from './testbed.js';

storeConformance({
  name: 'hdfs',
  traits: {
    capabilities: HDFS_CAPABILITIES,
    wrongCredentials: ['WB_PERMISSION_DENIED'],
    hasEmptyFolders: true,
    // Of a hundred names a page.
    manyFiles: 305,
    // HDFS has no names with a colon.
    canHold: (name) => !name.includes(':'),
  },
  setup: async () =>
    hdfsTestbed(await startHadoop({ conf: { 'dfs.ls.limit': '100' } }), '/conformance'),
});
