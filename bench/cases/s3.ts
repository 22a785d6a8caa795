/** From S3 (a MinIO on this machine): one large object, and many small ones. */
import type { BenchCase, Contender } from '../lib/case.js';
import { rcloneS3 } from '../lib/peers.js';
import { minioOf, putLarge, putMany } from '../lib/s3-source.js';
import { engineAlone } from '../lib/waybill-side.js';
import type { World } from '../lib/world.js';
import type { Minio } from '../../test/helpers/minio.js';

const MiB = 1024 * 1024;

/** All that lies under a prefix, by every tool that speaks S3; `endpoint` may be a proxy before the MinIO. */
export async function s3Contenders(
  world: World,
  minio: Minio,
  path: string,
  brings: NonNullable<Contender['brings']>,
  endpoint: string = minio.endpoint,
): Promise<readonly Contender[]> {
  const env = { ...minio.env, AWS_ENDPOINT_URL: endpoint };
  const { rclone, aws } = world.peers;
  const source = rcloneS3(endpoint, path);
  return [
    ...(await world.sides()).map((side) => side.puller(`s3://${path}`, { env, brings })),
    engineAlone(`s3://${path}`, { env, brings }),
    await rclone({
      suffix: '--transfers 64',
      args: ({ folder }) => ['copy', '--transfers', '64', '--checkers', '64', source, folder],
      env,
      brings,
    }),
    await aws({
      suffix: '--recursive',
      args: ({ folder }) => [`s3://${path}`, folder, '--recursive', '--only-show-errors'],
      env,
      brings,
    }),
  ];
}

/** One object of so many MiB. */
export function s3Large(name: string, sizeMiB: number): BenchCase {
  return {
    name,
    what: `One object of ${sizeMiB / 1024} GiB from MinIO on the same machine.`,
    prepare: async (world) => {
      const minio = await minioOf(world);
      await minio.createBucket('bench');
      const sizeBytes = world.scaled(sizeMiB * MiB);
      await putLarge(minio, 'bench', 'large/model.bin', sizeBytes);
      const brings = { files: 1, bytes: sizeBytes };
      return { contenders: await s3Contenders(world, minio, 'bench/large/', brings) };
    },
  };
}

/** So many objects of one size. */
export function s3Many(name: string, shape: { count: number; sizeBytes: number }): BenchCase {
  return {
    name,
    what: `${shape.count} objects of ${shape.sizeBytes / 1024} KiB from MinIO on the same machine.`,
    prepare: async (world) => {
      const minio = await minioOf(world);
      await minio.createBucket('bench');
      const count = world.scaled(shape.count);
      await putMany(minio, 'bench', 'many/', { ...shape, count });
      const brings = { files: count, bytes: count * shape.sizeBytes };
      return { contenders: await s3Contenders(world, minio, 'bench/many/', brings) };
    },
  };
}
