/** Which level a file behind HTTP reaches by the checksums in its answers. */
import { createHash, randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { TransferEngine } from '../../../src/transfer/api.js';
import { checksumOf } from '../../helpers/checksums.js';
import { serveFile, startCutServer, type CutServer } from '../../helpers/cut-server.js';
import { engineOf, pullWith, requestOf, scratch } from '../../helpers/engine.js';

const MiB = 1024 * 1024;
const SMALL = randomBytes(5_000);
const LARGE = randomBytes(33 * MiB);

let engine: TransferEngine;
let server: CutServer;
let root: string;
let count = 0;

beforeAll(async () => {
  root = await scratch('levels');
  engine = engineOf();
  server = await startCutServer();
});
afterAll(async () => {
  await engine.close();
  await server.stop();
  await rm(root, { recursive: true, force: true });
});

const base64 = (name: string, bytes: Buffer): string =>
  createHash(name).update(bytes).digest('base64');
const crc32c = (bytes: Buffer): string =>
  Buffer.from(checksumOf('crc32c', bytes), 'hex').toString('base64');

async function pull(bytes: Buffer, headers: Record<string, string>) {
  count += 1;
  const file = serveFile(bytes, { etag: '"v1"' });
  const path = `/${count}/model.bin`;
  server.serve(path, (request) => {
    const reply = file(request);
    const isWhole = reply.status === 200;
    // Content-MD5 and Content-Digest speak of the bytes of their own message.
    const own = Object.entries(headers).filter(
      ([name]) => isWhole || !/^content-(md5|digest)$/i.test(name),
    );
    return { ...reply, headers: { ...reply.headers, ...Object.fromEntries(own) } };
  });
  const to = join(root, `to-${count}`);
  return pullWith(engine, requestOf(`${server.url}${path}`, to));
}

describe.each([
  ['small', SMALL],
  ['large', LARGE],
])('rule 32: the level of a %s file', (_size, bytes) => {
  it.each<[string, string, Record<string, string>]>([
    ['Content-MD5', 'provider', { 'Content-MD5': base64('md5', bytes) }],
    ['Digest: md5', 'provider', { Digest: `md5=${base64('md5', bytes)}` }],
    ['Digest: sha', 'provider', { Digest: `SHA=${base64('sha1', bytes)}` }],
    ['Repr-Digest: crc32c', 'provider', { 'Repr-Digest': `crc32c=:${crc32c(bytes)}:` }],
    ['Digest: sha-256', 'published', { Digest: `SHA-256=${base64('sha256', bytes)}` }],
    [
      'Repr-Digest: sha-256',
      'published',
      { 'Repr-Digest': `sha-256=:${base64('sha256', bytes)}:` },
    ],
    ['an unknown algorithm', 'size', { 'Repr-Digest': 'sha-3=:AAAA:' }],
    ['a digest of the wrong length', 'size', { 'Repr-Digest': 'sha-256=:AAAA:' }],
    ['no base64', 'size', { 'Content-MD5': 'not base64 at all' }],
  ])('with %s is %s', async (_header, level, headers) => {
    expect(await pull(bytes, headers)).toMatchObject({ ok: true, levels: { [level]: 1 } });
  });

  it('with a checksum that does not fit is exit 6, whatever was asked for', async () => {
    const wrong = base64('md5', Buffer.from('other'));
    expect(await pull(bytes, { 'Content-MD5': wrong })).toMatchObject({
      exitCode: 6,
      code: 'WB_DIGEST_MISMATCH',
    });
  });
});

it('a Content-MD5 of the empty body of an answer to HEAD is not taken for the file’s', async () => {
  const file = serveFile(LARGE, { etag: '"v1"' });
  server.serve('/head/model.bin', (request) => {
    const reply = file(request);
    const md5 = { 'Content-MD5': base64('md5', Buffer.alloc(0)) };
    return request.method === 'HEAD' ? { ...reply, headers: { ...reply.headers, ...md5 } } : reply;
  });
  const request = requestOf(`${server.url}/head/model.bin`, join(root, 'head'));
  expect(await pullWith(engine, request)).toMatchObject({ ok: true, levels: { size: 1 } });
});
