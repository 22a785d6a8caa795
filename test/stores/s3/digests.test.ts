import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import type { ChecksumAlgorithm, ChecksumType } from '@aws-sdk/client-s3';
import type { Digests } from '../../../src/model/object-entry.js';
import type { Store } from '../../../src/stores/store.js';
import { checksumOf } from '../../helpers/checksums.js';
import { startMinio } from '../../helpers/minio.js';
import type { Minio } from '../../helpers/minio.js';
import { bytesOf } from '../conformance/tree.js';
import { openS3 } from './testbed.js';

const BUCKET = 'digests';
const BODY = bytesOf(11, 70_001);
const PART_BYTES = 5 * 1024 * 1024;
const LARGE = bytesOf(12, PART_BYTES + 1_234);

/** A key in MinIO's own format, made up for this test. */
const KMS_KEY = `waybill-key:${Buffer.alloc(32, 7).toString('base64')}`;

let minio: Minio;
let store: Store;

beforeAll(async () => {
  minio = await startMinio({ env: { MINIO_KMS_SECRET_KEY: KMS_KEY } });
  await minio.createBucket(BUCKET);
  store = await openS3(minio, `s3://${BUCKET}`);
}, 300_000);

afterAll(async () => {
  await store.close();
  await minio.stop();
});

async function uploadInParts(
  key: string,
  checksum: { ChecksumAlgorithm?: ChecksumAlgorithm; ChecksumType?: ChecksumType },
): Promise<void> {
  const target = { Bucket: BUCKET, Key: key };
  const { UploadId } = await minio.client.send(
    new CreateMultipartUploadCommand({ ...target, ...checksum }),
  );
  const Parts = [];
  for (const [index, from] of [0, PART_BYTES].entries()) {
    const part = await minio.client.send(
      new UploadPartCommand({
        ...target,
        UploadId,
        PartNumber: index + 1,
        Body: LARGE.subarray(from, from + PART_BYTES),
        ...(checksum.ChecksumAlgorithm ? { ChecksumAlgorithm: checksum.ChecksumAlgorithm } : {}),
      }),
    );
    Parts.push({ ...part, PartNumber: index + 1 });
  }
  await minio.client.send(
    new CompleteMultipartUploadCommand({
      ...target,
      UploadId,
      MultipartUpload: { Parts },
      ...(checksum.ChecksumType ? { ChecksumType: checksum.ChecksumType } : {}),
    }),
  );
}

async function digestsOnRead(path: string, lengthBytes?: number): Promise<Digests> {
  const opened = await store.openRead(path, lengthBytes === undefined ? {} : { lengthBytes });
  opened.body.destroy();
  return opened.digests ?? {};
}

describe('checksums that lie with an object', () => {
  it.each([
    ['SHA256', 'sha256'],
    ['SHA1', 'sha1'],
    ['CRC32', 'crc32'],
    ['CRC32C', 'crc32c'],
    ['CRC64NVME', 'crc64nvme'],
  ] as const)(
    '%s is taken as the digest of the object, beside the MD5',
    async (algorithm, name) => {
      const path = `single/${name}`;
      await minio.putObject(BUCKET, path, BODY, { ChecksumAlgorithm: algorithm });
      const expected = { [name]: checksumOf(name, BODY), md5: checksumOf('md5', BODY) };
      expect((await store.stat(path)).digests).toEqual(expected);
      expect(await digestsOnRead(path)).toEqual(expected);
    },
  );

  it('do not come with a range but for the MD5: services disagree about what they cover', async () => {
    const path = 'single/in-parts';
    await minio.putObject(BUCKET, path, BODY, { ChecksumAlgorithm: 'SHA256' });
    expect(await digestsOnRead(path, 1_000)).toEqual({ md5: checksumOf('md5', BODY) });
  });

  it('do not come with the listing, which does not say how an object is encrypted', async () => {
    await minio.putObject(BUCKET, 'listed/file', BODY, { ChecksumAlgorithm: 'SHA256' });
    for await (const entry of store.list('listed', { recursive: true })) {
      expect(entry).toMatchObject({ path: 'listed/file', sizeBytes: BODY.length });
      expect(entry.digests).toBeUndefined();
    }
  });
});

describe('an object uploaded in parts', () => {
  it('rule 32: has no MD5, whatever its ETag looks like', async () => {
    await uploadInParts('parts/plain', {});
    const entry = await store.stat('parts/plain');
    expect(entry.pin?.value).toMatch(/^etag:"[0-9a-f]{32}-2"$/);
    expect(entry.digests?.md5).toBeUndefined();
    expect(await digestsOnRead('parts/plain', 1_000)).not.toHaveProperty('md5');
  });

  it.each(['SHA256', 'SHA1', 'CRC32', 'CRC32C'] as const)(
    'rule 32: has no %s where that is composed of the checksums of its parts',
    async (ChecksumAlgorithm) => {
      const path = `parts/${ChecksumAlgorithm}`;
      await uploadInParts(path, { ChecksumAlgorithm, ChecksumType: 'COMPOSITE' });
      expect((await store.stat(path)).digests).toBeUndefined();
      expect(await digestsOnRead(path)).toEqual({});
      expect(await digestsOnRead(path, 1_000)).toEqual({});
    },
  );

  it.each([
    ['CRC64NVME', 'crc64nvme'],
    ['CRC32C', 'crc32c'],
  ] as const)('has its %s where that covers the full object', async (ChecksumAlgorithm, name) => {
    const path = `parts/full-${name}`;
    await uploadInParts(path, { ChecksumAlgorithm, ChecksumType: 'FULL_OBJECT' });
    const expected = { [name]: checksumOf(name, LARGE) };
    expect((await store.stat(path)).digests).toEqual(expected);
    expect(await digestsOnRead(path)).toEqual(expected);
  });
});

describe('an encrypted object', () => {
  it('rule 32: has no MD5 under SSE-KMS, and is read all the same', async () => {
    await minio.putObject(BUCKET, 'kms', BODY, {
      ServerSideEncryption: 'aws:kms',
      SSEKMSKeyId: 'waybill-key',
    });
    const entry = await store.stat('kms');
    expect(entry.digests?.md5).toBeUndefined();
    const opened = await store.openRead('kms', entry.pin ? { pin: entry.pin } : {});
    const chunks: Buffer[] = [];
    for await (const chunk of opened.body) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks).equals(BODY)).toBe(true);
    expect(opened.digests?.md5).toBeUndefined();
  });

  it('has no wrong MD5 under SSE-S3', async () => {
    await minio.putObject(BUCKET, 'sse', BODY, { ServerSideEncryption: 'AES256' });
    const { digests } = await store.stat('sse');
    expect([undefined, checksumOf('md5', BODY)]).toContain(digests?.md5);
  });
});
