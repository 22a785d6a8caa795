import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Pin } from '../../../src/model/object-entry.js';
import type { Store } from '../../../src/stores/store.js';
import { checksumOf } from '../../helpers/checksums.js';
import { startFakeGcs } from '../../helpers/fake-gcs.js';
import type { FakeGcs } from '../../helpers/fake-gcs.js';
import { listAll, readAll } from '../conformance/expectations.js';
import { openGcs } from './testbed.js';
import { thrownBy } from '../../helpers/thrown-by.js';

const FIRST = Buffer.from('first version, first half | first version, second half');
const SECOND = Buffer.from('other version, first half | other version, second half');
const HALF_BYTES = 26;

let google: FakeGcs;
let store: Store;

beforeAll(async () => {
  google = await startFakeGcs();
  await google.createBucket('plain');
  await google.createBucket('versioned', { versioning: true });
}, 300_000);

afterEach(() => store.close());
afterAll(() => google.stop());

const opened = (uri: string): Promise<Store> => openGcs(uri, { settings: google.env });

describe('an object, read in ranges', () => {
  const key = 'model.bin';

  async function pinned(bucket: string): Promise<Pin> {
    store = await opened(`gs://${bucket}`);
    await google.putObject(bucket, key, FIRST);
    const entry = (await listAll(store, '', true)).find(({ path }) => path === key);
    if (entry?.pin === undefined) throw new Error('the listing gave no pin');
    return entry.pin;
  }

  it('has its generation as pin in the listing, on stat and in every answer', async () => {
    const pin = await pinned('plain');
    expect(pin).toEqual({ strength: 'strong', value: expect.stringMatching(/^generation:\d+$/) });
    expect((await store.stat(key)).pin).toEqual(pin);
    const { body, pin: answered } = await store.openRead(key, { offsetBytes: 3, lengthBytes: 4 });
    body.destroy();
    expect(answered).toEqual(pin);
  });

  it('rule 12: replaced between two ranges is refused, and both generations are named', async () => {
    const pin = await pinned('plain');
    const first = await readAll(store, key, { pin, lengthBytes: HALF_BYTES });
    expect(first.equals(FIRST.subarray(0, HALF_BYTES))).toBe(true);
    await google.putObject('plain', key, SECOND);
    const now = (await store.stat(key)).pin?.value.split(':')[1] ?? '';
    for (const rest of [{ pin, offsetBytes: HALF_BYTES, lengthBytes: HALF_BYTES }, { pin }]) {
      const error = await thrownBy(store.openRead(key, rest));
      expect(error).toMatchObject({ code: 'WB_SOURCE_CHANGED', scope: 'file', path: key });
      expect(error.message).toContain(`${pin.value.split(':')[1] ?? ''} is gone, and ${now} is`);
    }
  });

  it('rule 12: written again with the same bytes is another generation all the same', async () => {
    const pin = await pinned('plain');
    await google.putObject('plain', key, FIRST);
    expect((await thrownBy(store.openRead(key, { pin }))).code).toBe('WB_SOURCE_CHANGED');
  });

  it('rule 12: replaced where old generations are kept is read to its end as it was', async () => {
    const pin = await pinned('versioned');
    const first = await readAll(store, key, { pin, lengthBytes: HALF_BYTES });
    await google.putObject('versioned', key, SECOND);
    const rest = await readAll(store, key, { pin, offsetBytes: HALF_BYTES });
    expect(Buffer.concat([first, rest]).equals(FIRST)).toBe(true);
    expect((await readAll(store, key)).equals(SECOND)).toBe(true);
  });

  it('deleted between two ranges is not found', async () => {
    const pin = await pinned('plain');
    await google.deleteObject('plain', key);
    const error = await thrownBy(store.openRead(key, { pin, offsetBytes: 5 }));
    expect(error).toMatchObject({ code: 'WB_NOT_FOUND', scope: 'file' });
    expect((await thrownBy(store.stat(key))).code).toBe('WB_NOT_FOUND');
  });
});

describe('digests', () => {
  it('come with the listing, on stat and with a range: those of the whole object', async () => {
    store = await opened('gs://plain/digests');
    await google.putObject('plain', 'digests/file', FIRST);
    const expected = { crc32c: checksumOf('crc32c', FIRST), md5: checksumOf('md5', FIRST) };
    expect((await listAll(store, '', true))[0]?.digests).toEqual(expected);
    expect((await store.stat('file')).digests).toEqual(expected);
    const { body, digests } = await store.openRead('file', { offsetBytes: 1, lengthBytes: 2 });
    body.destroy();
    expect(digests).toEqual(expected);
  });
});

describe('an object that is stored compressed', () => {
  const text = Buffer.from('a line that packs well\n'.repeat(1_000));
  const packed = gzipSync(text);

  beforeEach(async () => {
    store = await opened('gs://plain/packed');
    await google.putObject('plain', 'packed/lines.csv', packed, { contentEncoding: 'gzip' });
  });

  it('comes as it is stored, with length and digests of that', async () => {
    const entry = await store.stat('lines.csv');
    expect(entry).toMatchObject({
      sizeBytes: packed.length,
      digests: { crc32c: checksumOf('crc32c', packed), md5: checksumOf('md5', packed) },
    });
    expect((await readAll(store, 'lines.csv')).equals(packed)).toBe(true);
    const range = await readAll(store, 'lines.csv', { offsetBytes: 10, lengthBytes: 20 });
    expect(range.equals(packed.subarray(10, 30))).toBe(true);
  });
});

describe('folders', () => {
  it('that are objects of their own are listed as folders, and never as files', async () => {
    store = await opened('gs://plain/folders');
    for (const name of ['', 'empty/', 'full/'])
      await google.putObject('plain', `folders/${name}`, '');
    await google.putObject('plain', 'folders/full/file', 'x');
    const kinds = (await listAll(store, '', true)).map(({ path, kind }) => `${kind} ${path}`);
    expect(kinds).toEqual(['directory empty', 'directory full', 'file full/file']);
    expect(await listAll(store, 'empty', true)).toEqual([]);
    expect((await thrownBy(store.openRead('full/'))).code).toBe('WB_NOT_FOUND');
    expect((await thrownBy(store.openRead('..'))).code).toBe('WB_NOT_FOUND');
  });

  it('of an empty bucket: the bucket is there and has nothing', async () => {
    await google.createBucket('hollow');
    store = await opened('gs://hollow');
    expect(await store.stat('')).toEqual({ path: '', kind: 'directory' });
    expect(await listAll(store, '', true)).toEqual([]);
  });

  it('of a bucket that does not exist: it is named, and is about the whole source', async () => {
    store = await opened('gs://no-such-bucket/below');
    for (const call of [
      () => store.stat(''),
      () => listAll(store, '', true),
      () => store.openRead('file'),
    ]) {
      const error = await thrownBy(call());
      expect(error).toMatchObject({ code: 'WB_NOT_FOUND', scope: 'source', retryable: false });
      expect(error.message).toContain('has no bucket no-such-bucket');
    }
  });
});
