/** What a real server cannot be made to answer: scripted as Google's documentation and its services have it. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { WaybillError } from '../../../src/model/errors.js';
import type { ReadOptions, Store } from '../../../src/stores/store.js';
import { cut, startCutServer } from '../../helpers/cut-server.js';
import type { CutReply, CutScript, CutServer } from '../../helpers/cut-server.js';
import { checksumOf } from '../../helpers/checksums.js';
import { listAll, readAll } from '../conformance/expectations.js';
import { openGcs } from './testbed.js';
import { thrownBy } from '../../helpers/thrown-by.js';

const LIST = '/storage/v1/b/bucket/o';
const FILE = '/storage/v1/b/bucket/o/root%2Fmodel';
const MEDIA = '/download/storage/v1/b/bucket/o/root%2Fmodel';
const BYTES = Buffer.from('0123456789'.repeat(10));

let server: CutServer;
let store: Store;

beforeAll(async () => {
  server = await startCutServer();
});
afterEach(async () => {
  await store.close();
  await server.stop();
  server = await startCutServer();
});
afterAll(() => server.stop());

async function before(
  scripts: Readonly<Record<string, CutScript | readonly CutScript[]>>,
): Promise<Store> {
  for (const [path, script] of Object.entries(scripts)) server.serve(path, script);
  const settings = { STORAGE_EMULATOR_HOST: server.url, WAYBILL_STALL_TIMEOUT: '1s' };
  store = await openGcs('gs://bucket/root', { settings });
  return store;
}

const json = (body: unknown, status = 200, headers = {}): CutReply => ({
  status,
  headers: { 'Content-Type': 'application/json; charset=UTF-8', ...headers },
  body: JSON.stringify(body),
});
const page = (names: readonly string[], nextPageToken?: string): CutReply =>
  json({
    kind: 'storage#objects',
    items: names.map((name) => ({ name, size: '1', generation: '1' })),
    ...(nextPageToken === undefined ? {} : { nextPageToken }),
  });
const refusal = (code: number, reason: string, message: string, headers = {}): CutReply =>
  json(
    { error: { code, message, errors: [{ message, domain: 'global', reason }] } },
    code,
    headers,
  );
const media = (headers = {}, body: Buffer | string = BYTES, status = 200): CutReply => ({
  status,
  headers: { 'X-Goog-Generation': '1', 'X-Goog-Stored-Content-Encoding': 'identity', ...headers },
  body,
});

const opening = async (script: CutScript, options: ReadOptions = {}): Promise<WaybillError> =>
  thrownBy((await before({ [MEDIA]: script })).openRead('model', options));

describe('a listing that cannot be trusted', () => {
  it.each<[string, CutScript]>([
    [
      'goes in circles',
      ({ query }) => page(['root/a'], query.get('pageToken') === 't' ? 'u' : 't'),
    ],
    ['has names outside the prefix', page(['other/a'])],
  ])('rule 24: that %s ends with an error', async (_, script) => {
    const error = await thrownBy(listAll(await before({ [LIST]: script }), '', true));
    expect(error).toMatchObject({ code: 'WB_UNAVAILABLE', retryable: false });
    expect(server.requestsOf(LIST).length).toBeLessThan(20);
  });

  it.each<[string, CutReply]>([
    [
      'a page of a portal',
      { headers: { 'Content-Type': 'text/html' }, body: '<html>Sign in</html>' },
    ],
    ['another service', json({ items: [] })],
    ['a page cut in the middle', { body: '{"kind":"storage#objects","items":[' }],
    [
      'a number that is none',
      json({ kind: 'storage#objects', items: [{ name: 'root/a', size: '-1' }] }),
    ],
    ['nothing', { body: '' }],
  ])('that is %s is no empty folder, and says what to check', async (_, reply) => {
    const error = await thrownBy(listAll(await before({ [LIST]: reply }), '', true));
    expect(error).toMatchObject({ code: 'WB_CONFIG_INVALID', retryable: false, scope: 'source' });
    expect(error.message).toContain('check STORAGE_EMULATOR_HOST');
  });

  it('asks for what it needs and no more, a thousand at a time', async () => {
    const source = await before({ [LIST]: [page(['root/a'], 'next'), page(['root/b'])] });
    expect((await listAll(source, '', true)).map(({ path }) => path)).toEqual(['a', 'b']);
    expect(server.requestsOf(LIST).map(({ query }) => Object.fromEntries(query))).toEqual([
      {
        fields: 'kind,prefixes,nextPageToken,items(name,size,generation,updated,md5Hash,crc32c)',
        maxResults: '1000',
        prefix: 'root/',
      },
      expect.objectContaining({ pageToken: 'next', prefix: 'root/' }),
    ]);
  });
});

describe('bytes that are not the object’s', () => {
  it('of a console or a portal are refused', async () => {
    expect(await opening({ body: '<html>Sign in</html>' })).toMatchObject({
      code: 'WB_CONFIG_INVALID',
      scope: 'source',
    });
  });

  it.each<[string, Record<string, string>]>([
    [
      'unpacked',
      { 'X-Goog-Stored-Content-Encoding': 'gzip', Warning: '214 UploadServer gunzipped' },
    ],
    ['packed', { 'Content-Encoding': 'gzip' }],
  ])('%s on their way are refused', async (_, headers) => {
    const error = await opening(media(headers));
    expect(error).toMatchObject({ code: 'WB_UNSUPPORTED', scope: 'file', retryable: false });
    expect(server.requestsOf(MEDIA)[0]?.headers['accept-encoding']).toBe('gzip');
  });

  it('stored in another packing come as they are stored', async () => {
    const headers = { 'X-Goog-Stored-Content-Encoding': 'br', 'Content-Encoding': 'br' };
    const source = await before({ [MEDIA]: media(headers) });
    expect((await readAll(source, 'model')).equals(BYTES)).toBe(true);
  });

  it('rule 12: of another generation than the one that was asked for are refused', async () => {
    const pin = { strength: 'strong', value: 'generation:7' } as const;
    expect((await opening(media(), { pin })).code).toBe('WB_SOURCE_CHANGED');
    expect(server.requestsOf(MEDIA)[0]?.query.get('generation')).toBe('7');
  });

  it('rule 11: that end early are no short success', async () => {
    const source = await before({ [MEDIA]: cut(media(), 50) });
    const error = await thrownBy(readAll(source, 'model'));
    expect(error).toMatchObject({ code: 'WB_UNAVAILABLE', scope: 'file', retryable: true });
  });

  it('rule 11: that stop coming end with the stall rule', async () => {
    const source = await before({ [MEDIA]: { ...media(), stallAfterBytes: 50 } });
    expect((await thrownBy(readAll(source, 'model'))).code).toBe('WB_TIMEOUT');
  });
});

describe('rule 32: digests', () => {
  const crc32c = Buffer.from(checksumOf('crc32c', BYTES), 'hex').toString('base64');
  const md5 = Buffer.from(checksumOf('md5', BYTES), 'hex').toString('base64');

  it.each<[string, string, Record<string, string>]>([
    [
      'of a composite object: CRC32C alone',
      `crc32c=${crc32c}`,
      { crc32c: checksumOf('crc32c', BYTES) },
    ],
    [
      'in any order and with blanks',
      `md5=${md5}, crc32c=${crc32c}`,
      { crc32c: checksumOf('crc32c', BYTES), md5: checksumOf('md5', BYTES) },
    ],
    ['of another length than they must have: none', `crc32c=${md5},md5=${crc32c}`, {}],
    ['under a name that is not known: none', `sha512=${md5}`, {}],
  ])('%s', async (_, header, expected) => {
    const source = await before({ [MEDIA]: media({ 'X-Goog-Hash': header }) });
    const { body, digests = {} } = await source.openRead('model');
    body.destroy();
    expect(digests).toEqual(expected);
  });
});

describe('refusals', () => {
  it.each<[string, CutReply, object, RegExp]>([
    [
      'too many requests',
      refusal(429, 'rateLimitExceeded', 'Slow down', { 'Retry-After': '7' }),
      { code: 'WB_RATE_LIMITED', retryAfterMs: 7_000 },
      /fewer requests/,
    ],
    [
      'too many requests of one user',
      refusal(403, 'userRateLimitExceeded', 'User Rate Limit'),
      { code: 'WB_RATE_LIMITED', retryable: true },
      /fewer requests/,
    ],
    [
      'Google’s own 503',
      refusal(503, 'backendError', 'We encountered an internal error. Try again.'),
      { code: 'WB_RATE_LIMITED' },
      /internal error/,
    ],
    [
      'a gateway’s 503',
      { status: 503, body: '<html><title>nginx</title></html>' },
      { code: 'WB_UNAVAILABLE', retryable: true },
      /nginx/,
    ],
    [
      'an error of its own',
      refusal(500, 'internalError', 'Backend Error'),
      { code: 'WB_UNAVAILABLE', retryable: true },
      /Backend Error/,
    ],
    [
      'patience that ended',
      { status: 408, body: '' },
      { code: 'WB_TIMEOUT', retryable: true },
      /waiting/,
    ],
    [
      'a gateway’s patience that ended',
      { status: 504, body: '' },
      { code: 'WB_UNAVAILABLE', retryable: true },
      /504/,
    ],
    [
      'a bucket whose reader pays',
      refusal(400, 'required', 'Bucket is a requester pays bucket but no user project provided.'),
      { code: 'WB_PERMISSION_DENIED', scope: 'source' },
      /GOOGLE_CLOUD_QUOTA_PROJECT/,
    ],
    [
      'an object under a key of its owner',
      refusal(
        400,
        'resourceIsEncryptedWithCustomerEncryptionKey',
        'The target object is encrypted by a customer-supplied encryption key.',
      ),
      { code: 'WB_UNSUPPORTED', scope: 'file', retryable: false },
      /CSEK/,
    ],
    [
      'another version',
      refusal(412, 'conditionNotMet', 'At least one of the pre-conditions did not hold.'),
      { code: 'WB_SOURCE_CHANGED' },
      /another version/,
    ],
    [
      'a range past the end',
      refusal(416, 'requestedRangeNotSatisfiable', 'Request range not satisfiable'),
      { code: 'WB_SIZE_MISMATCH' },
      /shorter/,
    ],
    [
      'a missing object, in plain words',
      { status: 404, body: 'No such object: bucket/root/model' },
      { code: 'WB_NOT_FOUND', scope: 'file' },
      /No such object/,
    ],
    [
      'a missing bucket',
      refusal(404, 'notFound', 'The specified bucket does not exist.'),
      { code: 'WB_NOT_FOUND', scope: 'source', retryable: false },
      /has no bucket bucket/,
    ],
    [
      'nobody’s request',
      {
        status: 401,
        body: 'Anonymous caller does not have storage.objects.get access to the Google Cloud Storage object.',
      },
      { code: 'WB_UNAUTHENTICATED' },
      /Anonymous caller/,
    ],
  ])('%s', async (_, reply, expected, said) => {
    const error = await opening(reply);
    expect(error).toMatchObject({
      operation: 'openRead',
      store: 'gcs',
      path: 'model',
      ...expected,
    });
    expect(error.message).toMatch(said);
    // Retries are somebody else's.
    expect(server.requestsOf(MEDIA)).toHaveLength(1);
  });

  it('of a listing is about the source', async () => {
    const reply = refusal(403, 'forbidden', 'ada does not have storage.objects.list access');
    const error = await thrownBy(listAll(await before({ [LIST]: reply }), '', true));
    expect(error).toMatchObject({ scope: 'source' });
  });

  it('of one object does not make it a folder', async () => {
    const source = await before({
      [FILE]: refusal(403, 'forbidden', 'no storage.objects.get access'),
      [LIST]: page(['root/model/a']),
    });
    expect((await thrownBy(source.stat('model'))).code).toBe('WB_UNAUTHENTICATED');
  });
});
