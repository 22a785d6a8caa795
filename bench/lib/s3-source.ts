/** A real MinIO with the data of a case in it. */
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { startMinio, type Minio } from '../../test/helpers/minio.js';
import { contentOf } from '../../test/helpers/tree.js';
import type { World } from './world.js';

const MiB = 1024 * 1024;
/** Parts as a multipart upload of a large object has them. */
const PART = 16 * MiB;
const PUTS_AT_ONCE = 16;

/** Starts a MinIO that ends with the case; its data lies in memory where the system has a tmpfs. */
export async function minioOf(world: World): Promise<Minio> {
  const minio = await startMinio({ dir: await world.folder('minio') });
  world.onEnd(() => minio.stop());
  return minio;
}

/** Puts one large object in parts. */
export async function putLarge(
  { client }: Minio,
  bucket: string,
  key: string,
  sizeBytes: number,
): Promise<void> {
  const place = { Bucket: bucket, Key: key };
  const { UploadId } = await client.send(new CreateMultipartUploadCommand(place));
  const parts: { PartNumber: number; ETag: string | undefined }[] = [];
  for (let start = 0; start < sizeBytes; start += PART) {
    const PartNumber = parts.length + 1;
    const length = Math.min(PART, sizeBytes - start);
    const Body = contentOf({ path: `${key} ${PartNumber}`, sizeBytes: length });
    const sent = await client.send(new UploadPartCommand({ ...place, UploadId, PartNumber, Body }));
    parts.push({ PartNumber, ETag: sent.ETag });
  }
  const MultipartUpload = { Parts: parts };
  await client.send(new CompleteMultipartUploadCommand({ ...place, UploadId, MultipartUpload }));
}

/** Puts many objects of one size under `prefix`, a hundred to a folder. */
export async function putMany(
  minio: Minio,
  bucket: string,
  prefix: string,
  { count, sizeBytes }: { count: number; sizeBytes: number },
): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    for (;;) {
      const index = next;
      next += 1;
      if (index >= count) return;
      const key = `${prefix}d${Math.floor(index / 100)}/f${index}.bin`;
      await minio.putObject(bucket, key, contentOf({ path: key, sizeBytes }));
    }
  };
  await Promise.all(Array.from({ length: PUTS_AT_ONCE }, lane));
}
