/** MLflow: a server that signs addresses of its MinIO, and one that sends everything itself from its own disk. */
import { join } from 'node:path';
import { unservable } from '../../../src/stores/mlflow/names.js';
import { startMlflow, type Mlflow, type MlflowOptions } from '../../../test/helpers/mlflow.js';
import { minioOf } from '../../lib/s3-source.js';
import type { World } from '../../lib/world.js';
import { putBelow } from '../put-below.js';
import type { Served, StoreRow } from '../served.js';

const BUCKET = 'mlflow';

/** A server of its own, and how to put what it keeps below the path of a run. */
type Start = (
  world: World,
  base: MlflowOptions,
) => Promise<{ readonly mlflow: Mlflow; putAt(path: string): Served['put'] }>;

function rowOf(server: string, start: Start): StoreRow {
  return {
    store: 'mlflow',
    server,
    serve: async (world) => {
      const { mlflow, putAt } = await start(world, { dir: await world.folder('mlflow') });
      world.onEnd(() => mlflow.stop());
      const run = await mlflow.createRun(await mlflow.createExperiment('trials'));
      return {
        env: mlflow.env,
        uri: (path) => `runs:/${run.runId}/${path}`.replace(/\/$/, ''),
        put: putAt(new URL(run.artifactUri).pathname.slice(1)),
        canHold: (name) => unservable(`names/${name}`) === undefined,
        tools: async (folder, brings) => [
          await world.peers.mlflow({
            args: ({ folder: to }) => ['-r', run.runId, '-a', folder.replace(/\/$/, ''), '-d', to],
            env: mlflow.env,
            brings,
          }),
        ],
      };
    },
  };
}

export const mlflowPresigned = rowOf('presigned, MinIO', async (world, base) => {
  const minio = await minioOf(world);
  const mlflow = await startMlflow({ ...base, minio, bucket: BUCKET });
  return {
    mlflow,
    putAt: (below) => (path, bytes) => minio.putObject(BUCKET, `mlflow/${below}/${path}`, bytes),
  };
});

export const mlflowProxied = rowOf('proxied, its disk', async (_world, base) => {
  const mlflow = await startMlflow(base);
  return { mlflow, putAt: (below) => putBelow(join(mlflow.dir, 'artifacts', below)) };
});
