import { AZURE_CAPABILITIES } from '../../../src/stores/azure-blob/store.js';
import { startAzurite } from '../../helpers/azurite.js';
import { storeConformance } from '../conformance.js';
import { azureTestbed } from './testbed.js';

storeConformance({
  name: 'azure-blob',
  traits: {
    capabilities: AZURE_CAPABILITIES,
    wrongCredentials: ['WB_UNAUTHENTICATED'],
    wrongCredentialsSay: /AZURE_STORAGE_KEY: set AZURE_STORAGE_KEY to/,
    nowhereSays: /no such container/,
    hasEmptyFolders: true,
    // The service takes a backslash for a slash.
    canHold: (name) => !name.includes('\\'),
    // More than a page of the service.
    manyFiles: 5_005,
  },
  setup: async () => azureTestbed(await startAzurite(), 'conformance'),
});
