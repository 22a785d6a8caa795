import { S3_CAPABILITIES } from '../../../src/stores/s3/store.js';
import { startMinio } from '../../helpers/minio.js';
import { storeConformance } from '../conformance.js';
import { s3Testbed } from './testbed.js';

storeConformance({
  name: 's3',
  traits: {
    capabilities: S3_CAPABILITIES,
    wrongCredentials: ['WB_UNAUTHENTICATED'],
    wrongCredentialsSay: /AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY/,
    nowhereSays: /no such bucket/,
    hasEmptyFolders: true,
  },
  setup: async () => s3Testbed(await startMinio(), 'conformance'),
});
