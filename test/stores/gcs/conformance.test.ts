import { GCS_CAPABILITIES } from '../../../src/stores/gcs/store.js';
import { startFakeGcs } from '../../helpers/fake-gcs.js';
import { storeConformance } from '../conformance.js';
import { gcsTestbed } from './testbed.js';

storeConformance({
  name: 'gcs',
  traits: {
    capabilities: GCS_CAPABILITIES,
    wrongCredentials: ['WB_UNAUTHENTICATED'],
    wrongCredentialsSay: /CLOUDSDK_AUTH_ACCESS_TOKEN/,
    nowhereSays: /has no bucket no-such-bucket/,
    hasEmptyFolders: true,
  },
  setup: async () => gcsTestbed(await startFakeGcs(), 'conformance'),
});
