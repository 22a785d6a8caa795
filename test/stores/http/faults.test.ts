import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { WaybillError } from '../../../src/model/errors.js';
import type { ReadOptions, Store } from '../../../src/stores/store.js';
import { cut, sendAll, serveFile, startCutServer } from '../../helpers/cut-server.js';
import type { CutReply, CutServer } from '../../helpers/cut-server.js';
import { scratchFolder } from '../../helpers/processes.js';
import { openHttpStore, startNginx } from './servers.js';

const FILE = Buffer.from('0123456789'.repeat(10));
let server: CutServer;
let store: Store;

beforeAll(async () => {
  server = await startCutServer();
});
afterAll(() => server.stop());
beforeEach(async () => {
  store = await openHttpStore(`${server.url}/model.bin`, {}, { WAYBILL_STALL_TIMEOUT: '1s' });
});
afterEach(() => store.close());

async function read(options: ReadOptions = {}): Promise<Buffer> {
  const { body } = await store.openRead('', options);
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function failureOf(promise: Promise<unknown>): Promise<WaybillError> {
  const error: unknown = await promise.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  );
  if (error instanceof WaybillError) return error;
  throw error;
}

describe('rule 11: a short body is never a success', () => {
  it('with Content-Length', async () => {
    server.serve('/model.bin', cut(sendAll(FILE), 50));
    const error = await failureOf(read());
    expect(error).toMatchObject({ code: 'WB_UNAVAILABLE', retryable: true, store: 'http' });
    expect(error.scope).toBe('file');
    expect(error.message).toContain('broke off after 50 of 100 bytes');
  });

  it('with Content-Length and a reset', async () => {
    server.serve('/model.bin', { ...cut(sendAll(FILE), 50), cutWith: 'reset' });
    const { code, scope } = await failureOf(read());
    expect(code).toBe('WB_UNAVAILABLE');
    expect(scope).toBe('file');
  });

  it('in chunks, without the last one', async () => {
    server.serve('/model.bin', { body: FILE, framing: 'chunked', cutAfterBytes: 50 });
    expect((await store.openRead('')).ending).toBe('framing');
    expect(await failureOf(read())).toMatchObject({ code: 'WB_UNAVAILABLE', scope: 'file' });
  });

  it('in chunks, of a range whose size was announced', async () => {
    const headers = { 'Content-Range': 'bytes 10-99/100' };
    server.serve('/model.bin', {
      status: 206,
      headers,
      body: FILE.subarray(20),
      framing: 'chunked',
    });
    const error = await failureOf(read({ offsetBytes: 10 }));
    expect(error.code).toBe('WB_SIZE_MISMATCH');
    expect(error.message).toContain('announced 90 bytes and sent 80');
  });

  it('without any framing is told apart, so that the caller can refuse it', async () => {
    server.serve('/model.bin', { body: FILE, framing: 'close', cutAfterBytes: 50 });
    const { ending, lengthBytes, sizeBytes, body } = await store.openRead('');
    body.destroy();
    expect({ ending, lengthBytes, sizeBytes }).toEqual({ ending: 'close' });
  });
});

describe('rule 12: ranges', () => {
  it('a 200 to a range starts at 0 and says so', async () => {
    server.serve('/model.bin', serveFile(FILE, { hasRanges: false }));
    const opened = await store.openRead('', { offsetBytes: 40, lengthBytes: 10 });
    opened.body.destroy();
    expect(opened).toMatchObject({ offsetBytes: 0, lengthBytes: 100, sizeBytes: 100 });
  });

  const part = FILE.subarray(10, 20);
  it.each<[string, CutReply]>([
    ['another start', { headers: { 'Content-Range': 'bytes 11-20/100' }, body: part }],
    ['a shorter range', { headers: { 'Content-Range': 'bytes 10-18/100' }, body: part }],
    ['a longer range', { headers: { 'Content-Range': 'bytes 10-29/100' }, body: part }],
    ['no Content-Range', { body: part }],
    ['nonsense', { headers: { 'Content-Range': 'bytes ten to twenty' }, body: part }],
    ['another length', { headers: { 'Content-Range': 'bytes 10-19/100' }, body: FILE }],
  ])('a 206 with %s is refused', async (_, reply) => {
    server.serve('/model.bin', { ...reply, status: 206 });
    const error = await failureOf(read({ offsetBytes: 10, lengthBytes: 10 }));
    expect(error.code).toBe('WB_SIZE_MISMATCH');
  });

  it('a 206 to a request for the whole is refused', async () => {
    const headers = { 'Content-Range': 'bytes 0-49/100' };
    server.serve('/model.bin', { status: 206, headers, body: FILE.subarray(50) });
    expect((await failureOf(read())).code).toBe('WB_SIZE_MISMATCH');
  });

  it('a 206 may leave the total open', async () => {
    const headers = { 'Content-Range': 'bytes 10-19/*' };
    server.serve('/model.bin', { status: 206, headers, body: part });
    expect(await read({ offsetBytes: 10, lengthBytes: 10 })).toEqual(part);
  });

  it('a 416 says that the file is shorter', async () => {
    server.serve('/model.bin', serveFile(FILE));
    expect(await failureOf(read({ offsetBytes: 200 }))).toMatchObject({
      code: 'WB_SIZE_MISMATCH',
      operation: 'openRead',
    });
  });
});

describe('rule 12: a file that changes between requests', () => {
  it('is refused by the server that knows If-Match', async () => {
    server.serve('/model.bin', serveFile(FILE, { etag: '"v1"' }));
    const { pin } = await store.stat('');
    if (!pin) throw new Error('no pin');
    expect(await read({ pin, offsetBytes: 95 })).toEqual(FILE.subarray(95));
    const [, request] = server.requestsOf('/model.bin').slice(-2);
    expect(request?.headers['if-match']).toBe('"v1"');
    server.serve('/model.bin', serveFile(FILE, { etag: '"v2"' }));
    expect((await failureOf(read({ pin, offsetBytes: 95 }))).code).toBe('WB_SOURCE_CHANGED');
  });

  it('is noticed where the server ignores If-Match', async () => {
    const pin = { strength: 'strong', value: 'etag:"v1"' } as const;
    server.serve('/model.bin', sendAll(FILE, { ETag: '"v2"' }));
    expect((await failureOf(read({ pin }))).code).toBe('WB_SOURCE_CHANGED');
    server.serve('/model.bin', sendAll(FILE));
    expect((await failureOf(read({ pin }))).code).toBe('WB_SOURCE_CHANGED');
  });

  it('is noticed by its date and size, without If-Match', async () => {
    const lastModified = 'Sat, 21 Nov 2026 12:00:00 GMT';
    server.serve('/model.bin', serveFile(FILE, { lastModified }));
    const { pin, answeredAt, body } = await store.openRead('');
    body.destroy();
    expect(pin?.strength).toBe('weak');
    expect(answeredAt).toBeDefined();
    if (!pin) throw new Error('no pin');
    expect(await read({ pin, offsetBytes: 90 })).toHaveLength(10);
    expect(server.requestsOf('/model.bin').at(-1)?.headers['if-match']).toBeUndefined();
    server.serve('/model.bin', serveFile(FILE.subarray(1), { lastModified }));
    expect((await failureOf(read({ pin, offsetBytes: 90 }))).code).toBe('WB_SOURCE_CHANGED');
  });
});

describe('statuses', () => {
  it.each([
    [401, 'WB_UNAUTHENTICATED', true],
    [403, 'WB_PERMISSION_DENIED', false],
    [404, 'WB_NOT_FOUND', false],
    [410, 'WB_NOT_FOUND', false],
    [408, 'WB_TIMEOUT', true],
    [412, 'WB_SOURCE_CHANGED', false],
    [418, 'WB_UNAVAILABLE', false],
    [500, 'WB_UNAVAILABLE', true],
    [501, 'WB_UNAVAILABLE', false],
    [503, 'WB_UNAVAILABLE', true],
  ])('%d is %s', async (status, code, retryable) => {
    server.serve('/model.bin', { status, body: 'because\u0000 so' });
    const error = await failureOf(read());
    expect(error).toMatchObject({ code, retryable, operation: 'openRead', store: 'http' });
    expect(error.message).toContain(`(HTTP ${status}): because so`);
  });

  it.each([
    [421, 'WB_RATE_LIMITED'],
    [429, 'WB_RATE_LIMITED'],
    [503, 'WB_UNAVAILABLE'],
  ])('%d tells how long to wait', async (status, code) => {
    server.serve('/model.bin', { status, headers: { 'Retry-After': '7' } });
    expect(await failureOf(read())).toMatchObject({ code, retryAfterMs: 7_000, scope: 'source' });
    expect(await failureOf(store.stat(''))).toMatchObject({ code, retryAfterMs: 7_000 });
  });
});

describe('a server that falls silent', () => {
  it('before it answers is a timeout', async () => {
    server.serve('/model.bin', { neverAnswers: true });
    expect(await failureOf(read())).toMatchObject({ code: 'WB_TIMEOUT', scope: 'source' });
  });

  it('in the middle of a body is a timeout', async () => {
    server.serve('/model.bin', { body: FILE, stallAfterBytes: 50 });
    expect((await failureOf(read())).message).toContain('fell silent after 50 of 100 bytes');
  });
});

it('a reader that pauses is no silent server, and does not fill the memory', async () => {
  const root = scratchFolder('http-pause');
  const sizeBytes = 64 * 1024 * 1024;
  writeFileSync(join(root, 'large.bin'), Buffer.alloc(sizeBytes));
  const nginx = await startNginx({ root });
  const patient = await openHttpStore(
    `${nginx.url}/large.bin`,
    {},
    { WAYBILL_STALL_TIMEOUT: '1s' },
  );
  const { body } = await patient.openRead('');
  let seenBytes = 0;
  for await (const chunk of body) {
    if (seenBytes === 0) {
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      expect(body.readableLength).toBeLessThan(2 * 1024 * 1024);
    }
    seenBytes += (chunk as Buffer).length;
  }
  expect(seenBytes).toBe(sizeBytes);
  await patient.close();
  await nginx.stop();
});

describe('answers that are no file', () => {
  it('a sign-in page is refused, also where it is called a success', async () => {
    const page = { 'Content-Type': 'text/html; charset=utf-8' };
    server.serve('/model.bin', sendAll('<html><title>Sign in</title></html>', page));
    expect(await failureOf(read())).toMatchObject({ code: 'WB_SIGN_IN_PAGE', exitCode: 5 });
    expect((await failureOf(store.stat(''))).code).toBe('WB_SIGN_IN_PAGE');
  });

  it('a page that is asked for by name, or sent as a download, is a file', async () => {
    const page = { 'Content-Type': 'text/html' };
    server.serve('/card.html', sendAll('<p>', page));
    const named = await openHttpStore(`${server.url}/card.html`);
    expect((await named.stat('')).sizeBytes).toBe(3);
    await named.close();
    const download = { ...page, 'Content-Disposition': 'attachment; filename=x' };
    server.serve('/model.bin', sendAll('<p>', download));
    expect((await read()).toString()).toBe('<p>');
  });

  it('a body that was compressed on the way is refused, a stored archive is not', async () => {
    const encoded = { 'Content-Encoding': 'gzip' };
    server.serve('/model.bin', sendAll(gzipSync(FILE), encoded));
    expect((await failureOf(read())).code).toBe('WB_UNSUPPORTED');
    expect(server.requestsOf('/model.bin').at(-1)?.headers['accept-encoding']).toBe('identity');
    server.serve('/model.tar.gz', sendAll(gzipSync(FILE), encoded));
    const archive = await openHttpStore(`${server.url}/model.tar.gz`);
    const { lengthBytes, body } = await archive.openRead('');
    body.destroy();
    expect(lengthBytes).toBe(gzipSync(FILE).length);
    await archive.close();
  });
});

describe('stat', () => {
  it('falls back to the first byte where HEAD is not answered', async () => {
    const file = serveFile(FILE, { etag: '"v1"' });
    server.serve('/model.bin', (request) =>
      request.method === 'HEAD' ? { status: 405 } : file(request),
    );
    expect(await store.stat('')).toMatchObject({
      sizeBytes: 100,
      pin: { strength: 'strong', value: 'etag:"v1"' },
    });
    server.serve('/model.bin', (request) =>
      request.method === 'HEAD' ? { status: 405 } : serveFile(Buffer.alloc(0))(request),
    );
    expect(await store.stat('')).toMatchObject({ sizeBytes: 0 });
  });

  it('carries digests that the server tells of the whole file', async () => {
    const sha256 = 'aa'.repeat(32);
    const base64 = Buffer.from(sha256, 'hex').toString('base64');
    server.serve('/model.bin', sendAll(FILE, { 'Repr-Digest': `sha-256=:${base64}:` }));
    expect((await store.stat('')).digests).toEqual({ sha256 });
    const opened = await store.openRead('');
    opened.body.destroy();
    expect(opened.digests).toEqual({ sha256 });
  });
});

it('the number of connections to a server stays bounded', async () => {
  server.serve('/model.bin', { body: FILE, delayMs: 50 });
  let most = 0;
  const timer = setInterval(() => (most = Math.max(most, server.openConnections())), 5);
  await Promise.all(Array.from({ length: 40 }, () => read()));
  clearInterval(timer);
  expect(most).toBeLessThanOrEqual(store.capabilities.maxConnections);
});
