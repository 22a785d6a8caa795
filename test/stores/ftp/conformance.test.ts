import { startProftpd } from '../../helpers/proftpd.js';
import { startVsftpd } from '../../helpers/vsftpd.js';
import { storeConformance } from '../conformance.js';
import type { StoreTraits } from '../conformance/testbed.js';
import { ADA, ftpTestbed } from './testbed.js';

const traits: StoreTraits = {
  capabilities: {
    canList: true,
    ranges: 'yes',
    pin: 'weak',
    knowsSizes: true,
    nativeDigests: ['sha256'],
    listsInOrder: true,
    describesCheaply: true,
    maxConnections: 4,
  },
  wrongCredentials: ['WB_UNAUTHENTICATED'],
  wrongCredentialsSay: /WAYBILL_FTP_USER/,
  // A command ends at the first line break.
  canHold: (name) => !name.includes('\n'),
  hasEmptyFolders: true,
};

const vsftpdPorts = (first: number, last: number): string =>
  `pasv_min_port=${first}\npasv_max_port=${last}`;
const proftpdPorts = (first: number, last: number): string => `PassivePorts ${first} ${last}`;

storeConformance({ name: 'ftp', traits, setup: () => ftpTestbed(startVsftpd, vsftpdPorts, {}) });

storeConformance({ name: 'ftp', traits, setup: () => ftpTestbed(startProftpd, proftpdPorts, ADA) });
