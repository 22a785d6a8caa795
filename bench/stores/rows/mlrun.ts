/** MLRun: artifacts that are folders of a MinIO. */
import { MLRUN_VERSION, startMlrun } from '../../../test/helpers/mlrun.js';
import { minioOf } from '../../lib/s3-source.js';
import { rcloneS3 } from '../../lib/peers.js';
import type { StoreRow } from '../served.js';

/** Its client downloads one file at a time: what people write who want a folder. */
const DOWNLOAD = `
import os, sys, mlrun
item = mlrun.get_dataitem(sys.argv[1])
for name in item.listdir():
    mlrun.get_dataitem(item.url.rstrip("/") + "/" + name).download(os.path.join(sys.argv[2], name))`;

export const mlrun: StoreRow = {
  store: 'mlrun',
  server: `MLRun ${MLRUN_VERSION}, MinIO`,
  serve: async (world) => {
    const minio = await minioOf(world);
    await minio.createBucket('models');
    const own = await startMlrun();
    world.onEnd(() => own.stop());
    for (const key of ['names', 'killed', 'replaced', 'many', 'large']) {
      await own.putArtifact('trials', key, {
        kind: 'dir',
        spec: { target_path: `s3://models/${key}/` },
      });
    }
    return {
      env: { ...own.env, ...minio.env },
      uri: (path) => `store://trials/${path.replace(/\/$/, '')}`,
      put: (path, bytes) => minio.putObject('models', path, bytes),
      // MLRun has no files of its own: rclone reads where they lie.
      rclone: { remote: (path) => rcloneS3(minio.endpoint, `models/${path}`), env: minio.env },
      tools: async (folder, brings) => [
        await world.peers.mlrun({
          suffix: 'get_dataitem().download()',
          args: ({ folder: to }) => [DOWNLOAD, `store://trials/${folder.replace(/\/$/, '')}`, to],
          env: { ...own.env, ...minio.env, S3_ENDPOINT_URL: minio.endpoint },
          brings,
        }),
      ],
    };
  },
};
