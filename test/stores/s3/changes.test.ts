import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { DeleteObjectCommand } from '@aws-sdk/client-s3';
import { WaybillError } from '../../../src/model/errors.js';
import type { Pin } from '../../../src/model/object-entry.js';
import type { Store } from '../../../src/stores/store.js';
import { startMinio } from '../../helpers/minio.js';
import type { Minio } from '../../helpers/minio.js';
import { listAll, readAll } from '../conformance/expectations.js';
import { openS3 } from './testbed.js';

const FIRST = Buffer.from('first version, first half | first version, second half');
const SECOND = Buffer.from('other version, first half | other version, second half');
const HALF_BYTES = 26;

let minio: Minio;
let store: Store;

beforeAll(async () => {
  minio = await startMinio();
  await minio.createBucket('plain');
  await minio.createBucket('versioned', { versioning: true });
}, 300_000);

afterAll(() => minio.stop());

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof WaybillError) return error.code;
    throw error;
  }
  return 'no error';
}

describe.each(['plain', 'versioned'])('an object in a %s bucket, read in ranges', (bucket) => {
  const key = 'model.bin';
  let pin: Pin;

  beforeEach(async () => {
    store = await openS3(minio, `s3://${bucket}`);
    await minio.putObject(bucket, key, FIRST);
    const entry = (await listAll(store, '', true)).find(({ path }) => path === key);
    if (entry?.pin === undefined) throw new Error('the listing gave no pin');
    pin = entry.pin;
  });
  afterEach(() => store.close());

  it('has the same strong pin in the listing, on stat and in every answer', async () => {
    expect(pin.strength).toBe('strong');
    expect((await store.stat(key)).pin).toEqual(pin);
    const opened = await store.openRead(key, { offsetBytes: 3, lengthBytes: 4 });
    opened.body.destroy();
    expect(opened.pin).toEqual(pin);
  });

  it('rule 12: replaced between two ranges is refused, with a pin from the listing', async () => {
    const first = await readAll(store, key, { pin, lengthBytes: HALF_BYTES });
    expect(first.equals(FIRST.subarray(0, HALF_BYTES))).toBe(true);
    await minio.putObject(bucket, key, SECOND);
    const rest = { pin, offsetBytes: HALF_BYTES, lengthBytes: HALF_BYTES };
    expect(await codeOf(store.openRead(key, rest))).toBe('WB_SOURCE_CHANGED');
    expect(await codeOf(store.openRead(key, { pin }))).toBe('WB_SOURCE_CHANGED');
  });

  it('rule 12: replaced between two ranges is refused, with a pin from the first answer', async () => {
    const opened = await store.openRead(key, { lengthBytes: HALF_BYTES });
    opened.body.destroy();
    await minio.putObject(bucket, key, SECOND);
    const { pin: answered } = opened;
    if (answered === undefined) throw new Error('the answer gave no pin');
    const rest = { pin: answered, offsetBytes: HALF_BYTES };
    expect(await codeOf(store.openRead(key, rest))).toBe('WB_SOURCE_CHANGED');
  });

  it('written again with the same bytes is the same version', async () => {
    await minio.putObject(bucket, key, FIRST);
    expect((await readAll(store, key, { pin })).equals(FIRST)).toBe(true);
  });

  it('deleted between two ranges is not found', async () => {
    await minio.client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }));
    expect(await codeOf(store.openRead(key, { pin, offsetBytes: 5 }))).toBe('WB_NOT_FOUND');
    expect(await codeOf(store.stat(key))).toBe('WB_NOT_FOUND');
  });
});

describe('folders', () => {
  beforeEach(async () => {
    store = await openS3(minio, 's3://plain/folders');
  });
  afterEach(() => store.close());

  it('that are objects of their own are listed as folders, and never as files', async () => {
    await minio.putObject('plain', 'folders/', Buffer.alloc(0));
    await minio.putObject('plain', 'folders/empty/', Buffer.alloc(0));
    await minio.putObject('plain', 'folders/full/', Buffer.alloc(0));
    await minio.putObject('plain', 'folders/full/file', 'x');
    const kinds = (await listAll(store, '', true)).map(({ path, kind }) => `${kind} ${path}`);
    expect(kinds).toEqual(['directory empty', 'directory full', 'file full/file']);
    expect(await listAll(store, 'empty', true)).toEqual([]);
  });

  it('cannot be read', async () => {
    expect(await codeOf(store.openRead('full/'))).toBe('WB_NOT_FOUND');
    const whole = await openS3(minio, 's3://plain');
    expect(await codeOf(whole.openRead(''))).toBe('WB_NOT_FOUND');
    await whole.close();
  });

  it('of an empty bucket: the bucket is there and has nothing', async () => {
    await minio.createBucket('hollow');
    const hollow = await openS3(minio, 's3://hollow');
    expect(await hollow.stat('')).toEqual({ path: '', kind: 'directory' });
    expect(await listAll(hollow, '', true)).toEqual([]);
    await hollow.close();
  });
});
