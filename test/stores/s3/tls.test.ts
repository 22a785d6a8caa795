import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import type { Server } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startMinio } from '../../helpers/minio.js';
import type { Minio } from '../../helpers/minio.js';
import { openS3 } from './testbed.js';

let minio: Minio;
let terminator: Server;
let endpoint: string;
let folder: string;

const certificateFile = (): string => join(folder, 'public.crt');

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'waybill-tls-'));
  const keyFile = join(folder, 'private.key');
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=127.0.0.1'],
      ...['-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', keyFile, '-out', certificateFile()],
    ],
    { stdio: 'ignore' },
  );
  minio = await startMinio();
  const keys = { key: readFileSync(keyFile), cert: readFileSync(certificateFile()) };
  terminator = createServer(keys, (client) => {
    const upstream = connect(minio.port, '127.0.0.1');
    client.pipe(upstream).pipe(client);
    for (const socket of [client, upstream]) socket.on('error', () => client.destroy());
  });
  terminator.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => terminator.listen(0, '127.0.0.1', resolve));
  endpoint = `https://127.0.0.1:${(terminator.address() as AddressInfo).port}`;
}, 300_000);

afterAll(async () => {
  await minio.stop();
  await new Promise<void>((resolve) => terminator.close(() => resolve()));
  rmSync(folder, { recursive: true, force: true });
});

describe('a service behind TLS', () => {
  it('is not trusted with a certificate that nobody vouches for, which no retry mends', async () => {
    const settings = { AWS_ENDPOINT_URL: endpoint };
    const store = await openS3(minio, 's3://no-such-bucket', { settings });
    await expect(store.stat('')).rejects.toMatchObject({
      code: 'WB_UNAVAILABLE',
      retryable: false,
    });
    await store.close();
  });

  it.each([
    ['AWS_CA_BUNDLE', certificateFile],
    ['MLFLOW_S3_IGNORE_TLS', () => 'true'],
  ])('is trusted through %s', async (name, value) => {
    const settings = { AWS_ENDPOINT_URL: endpoint, [name]: value() };
    const store = await openS3(minio, 's3://no-such-bucket', { settings });
    await expect(store.stat('')).rejects.toMatchObject({ code: 'WB_NOT_FOUND' });
    await store.close();
  });
});
