/**
 * A real MinIO. In a test:
 *
 *     const minio = await startMinio();
 *     await minio.createBucket('models');
 *     await minio.putTree('models', 'churn/1', folder);
 *     ... s3://models/churn/1 with minio.env as the environment ...
 *     await minio.stop();
 */
import { createReadStream } from 'node:fs';
import { access, mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  CreateBucketCommand,
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import type { PutObjectCommandInput } from '@aws-sdk/client-s3';
import { goInstall } from '../../src/service/go-install.js';
import { withInstallLock } from '../../src/service/install-lock.js';
import { cacheFolder } from './cache.js';
import { freePort } from './ports.js';
import { scratchFolder, startProcess } from './processes.js';
import type { ServerProcess } from './processes.js';

const VERSION = 'v0.0.0-20260212201848-7aac2a2c5b7c';
const PUTS_AT_ONCE = 16;

/** Where the binary lies in the cache. */
export function minioPath(): string {
  return join(cacheFolder(), 'bin', `minio-${VERSION.slice(7, 21)}`);
}

/** The MinIO binary in the cache, built with Go when it is not there: about 3 minutes, once. */
export async function ensureMinio(onProgress: (line: string) => void): Promise<string> {
  const target = minioPath();
  if (await exists(target)) return target;
  await mkdir(join(cacheFolder(), 'bin'), { recursive: true });
  const onWait = (pid: number): void => onProgress(`MinIO: waiting for process ${pid}`);
  await withInstallLock({ path: `${target}.lock`, onWait }, async () => {
    if (await exists(target)) return;
    onProgress("MinIO: building it from Go's module proxy, about 250 MiB, 3 minutes, once");
    await goInstall({
      package: `github.com/minio/minio@${VERSION}`,
      target,
      name: 'MinIO',
      packageCount: 1_100,
      onProgress,
    });
  });
  return target;
}

export interface Minio extends ServerProcess {
  /** `http://127.0.0.1:PORT`, path style. */
  readonly endpoint: string;
  readonly port: number;
  /** The folder of the data: look here, or damage something. */
  readonly dir: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
  /** What a client of this server has in its environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly client: S3Client;
  createBucket(
    bucket: string,
    options?: { versioning?: boolean; publicRead?: boolean },
  ): Promise<void>;
  /** Puts one object; `extra` takes ChecksumAlgorithm, Metadata and the like. */
  putObject(
    bucket: string,
    key: string,
    body: Buffer | string,
    extra?: Partial<PutObjectCommandInput>,
  ): Promise<void>;
  /** Puts every file below `dir` under `<prefix>/`. Empty folders have no form in S3 and are left out. */
  putTree(bucket: string, prefix: string, dir: string): Promise<void>;
}

export interface MinioOptions {
  /** An earlier run's `dir` and `port`, to start the same server again. */
  readonly dir?: string;
  readonly port?: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts a MinIO with an empty folder on a free port. */
export async function startMinio(options: MinioOptions = {}): Promise<Minio> {
  const binary = await ensureMinio((line) => process.stderr.write(`${line}\n`));
  const dir = options.dir ?? scratchFolder('minio');
  const port = options.port ?? (await freePort());
  const consolePort = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const credentials = { accessKeyId: 'waybill-test', secretAccessKey: 'waybill-test-secret' };
  const region = 'us-east-1';
  const server = await startProcess({
    name: 'MinIO',
    command: binary,
    args: [
      ...['server', join(dir, 'data'), '--quiet', '--certs-dir', join(dir, 'certs')],
      ...['--address', `127.0.0.1:${port}`, '--console-address', `127.0.0.1:${consolePort}`],
    ],
    dir,
    env: {
      MINIO_ROOT_USER: credentials.accessKeyId,
      MINIO_ROOT_PASSWORD: credentials.secretAccessKey,
      MINIO_BROWSER: 'off',
      MINIO_UPDATE: 'off',
      ...options.env,
    },
    isReady: async () => (await fetch(`${endpoint}/minio/health/ready`)).ok,
  });
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
  const putObject: Minio['putObject'] = async (bucket, key, body, extra) => {
    await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body, ...extra }));
  };
  return {
    ...server,
    ...credentials,
    endpoint,
    port,
    dir,
    region,
    client,
    env: {
      AWS_ENDPOINT_URL: endpoint,
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      AWS_REGION: region,
      AWS_EC2_METADATA_DISABLED: 'true',
    },
    createBucket: (bucket, settings) => createBucket(client, bucket, settings),
    putObject,
    putTree: async (bucket, prefix, from) => {
      await putTree(client, bucket, prefix, from);
    },
    stop: async () => {
      client.destroy();
      await server.stop();
    },
  };
}

async function createBucket(
  client: S3Client,
  bucket: string,
  settings: { versioning?: boolean; publicRead?: boolean } = {},
): Promise<void> {
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  if (settings.versioning === true) {
    const VersioningConfiguration = { Status: 'Enabled' as const };
    await client.send(new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration }));
  }
  if (settings.publicRead === true) {
    const statement = (action: string, resource: string): object => ({
      Effect: 'Allow',
      Principal: { AWS: ['*'] },
      Action: [action],
      Resource: [resource],
    });
    const Policy = JSON.stringify({
      Version: '2012-10-17',
      Statement: [
        statement('s3:GetObject', `arn:aws:s3:::${bucket}/*`),
        statement('s3:ListBucket', `arn:aws:s3:::${bucket}`),
      ],
    });
    await client.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy }));
  }
}

async function putTree(
  client: S3Client,
  bucket: string,
  prefix: string,
  dir: string,
): Promise<void> {
  const files = (await readdir(dir, { recursive: true, withFileTypes: true })).filter((entry) =>
    entry.isFile(),
  );
  const next = files.values();
  const lane = async (): Promise<void> => {
    for (const entry of next) {
      const path = join(entry.parentPath, entry.name);
      const key = [prefix, path.slice(dir.length + 1)].filter((part) => part !== '').join('/');
      const { size } = await stat(path);
      await client.send(
        new PutObjectCommand({
          Bucket: bucket,
          Key: key,
          Body: size === 0 ? Buffer.alloc(0) : createReadStream(path),
          ContentLength: size,
        }),
      );
    }
  };
  await Promise.all(Array.from({ length: PUTS_AT_ONCE }, lane));
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
