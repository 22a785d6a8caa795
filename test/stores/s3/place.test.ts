import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { WaybillError } from '../../../src/model/errors.js';
import { readS3Config } from '../../../src/stores/s3/config.js';
import { findPlace, inRegion, urlOf } from '../../../src/stores/s3/place.js';
import type { ConnectionSettings, Store } from '../../../src/stores/store.js';
import { startMinio } from '../../helpers/minio.js';
import type { Minio } from '../../helpers/minio.js';
import { listAll, readAll } from '../conformance/expectations.js';
import { openS3 } from './testbed.js';

const CONFIG_FILES = { AWS_CONFIG_FILE: '/dev/null', AWS_SHARED_CREDENTIALS_FILE: '/dev/null' };

async function addressOf(uri: string, settings: ConnectionSettings): Promise<string> {
  const config = readS3Config({ uri, settings: { ...CONFIG_FILES, ...settings }, secrets: {} });
  return urlOf(await findPlace(config), config.bucket, config.rootKey, {}).href;
}

describe('the address of an object', () => {
  it.each([
    [{}, 's3://models/a b', 'https://models.s3.us-east-1.amazonaws.com/a%20b'],
    [{ AWS_REGION: 'eu-west-1' }, 's3a://m-1/k', 'https://m-1.s3.eu-west-1.amazonaws.com/k'],
    [{ AWS_REGION: 'cn-north-1' }, 's3://m-1/k', 'https://m-1.s3.cn-north-1.amazonaws.com.cn/k'],
    // A dot in a bucket's name is not covered by the wildcard certificate.
    [{}, 's3://my.models/k', 'https://s3.us-east-1.amazonaws.com/my.models/k'],
    [
      { AWS_S3_FORCE_PATH_STYLE: 'true' },
      's3n://m-1/k',
      'https://s3.us-east-1.amazonaws.com/m-1/k',
    ],
    [{ AWS_ENDPOINT_URL: 'http://minio:9000' }, 's3://m-1/k', 'http://minio:9000/m-1/k'],
    [{ AWS_ENDPOINT_URL: 'https://h/s3/' }, 's3://m-1/k+1?#%', 'https://h/s3/m-1/k%2B1%3F%23%25'],
    [
      { AWS_ENDPOINT_URL: 'http://minio', MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE: 'virtual' },
      's3://m-1/k',
      'http://m-1.minio/k',
    ],
    [
      {
        AWS_ENDPOINT_URL: 'http://all',
        AWS_ENDPOINT_URL_S3: 'http://s3',
        MLFLOW_S3_ENDPOINT_URL: '',
      },
      's3://m-1/k',
      'http://s3/m-1/k',
    ],
  ])('under %j, %s is %s', async (settings, uri, expected) => {
    expect(await addressOf(uri, settings as ConnectionSettings)).toBe(expected);
  });

  it('follows the region that the service names', async () => {
    const config = readS3Config({ uri: 's3://m-1/k', settings: CONFIG_FILES, secrets: {} });
    const place = inRegion(await findPlace(config), 'ap-south-1');
    expect(urlOf(place, 'm-1', 'k', {}).href).toBe('https://m-1.s3.ap-south-1.amazonaws.com/k');
  });

  it.each([
    ['s3://', {}, 'WB_USAGE'],
    ['s3:models', {}, 'WB_USAGE'],
    ['s3://a', {}, 'WB_USAGE'],
    ['s3://key:secret@models/x', {}, 'WB_USAGE'],
    ['s3://models', { AWS_REGION: 'evil.example/' }, 'WB_CONFIG_INVALID'],
    ['s3://models', { AWS_ENDPOINT_URL: 'minio:9000' }, 'WB_CONFIG_INVALID'],
    ['s3://models', { AWS_ENDPOINT_URL: 'https://u:p@minio' }, 'WB_CONFIG_INVALID'],
    ['s3://models', { MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE: 'sideways' }, 'WB_CONFIG_INVALID'],
  ])('%s under %j is refused before anything is sent', (uri, settings, code) => {
    const read = (): unknown =>
      readS3Config({ uri, settings: settings as ConnectionSettings, secrets: {} });
    expect(read).toThrow(WaybillError);
    try {
      read();
    } catch (error) {
      expect(error).toMatchObject({ code });
      expect(String(error)).not.toMatch(/secret|u:p/);
    }
  });

  it('rule 3: keys inside the URI, split off by the caller, are refused and not shown', () => {
    const secrets = { username: 'AKIA', password: 'hidden' };
    const read = (): unknown => readS3Config({ uri: 's3://models', settings: {}, secrets });
    expect(read).toThrow('credentials in an S3 URI are not taken');
  });
});

describe('a service in another region', () => {
  let minio: Minio;
  let store: Store | undefined;
  beforeAll(async () => {
    minio = await startMinio({
      env: { MINIO_SITE_REGION: 'eu-central-7', MINIO_DOMAIN: 's3.test' },
    });
    // The test's own client signs for us-east-1, which this server refuses.
    minio.client.config.region = () => Promise.resolve('eu-central-7');
    await minio.createBucket('elsewhere');
    await minio.putObject('elsewhere', 'a/file', 'from elsewhere');
  }, 300_000);
  afterEach(async () => {
    jest.restoreAllMocks();
    await store?.close();
  });
  afterAll(() => minio.stop());

  it.each(['list', 'stat', 'openRead'])('is found by its refusal on %s', async (operation) => {
    store = await openS3(minio, 's3://elsewhere');
    if (operation === 'list') expect(await listAll(store, 'a', true)).toHaveLength(1);
    if (operation === 'stat') expect(await store.stat('a/file')).toMatchObject({ sizeBytes: 14 });
    if (operation === 'openRead') {
      expect((await readAll(store, 'a/file')).toString()).toBe('from elsewhere');
    }
  });

  it('rule 34: is read although the clock of this machine is an hour wrong', async () => {
    store = await openS3(minio, 's3://elsewhere', { settings: { AWS_REGION: 'eu-central-7' } });
    const now = Date.now;
    jest.spyOn(Date, 'now').mockImplementation(() => now() + 3_600_000);
    expect((await readAll(store, 'a/file')).toString()).toBe('from elsewhere');
    expect(await store.stat('a/file')).toMatchObject({ kind: 'file' });
  });

  it('is reached through a proxy, by the virtual host of the bucket', async () => {
    const seen: string[] = [];
    const proxy = createServer((request, response) => {
      const url = new URL(request.url ?? '');
      seen.push(url.host);
      const target = { host: '127.0.0.1', port: minio.port, method: request.method };
      const { headers } = request;
      const onward = httpRequest(
        { ...target, path: url.pathname + url.search, headers },
        (answer) => {
          response.writeHead(answer.statusCode ?? 500, answer.headers);
          answer.pipe(response);
        },
      );
      request.pipe(onward);
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const { port } = proxy.address() as AddressInfo;
    store = await openS3(minio, 's3://elsewhere', {
      settings: {
        AWS_ENDPOINT_URL: `http://s3.test:${minio.port}`,
        AWS_REGION: 'eu-central-7',
        MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE: 'virtual',
        HTTP_PROXY: `http://127.0.0.1:${port}`,
      },
    });
    expect((await listAll(store, '', true)).map(({ path }) => path)).toEqual(['a/file']);
    expect((await readAll(store, 'a/file')).toString()).toBe('from elsewhere');
    expect(new Set(seen)).toEqual(new Set([`elsewhere.s3.test:${minio.port}`]));
    await store.close();
    await new Promise<void>((resolve) => proxy.close(() => resolve()));
  });
});
