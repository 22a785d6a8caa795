import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { TransferEngine } from '../../src/transfer/api.js';
import { serveFile, startCutServer } from '../helpers/cut-server.js';
import type { CutRequest, CutServer } from '../helpers/cut-server.js';
import { contextOf, engineOf, pullWith, requestOf, scratch } from '../helpers/engine.js';

const MiB = 1024 * 1024;
const content = randomBytes(34 * MiB);
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

let engine: TransferEngine;
let server: CutServer;
let root: string;
let to: string;

beforeAll(async () => {
  root = await scratch('pins');
});
beforeEach(async () => {
  engine = engineOf();
  server = await startCutServer();
  to = join(root, `model-${randomBytes(4).toString('hex')}.bin`);
});
afterEach(async () => {
  await engine.close();
  await server.stop();
});
afterAll(() => rm(root, { recursive: true, force: true }));

const pull = (tries = 3, changes: Parameters<typeof requestOf>[2] = {}) =>
  pullWith(
    engine,
    requestOf(`${server.url}/model.bin`, to, changes),
    undefined,
    contextOf(),
    tries,
  );
const rangesAsked = (): string[] =>
  server
    .requestsOf('/model.bin')
    .map(({ headers }) => headers.range ?? '')
    .filter((range) => range !== '' && range !== 'bytes=0-0');
const startOf = (range: string): number => Number(/^bytes=(\d+)/.exec(range)?.[1]);

describe('rule 12: a server whose ranges cannot be relied on', () => {
  const strong = serveFile(content, { etag: '"v1"' });
  const isRange = ({ headers }: CutRequest): boolean => /^bytes=(?!0-0$)/.test(headers.range ?? '');

  it.each([
    ['416 restarts the file from nothing, as one stream', { status: 416 }],
    ['a 206 without Content-Range is not believed', { status: 206, body: content.subarray(0, 9) }],
    [
      'a 206 of another range is not believed',
      { status: 206, headers: { 'Content-Range': 'bytes 5-9/35651584' }, body: 'wrong' },
    ],
  ])('%s', async (_title, reply) => {
    server.serve('/model.bin', (request) => (isRange(request) ? reply : strong(request)));
    expect(await pull()).toMatchObject({ ok: true });
    expect(sha256(await readFile(to))).toBe(sha256(content));
  });

  it('416 in the middle drops the parts that came before, and no byte of them is kept', async () => {
    const old = randomBytes(34 * MiB);
    const isOld = ({ index }: CutRequest): boolean => index < 3;
    server.serve('/model.bin', (request) => {
      if (!isRange(request)) return strong(request);
      return isOld(request) ? serveFile(old, { etag: '"v1"' })(request) : { status: 416 };
    });
    expect(await pull()).toMatchObject({ ok: true });
    expect(sha256(await readFile(to))).toBe(sha256(content));
  });

  it('a single wrong answer costs no part that is in place', async () => {
    let slips = 0;
    server.serve('/model.bin', (request) =>
      isRange(request) && startOf(request.headers.range ?? '') > 0 && (slips += 1) === 1
        ? { status: 206, body: 'no Content-Range' }
        : strong(request),
    );
    expect(await pull()).toMatchObject({ ok: true });
    expect(server.bytesServed('/model.bin')).toBeLessThan(content.length + 16 * MiB);
  });

  it('a file that is really shorter by now fails, and nothing of it is seen', async () => {
    const shorter = serveFile(content.subarray(0, 10 * MiB), { etag: '"v1"' });
    server.serve('/model.bin', (request) =>
      (request.method === 'HEAD' ? strong : shorter)(request),
    );
    const { ok, code } = await pull();
    expect(ok).toBe(false);
    // Which of the parallel ranges is answered first decides.
    expect(['WB_SIZE_MISMATCH', 'WB_SOURCE_CHANGED']).toContain(code);
    expect(existsSync(to)).toBe(false);
  });

  it('412 to If-Match is WB_SOURCE_CHANGED at the first answer, never retried', async () => {
    server.serve('/model.bin', (request) => (isRange(request) ? { status: 412 } : strong(request)));
    expect(await pull()).toMatchObject({ ok: false, exitCode: 8, code: 'WB_SOURCE_CHANGED' });
    expect(rangesAsked().length).toBeLessThanOrEqual(4);
  });
});

describe('rule 12: a weak pin', () => {
  const DATE = 'Thu, 01 Jan 2026 12:00:10 GMT';
  /** A file whose answer breaks off in the middle, once. */
  const broken = (headers: Record<string, string>) => {
    const isOpened = { before: false };
    return (request: CutRequest) => {
      const { etag: _etag, ...rest } = request.headers;
      const reply = serveFile(content)({ ...request, headers: rest });
      const isFirst = request.method === 'GET' && !isOpened.before;
      if (request.method === 'GET') isOpened.before = true;
      return {
        ...reply,
        headers: { ...reply.headers, Date: DATE, ...headers },
        ...(isFirst ? { cutAfterBytes: 20 * MiB } : {}),
      };
    };
  };

  it.each([
    { age: 'a second old', lastModified: 'Thu, 01 Jan 2026 12:00:09 GMT', resumes: false },
    { age: 'of the same second', lastModified: DATE, resumes: false },
    { age: 'two seconds old', lastModified: 'Thu, 01 Jan 2026 12:00:08 GMT', resumes: true },
    { age: 'from the future', lastModified: 'Thu, 01 Jan 2026 13:00:00 GMT', resumes: false },
  ])('$age by the server’s own Date: goes on in the middle: $resumes', async (one) => {
    server.serve('/model.bin', broken({ 'Last-Modified': one.lastModified }));
    expect(await pull()).toMatchObject({ ok: true });
    expect(sha256(await readFile(to))).toBe(sha256(content));
    expect(rangesAsked().some((range) => startOf(range) > 0)).toBe(one.resumes);
    const asked = server.requestsOf('/model.bin');
    expect(asked.every(({ headers }) => headers['if-match'] === undefined)).toBe(true);
  });

  it('a W/ ETag is weak: no If-Match, one stream, and no resume without a date', async () => {
    server.serve('/model.bin', broken({ ETag: 'W/"v1"' }));
    expect(await pull()).toMatchObject({ ok: true });
    expect(sha256(await readFile(to))).toBe(sha256(content));
    const asked = server.requestsOf('/model.bin');
    expect(asked.every(({ headers }) => headers['if-match'] === undefined)).toBe(true);
    expect(rangesAsked().filter((range) => startOf(range) > 0)).toEqual([]);
  });

  it('a W/ ETag that differs in the next answer is WB_SOURCE_CHANGED', async () => {
    const weak = serveFile(content);
    server.serve('/model.bin', (request) => ({
      ...weak(request),
      headers: { ...weak(request).headers, ETag: `W/"v${request.index}"` },
    }));
    expect(await pull()).toMatchObject({ ok: false, exitCode: 8, code: 'WB_SOURCE_CHANGED' });
  });

  it('a small file with a young weak pin starts again when its stream breaks', async () => {
    const small = content.subarray(0, 2 * MiB);
    let answers = 0;
    server.serve('/model.bin', (request) => {
      const reply = serveFile(small, { lastModified: DATE })(request);
      const isFirst = request.method === 'GET' && (answers += 1) === 1;
      const headers = { ...reply.headers, Date: DATE };
      return { ...reply, headers, ...(isFirst ? { cutAfterBytes: MiB } : {}) };
    });
    expect(await pull()).toMatchObject({ ok: true });
    expect(rangesAsked()).toEqual([]);
    expect(sha256(await readFile(to))).toBe(sha256(small));
  });
});

/** A server with keep-alive behind a "proxy" that damages whatever goes over its first `bad` connections. */
async function startDamagedConnections(bad: number) {
  const sockets: Socket[] = [];
  const used = new Set<number>();
  const http = createServer((request, response) => {
    const number = sockets.indexOf(request.socket);
    const body = Buffer.from(content.subarray(0, MiB));
    if (number < bad) body.writeUInt8(body.readUInt8(77) ^ 1, 77);
    if (request.method === 'GET') used.add(number);
    response.writeHead(200, { 'content-length': body.length, etag: '"v1"' });
    response.end(request.method === 'HEAD' ? undefined : body);
  });
  http.keepAliveTimeout = 60_000;
  http.on('connection', (socket) => sockets.push(socket));
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/model.bin`,
    used,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => http.close(() => resolve()));
    },
  };
}

describe('rule 17: a mismatch', () => {
  const wanted = sha256(content.subarray(0, MiB));
  const expectation = { kind: 'digest' as const, sha256: wanted };

  it('is fetched again over another connection, and ends well there', async () => {
    const damaged = await startDamagedConnections(3);
    const request = requestOf(damaged.url, to, { expect: expectation });
    const result = await pullWith(engine, request, undefined, contextOf(), 3);
    // The first connection described the file, the second and third were damaged.
    expect(result).toMatchObject({ ok: true, levels: { digest: 1 } });
    expect(sha256(await readFile(to))).toBe(wanted);
    expect(damaged.used.size).toBeGreaterThan(1);
    await damaged.stop();
  });

  it('that stays fails with both digests in the message, the receipt and the result, whatever the name', async () => {
    const damaged = await startDamagedConnections(Number.POSITIVE_INFINITY);
    to = join(root, `${'long-name-'.repeat(20)}.bin`);
    const request = requestOf(damaged.url, to, { expect: expectation });
    const result = await pullWith(engine, request, undefined, contextOf(), 3);
    const wrong = Buffer.from(content.subarray(0, MiB));
    wrong.writeUInt8(wrong.readUInt8(77) ^ 1, 77);
    expect(result).toMatchObject({ ok: false, exitCode: 6, code: 'WB_DIGEST_MISMATCH' });
    const receipt = await readFile(
      join(root, `.${to.slice(root.length + 1)}.waybill/receipt.partial.json`),
      'utf8',
    );
    for (const digest of [wanted, sha256(wrong)]) {
      expect(result.message).toContain(digest);
      expect(result.failures[0]?.message).toContain(digest);
      expect(receipt).toContain(digest);
    }
    expect(damaged.used.size).toBe(3);
    expect(existsSync(to)).toBe(false);
    await damaged.stop();
  });
});
