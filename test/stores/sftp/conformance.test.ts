import { SFTP_CAPABILITIES } from '../../../src/stores/sftp/store.js';
import { startSshd } from '../../helpers/sshd.js';
import { storeConformance } from '../conformance.js';
import { sftpTestbed } from './testbed.js';

storeConformance({
  name: 'sftp',
  traits: {
    capabilities: SFTP_CAPABILITIES,
    wrongCredentials: ['WB_UNAUTHENTICATED'],
    wrongCredentialsSay: /WAYBILL_SFTP_KEY_FILE or WAYBILL_SFTP_PASSWORD/,
    hasEmptyFolders: true,
  },
  setup: async () => sftpTestbed(await startSshd()),
});
