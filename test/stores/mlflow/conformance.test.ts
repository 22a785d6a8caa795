/** The store contract over a real MLflow: files on its own disk, and on MinIO presigned and proxied. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ConnectionSettings } from '../../../src/stores/store.js';
import { mlflowFactory } from '../../../src/stores/mlflow/index.js';
import { unservable } from '../../../src/stores/mlflow/names.js';
import { startMinio } from '../../helpers/minio.js';
import type { Minio } from '../../helpers/minio.js';
import { startMlflow } from '../../helpers/mlflow.js';
import type { Mlflow } from '../../helpers/mlflow.js';
import { startSwitch } from '../../helpers/switch.js';
import { storeConformance } from '../conformance.js';
import type { OpenOptions, Seed, Testbed } from '../conformance/testbed.js';

const ROOT = 'conformance/tree';

const common = {
  canList: true,
  knowsSizes: true,
  listsInOrder: true,
  maxConnections: 16,
} as const;

const canHold = (name: string): boolean => unservable(`names/${name}`) === undefined;

function opener(trackingUri: string, via: 'presigned' | 'proxied'): Testbed['open'] {
  return ({ at, via: proxy }: OpenOptions = {}) => {
    const host = proxy === undefined ? new URL(trackingUri).host : `${proxy.host}:${proxy.port}`;
    const settings: ConnectionSettings = { MLFLOW_TRACKING_URI: `http://${host}` };
    const path = at === undefined ? ROOT : `${ROOT}/${at}`;
    const uri = `mlflow-artifacts://${host}/${path}?via=${via}`;
    return mlflowFactory.open({ uri, settings, secrets: {} });
  };
}

const addressOf = (uri: string): { host: string; port: number } => ({
  host: '127.0.0.1',
  port: Number(new URL(uri).port),
});

async function seedDisk(dir: string, seeds: readonly Seed[]): Promise<void> {
  for (const seed of seeds) {
    const place = join(dir, 'artifacts', ROOT, seed.path);
    if ('folder' in seed) await mkdir(place, { recursive: true });
    else {
      await mkdir(dirname(place), { recursive: true });
      await writeFile(place, seed.bytes);
    }
  }
}

storeConformance({
  name: 'mlflow',
  traits: {
    capabilities: { ...common, ranges: 'unknown', pin: 'unknown', nativeDigests: [] },
    serves: { ranges: 'yes', pin: 'weak' },
    canHold,
    hasEmptyFolders: true,
  },
  setup: async () => {
    const mlflow = await startMlflow();
    return {
      address: addressOf(mlflow.uri),
      open: opener(mlflow.uri, 'proxied'),
      seed: (seeds) => seedDisk(mlflow.dir, seeds),
      stop: () => mlflow.stop(),
    };
  },
});

async function onMinioBehindFaults(): Promise<Testbed> {
  const minio = await startMinio();
  const before = await startSwitch(minio.port, /X-Amz-Signature=/);
  const env = { MLFLOW_S3_ENDPOINT_URL: `http://127.0.0.1:${before.port}` };
  const mlflow = await startMlflow({ minio, env });
  const testbed = testbedOf(mlflow, minio, 'presigned');
  return {
    ...testbed,
    address: { host: '127.0.0.1', port: minio.port },
    open: ({ via, ...options } = {}) => {
      before.leadTo(via?.port ?? minio.port);
      return testbed.open(options);
    },
    stop: async () => {
      await before.stop();
      await testbed.stop();
    },
  };
}

async function onMinio(via: 'presigned' | 'proxied'): Promise<Testbed> {
  const minio = await startMinio();
  return testbedOf(await startMlflow({ minio }), minio, via);
}

function testbedOf(mlflow: Mlflow, minio: Minio, via: 'presigned' | 'proxied'): Testbed {
  return {
    address: addressOf(mlflow.uri),
    secrets: [minio.secretAccessKey],
    open: opener(mlflow.uri, via),
    seed: async (seeds) => {
      for (const seed of seeds) {
        if ('folder' in seed) continue;
        await minio.putObject('mlflow', `mlflow/${ROOT}/${seed.path}`, Buffer.from(seed.bytes));
      }
    },
    stop: async () => {
      await mlflow.stop();
      await minio.stop();
    },
  };
}

/** Addresses that MLflow signs: the bytes come from MinIO. */
const signed = {
  capabilities: { ...common, ranges: 'yes', pin: 'strong', nativeDigests: ['md5'] },
  canHold,
  hasNetwork: false,
  goesThroughToxics: true,
  breaksInPart: true,
} as const;

// The faults of the network are made between the store and MLflow: the bytes come from MinIO here.
storeConformance({
  name: 'mlflow',
  traits: signed,
  setup: () => onMinio('presigned'),
});

// Here they are made before MinIO, for whom the addresses are signed: MLflow itself takes what breaks off there for an empty folder.
storeConformance({
  name: 'mlflow',
  traits: { ...signed, manyFiles: 30 },
  setup: onMinioBehindFaults,
});

storeConformance({
  name: 'mlflow',
  traits: {
    capabilities: { ...common, ranges: 'unknown', pin: 'unknown', nativeDigests: [] },
    serves: { ranges: 'no', pin: 'none' },
    canHold,
    manyFiles: 30,
  },
  setup: () => onMinio('proxied'),
});
