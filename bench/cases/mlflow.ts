/** Artifacts of a run, from an MLflow server that keeps them in a MinIO. */
import { startMlflow } from '../../test/helpers/mlflow.js';
import type { BenchCase } from '../lib/case.js';
import { minioOf, putLarge, putMany } from '../lib/s3-source.js';
import { engineAlone } from '../lib/waybill-side.js';

const BUCKET = 'mlflow';

/** So many artifacts of one size, or one large one. */
export function mlflowRun(
  name: string,
  { count, sizeBytes }: { count: number; sizeBytes: number },
): BenchCase {
  const size = count === 1 ? `${sizeBytes / 1024 ** 3} GiB` : `${sizeBytes / 1024} KiB`;
  return {
    name,
    what: `${count === 1 ? 'One artifact' : `${count} artifacts`} of ${size} from MLflow, which keeps them in MinIO.`,
    prepare: async (world) => {
      const minio = await minioOf(world);
      const mlflow = await startMlflow({
        minio,
        bucket: BUCKET,
        dir: await world.folder('mlflow'),
      });
      world.onEnd(() => mlflow.stop());
      const run = await mlflow.createRun(await mlflow.createExperiment('bench'));
      // Put where the server keeps it: what is measured is the way back.
      const prefix = `mlflow/${new URL(run.artifactUri).pathname.slice(1)}/data/`;
      const shape =
        count === 1
          ? { count, sizeBytes: world.scaled(sizeBytes) }
          : { count: world.scaled(count), sizeBytes };
      if (count === 1) await putLarge(minio, BUCKET, `${prefix}model.bin`, shape.sizeBytes);
      else await putMany(minio, BUCKET, prefix, shape);
      const brings = { files: shape.count, bytes: shape.count * shape.sizeBytes };
      const { env } = mlflow;
      const source = `runs:/${run.runId}/data`;
      const sides = await world.sides();
      return {
        contenders: [
          ...sides.map((side) => side.puller(source, { env, brings })),
          engineAlone(source, { env, brings }),
          await world.peers.mlflow({
            args: ({ folder }) => ['-r', run.runId, '-a', 'data', '-d', folder],
            env,
            brings,
          }),
        ],
      };
    },
  };
}
