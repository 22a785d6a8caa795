/** How the GCS store enters the registry. */
import { NETWORK_VARIABLES } from '../lib/network-variables.js';
import { GCS_SECRETS } from '../lib/secret-variables.js';
import { patience } from '../lib/timeouts.js';
import type { Store, StoreAddress, StoreFactory } from '../store.js';
import { parseGcsUri, readGcsConfig, SETTING_VARIABLES } from './config.js';

async function open(address: StoreAddress): Promise<Store> {
  const config = readGcsConfig(address);
  // Loaded here: a thread that reads another store need not carry this one.
  const { GcsStore } = await import('./store.js');
  return new GcsStore(config, address);
}

function localName(uri: string): string | undefined {
  const { bucket, key } = parseGcsUri(uri);
  const last = key.replace(/\/$/, '').split('/').at(-1) ?? '';
  const name = last === '' ? bucket : last;
  return name === '.' || name === '..' ? undefined : name;
}

/** Google Cloud Storage, and the emulators of it. */
export const gcs: StoreFactory = {
  name: 'gcs',
  schemes: ['gs', 'gcs'],
  summary: 'Google Cloud Storage',
  forms: ['gs://bucket', 'gs://bucket/prefix', 'gs://bucket/prefix/file'],
  facts: {
    auth: [
      'access token',
      'service account file',
      'gcloud',
      'workload identity',
      'metadata server',
      'none',
    ],
    ranges: 'yes',
    pin: 'strong: generation',
    digests: ['crc32c', 'md5'],
    levels: ['provider', 'provider'],
  },
  patience,
  environment: {
    settings: [...SETTING_VARIABLES, ...NETWORK_VARIABLES.settings],
    secrets: [...GCS_SECRETS, ...NETWORK_VARIABLES.secrets],
    url: 'CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE',
  },
  identity: {
    settings: ['GOOGLE_APPLICATION_CREDENTIALS'],
    none: { GS_NO_SIGN_REQUEST: 'true' },
    isToken: true,
  },
  open,
  localName,
};
