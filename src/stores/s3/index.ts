/** How the S3 store enters the registry. */
import { WaybillError } from '../../model/errors.js';
import { NETWORK_VARIABLES } from '../lib/network-variables.js';
import { S3_SECRETS } from '../lib/secret-variables.js';
import { patience } from '../lib/timeouts.js';
import type { Store, StoreAddress, StoreFactory } from '../store.js';
import { IDENTITY_VARIABLES, parseS3Uri, readS3Config, SETTING_VARIABLES } from './config.js';

async function open(address: StoreAddress): Promise<Store> {
  const config = readS3Config(address);
  if (config.bucket.endsWith('--x-s3')) {
    throw new WaybillError(
      'WB_UNSUPPORTED',
      `${config.bucket} is a directory bucket (S3 Express), which Waybill does not read yet`,
      { operation: 'open', store: 's3' },
    );
  }
  // Loaded here: a thread that reads another store need not carry this one.
  const { S3Store } = await import('./store.js');
  return new S3Store(config, address);
}

function localName(uri: string): string | undefined {
  const { bucket, key } = parseS3Uri(uri);
  const last = key.replace(/\/$/, '').split('/').at(-1) ?? '';
  const name = last === '' ? bucket : last;
  return name === '.' || name === '..' ? undefined : name;
}

/** S3, MinIO, R2, Ceph: whatever answers ListObjectsV2 and signed GETs. */
export const s3: StoreFactory = {
  name: 's3',
  schemes: ['s3', 's3a', 's3n'],
  summary: 'Amazon S3, MinIO, R2, Ceph and every service with the S3 API',
  forms: ['s3://bucket', 's3://bucket/prefix', 's3://bucket/prefix/file'],
  facts: {
    auth: [
      'access key',
      'profile (SSO, role, process)',
      'web identity',
      'container',
      'instance',
      'none',
    ],
    ranges: 'yes',
    pin: 'strong: ETag',
    digests: ['sha256', 'sha1', 'crc64nvme', 'crc32c', 'crc32', 'md5'],
    levels: ['size', 'published'],
  },
  patience,
  environment: {
    settings: [...SETTING_VARIABLES, ...NETWORK_VARIABLES.settings],
    secrets: [...S3_SECRETS, ...NETWORK_VARIABLES.secrets],
    url: 'AWS_ENDPOINT_URL_S3',
  },
  identity: { settings: IDENTITY_VARIABLES, none: { AWS_NO_SIGN_REQUEST: 'true' } },
  open,
  localName,
};
