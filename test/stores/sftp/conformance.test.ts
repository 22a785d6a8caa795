import { SFTP_CAPABILITIES } from '../../../src/stores/sftp/store.js';
import { startSshd } from '../../helpers/sshd.js';
import { storeConformance } from '../conformance.js';
import { sftpTestbed } from './testbed.js';

storeConformance({
  name: 'sftp',
  traits: {
    capabilities: SFTP_CAPABILITIES,
    wrongCredentials: ['WB_UNAUTHENTICATED'],
    hasEmptyFolders: true,
  },
  setup: async () => sftpTestbed(await startSshd()),
});
