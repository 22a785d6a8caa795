/** S3, by MinIO. */
import { rcloneS3 } from '../../lib/peers.js';
import { minioOf } from '../../lib/s3-source.js';
import type { StoreRow } from '../served.js';

export const s3: StoreRow = {
  store: 's3',
  server: 'MinIO',
  serve: async (world) => {
    const minio = await minioOf(world);
    await minio.createBucket('models');
    return {
      env: minio.env,
      uri: (path) => `s3://models/${path}`,
      put: (path, bytes) => minio.putObject('models', path, bytes),
      rclone: { remote: (path) => rcloneS3(minio.endpoint, `models/${path}`), env: minio.env },
      tools: async (folder, brings) => [
        await world.peers.aws({
          suffix: '--recursive',
          args: ({ folder: to }) => [
            ...['--recursive', '--only-show-errors', '--endpoint-url', minio.endpoint],
            ...[`s3://models/${folder}`, to],
          ],
          env: minio.env,
          brings,
        }),
      ],
    };
  },
};
