/** How the Azure Blob store enters the registry. */
import { NETWORK_VARIABLES } from '../lib/network-variables.js';
import { AZURE_SECRETS } from '../lib/secret-variables.js';
import { patience } from '../lib/timeouts.js';
import type { Store, StoreAddress, StoreFactory } from '../store.js';
import { parseAzureUri } from './address.js';
import { readAzureConfig } from './config.js';
import { IDENTITY_VARIABLES, SETTING_VARIABLES } from './variables.js';

async function open(address: StoreAddress): Promise<Store> {
  const config = readAzureConfig(address);
  // Loaded here: a thread that reads another store need not carry this one.
  const { AzureBlobStore } = await import('./store.js');
  return new AzureBlobStore(config, address);
}

function localName(uri: string): string | undefined {
  const { container, key } = parseAzureUri(uri);
  const last = key.replace(/\/$/, '').split('/').at(-1) ?? '';
  const name = last === '' ? container : last;
  return name === '.' || name === '..' ? undefined : name;
}

/** Azure Blob Storage, Data Lake Storage (ADLS Gen2) through its blob service, and Azurite. */
export const azureBlob: StoreFactory = {
  name: 'azure-blob',
  schemes: ['wasbs', 'wasb', 'abfss', 'abfs', 'az'],
  summary: 'Azure Blob Storage, Data Lake Storage (ADLS Gen2) and Azurite',
  forms: [
    'wasbs://container@account.blob.core.windows.net/path',
    'abfss://container@account.dfs.core.windows.net/path',
    'az://container/path',
  ],
  facts: {
    auth: [
      'SAS in the address',
      'connection string',
      'account key',
      'SAS token',
      'service principal',
      'workload identity',
      'managed identity',
      'az login',
      'none',
    ],
    ranges: 'yes',
    pin: 'strong: ETag',
    digests: ['md5'],
    levels: ['size', 'provider'],
  },
  patience,
  environment: {
    settings: [...SETTING_VARIABLES, ...NETWORK_VARIABLES.settings],
    secrets: [...AZURE_SECRETS, ...NETWORK_VARIABLES.secrets],
    url: 'AZURE_STORAGE_SERVICE_ENDPOINT',
  },
  identity: { settings: IDENTITY_VARIABLES, none: { AZURE_STORAGE_ANON: 'true' }, isToken: true },
  open,
  localName,
};
