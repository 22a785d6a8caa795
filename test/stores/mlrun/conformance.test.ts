/** The store contract over artifacts of a real MLRun whose files lie in a real MinIO. */
import { StoreRegistry } from '../../../src/stores/registry.js';
import { startMinio } from '../../helpers/minio.js';
import { startMlrun } from '../../helpers/mlrun.js';
import { storeConformance } from '../conformance.js';

const BUCKET = 'conformance';

storeConformance({
  name: 'mlrun',
  traits: {
    capabilities: {
      canList: true,
      ranges: 'unknown',
      pin: 'unknown',
      knowsSizes: true,
      nativeDigests: ['sha1', 'sha256', 'md5', 'crc32', 'crc32c', 'crc64nvme'],
      listsInOrder: false,
      maxConnections: 16,
    },
    serves: { ranges: 'yes', pin: 'strong' },
    hasEmptyFolders: true,
    manyFiles: 1_005,
  },
  setup: async () => {
    const [mlrun, minio] = await Promise.all([startMlrun(), startMinio()]);
    await minio.createBucket(BUCKET);
    const registry = new StoreRegistry();
    const settings = { ...mlrun.env, AWS_ENDPOINT_URL_S3: minio.endpoint };
    const secrets = {
      AWS_ACCESS_KEY_ID: minio.accessKeyId,
      AWS_SECRET_ACCESS_KEY: minio.secretAccessKey,
    };
    let opened = 0;
    return {
      address: { host: '127.0.0.1', port: mlrun.port },
      alsoAt: [{ host: '127.0.0.1', port: minio.port }],
      secrets: [minio.secretAccessKey],
      open: async ({ at, via, viaAlso = [] } = {}) => {
        opened += 1;
        const key = `tree-${opened}`;
        const target_path = `s3://${BUCKET}/root${at === undefined ? '' : `/${at}`}`;
        await mlrun.putArtifact('p', key, { kind: 'dir', spec: { target_path } });
        const address = { uri: `store://p/${key}`, settings, secrets };
        const resolution = await registry.resolve(address);
        // What was resolved is read through the proxies: its record from MLRun, its files from MinIO.
        const behind = {
          ...(via === undefined ? {} : { MLRUN_DBPATH: `http://${via.host}:${via.port}` }),
          ...(viaAlso[0] === undefined
            ? {}
            : { AWS_ENDPOINT_URL_S3: `http://${viaAlso[0].host}:${viaAlso[0].port}` }),
        };
        return registry.open({
          uri: resolution.uri,
          settings: { ...settings, ...behind },
          secrets,
        });
      },
      seed: async (seeds) => {
        for (const seed of seeds) {
          const path = 'folder' in seed ? `${seed.path}/` : seed.path;
          const bytes = 'folder' in seed ? Buffer.alloc(0) : Buffer.from(seed.bytes);
          await minio.putObject(BUCKET, `root/${path}`, bytes);
        }
      },
      stop: async () => {
        await Promise.all([mlrun.stop(), minio.stop()]);
      },
    };
  },
});
