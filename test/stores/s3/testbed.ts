/** A real MinIO as the conformance suite and the tests of this folder use it. */
import { s3 } from '../../../src/stores/s3/index.js';
import type { ConnectionSettings, Store } from '../../../src/stores/store.js';
import type { Minio } from '../../helpers/minio.js';
import type { OpenOptions, Seed, Testbed } from '../conformance/testbed.js';

/** Puts at once while seeding. */
const LANES = 16;

/** Where a store of a test gets its keys. */
export interface OpenS3Options {
  readonly settings?: ConnectionSettings;
  readonly secrets?: Readonly<Record<string, string>>;
}

/** The keys of the server's root user, as secrets of a connection. */
export function keysOf(minio: Minio): Record<string, string> {
  return {
    AWS_ACCESS_KEY_ID: minio.accessKeyId,
    AWS_SECRET_ACCESS_KEY: minio.secretAccessKey,
  };
}

/** Opens a store on the server, with its root user's keys unless others are given. */
export function openS3(minio: Minio, uri: string, options: OpenS3Options = {}): Promise<Store> {
  return s3.open({
    uri,
    settings: { AWS_ENDPOINT_URL: minio.endpoint, ...options.settings },
    secrets: options.secrets ?? keysOf(minio),
  });
}

/** A new bucket of the server as the root of a testbed. */
export async function s3Testbed(minio: Minio, bucket: string): Promise<Testbed> {
  await minio.createBucket(bucket);
  return {
    address: { host: '127.0.0.1', port: minio.port },
    secrets: [minio.accessKeyId, minio.secretAccessKey, 'a wrong secret'],
    open: ({ at = '', via, wrongCredentials = false }: OpenOptions = {}) =>
      openS3(minio, `s3://${bucket}/${at}`, {
        settings: via ? { AWS_ENDPOINT_URL: `http://${via.host}:${via.port}` } : {},
        secrets: wrongCredentials
          ? { ...keysOf(minio), AWS_SECRET_ACCESS_KEY: 'a wrong secret' }
          : keysOf(minio),
      }),
    openNowhere: () => openS3(minio, 's3://no-such-bucket/'),
    seed: (seeds) => seedBucket(minio, bucket, seeds),
    stop: () => minio.stop(),
  };
}

async function seedBucket(minio: Minio, bucket: string, seeds: readonly Seed[]): Promise<void> {
  const next = seeds.values();
  const lane = async (): Promise<void> => {
    for (const seed of next) {
      if ('folder' in seed) await minio.putObject(bucket, `${seed.path}/`, Buffer.alloc(0));
      else await minio.putObject(bucket, seed.path, Buffer.from(seed.bytes));
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}
