import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { guardPath } from '../../../src/model/object-path.js';
import { s3 } from '../../../src/stores/s3/index.js';
import { CircleDetector } from '../../../src/stores/lib/list-objects.js';
import { decodeListed } from '../../../src/stores/s3/keys.js';
import type { Store } from '../../../src/stores/store.js';
import { listAll } from '../conformance/expectations.js';

let server: Server | undefined;
let store: Store | undefined;

afterEach(async () => {
  await store?.close();
  await new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve()));
});

/** A store before a service that answers as no real one can be made to. */
async function before(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<Store> {
  const made = createServer(answer);
  server = made;
  await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve));
  const { port } = made.address() as AddressInfo;
  store = await s3.open({
    uri: 's3://bucket/root',
    settings: { AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`, AWS_REGION: 'us-east-1' },
    secrets: { AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE', AWS_SECRET_ACCESS_KEY: 'wJalrXUtnFEMI' },
  });
  return store;
}

const xml = (inner: string): string =>
  `<?xml version="1.0"?>\n<ListBucketResult>${inner}</ListBucketResult>`;
const object = (key: string): string =>
  `<Contents><Key>${key}</Key><Size>1</Size><ETag>&quot;e&quot;</ETag></Contents>`;
const more = (token: string): string =>
  `<IsTruncated>true</IsTruncated><NextContinuationToken>${token}</NextContinuationToken>`;
const error = (code: string, message: string): string =>
  `<Error><Code>${code}</Code><Message>${message}</Message></Error>`;

function send(response: ServerResponse, status: number, body: string, headers = {}): void {
  response.writeHead(status, { 'x-amz-request-id': '1', ...headers });
  response.end(body);
}

describe('a listing that cannot be trusted', () => {
  it('rule 24: that repeats a page token ends with an error', async () => {
    let pages = 0;
    const listing = await before((_, response) => {
      pages += 1;
      send(response, 200, xml(object('root/a') + more(`t${pages % 3}`)));
    });
    await expect(listAll(listing, '', true)).rejects.toMatchObject({
      code: 'WB_UNAVAILABLE',
      retryable: false,
    });
    expect(pages).toBeLessThan(20);
  });

  it('rule 24: that promises a page without a token ends with an error', async () => {
    const listing = await before((_, response) =>
      send(response, 200, xml(`${object('root/a')}<IsTruncated>true</IsTruncated>`)),
    );
    await expect(listAll(listing, '', true)).rejects.toMatchObject({ code: 'WB_UNAVAILABLE' });
  });

  it('that holds keys outside the prefix ends with an error', async () => {
    const listing = await before((_, response) => send(response, 200, xml(object('other/a'))));
    await expect(listAll(listing, '', true)).rejects.toMatchObject({ code: 'WB_UNAVAILABLE' });
  });

  it.each([
    ['a page of a console', '<html><body>MinIO Console</body></html>'],
    ['a page cut in the middle', xml(object('root/a')).slice(0, -20)],
    ['nothing', ''],
  ])('that is %s is no empty folder', async (_, body) => {
    const listing = await before((__, response) => send(response, 200, body));
    await expect(listAll(listing, '', true)).rejects.toMatchObject({ code: 'WB_CONFIG_INVALID' });
  });

  it('rule 21: hands hostile names on as they are, for the guard to refuse', async () => {
    const names = ['root/../up', 'root//double', 'root/%FF', 'root/a%5Cb'];
    const listing = await before((_, response) =>
      send(response, 200, xml(`<EncodingType>url</EncodingType>${names.map(object).join('')}`)),
    );
    const paths = (await listAll(listing, '', true)).map(({ path }) => path);
    expect(paths).toHaveLength(4);
    for (const path of paths) expect(() => guardPath(path)).toThrow('is refused');
  });
});

describe('a service that is none', () => {
  it('a web page instead of an object is never a model', async () => {
    const console = await before((_, response) => {
      response.writeHead(200, { 'content-type': 'text/html' });
      response.end('<html>');
    });
    await expect(console.stat('model')).rejects.toMatchObject({ code: 'WB_CONFIG_INVALID' });
    await expect(console.openRead('model')).rejects.toMatchObject({ code: 'WB_CONFIG_INVALID' });
  });

  it('a web page that says 404 is no missing object', async () => {
    const console = await before((_, response) => {
      response.writeHead(404, { 'content-type': 'text/html' });
      response.end('<html>not here</html>');
    });
    await expect(console.openRead('model')).rejects.toMatchObject({ code: 'WB_CONFIG_INVALID' });
    await expect(console.stat('model')).rejects.toMatchObject({ code: 'WB_CONFIG_INVALID' });
  });
});

describe('refusals of S3 that MinIO does not make', () => {
  it.each([
    [503, 'SlowDown', 'Please reduce your request rate.', 'WB_RATE_LIMITED', 'source', true],
    [503, 'ServiceUnavailable', 'Please reduce', 'WB_RATE_LIMITED', 'source', true],
    [500, 'InternalError', 'We encountered', 'WB_UNAVAILABLE', 'source', true],
    [400, 'ExpiredToken', 'The provided token has expired.', 'WB_UNAUTHENTICATED', 'source', true],
    [403, 'InvalidObjectState', 'archived', 'WB_PERMISSION_DENIED', 'file', false],
    [403, 'AccessDenied', 'Access Denied', 'WB_PERMISSION_DENIED', 'file', false],
    [400, 'KMS.DisabledException', 'disabled', 'WB_PERMISSION_DENIED', 'file', false],
    [400, 'InvalidRequest', 'SSE-C keys are needed', 'WB_UNSUPPORTED', 'file', false],
    [301, 'PermanentRedirect', 'must be addressed', 'WB_CONFIG_INVALID', 'source', false],
    [409, 'SomethingNew', 'words', 'WB_UNAVAILABLE', 'file', false],
  ])('%i %s', async (status, code, message, expected, scope, retryable) => {
    const refusing = await before((_, response) =>
      send(response, status, error(code, `${message} AKIDEXAMPLE`), { 'retry-after': '3' }),
    );
    for (const call of [() => refusing.openRead('model'), () => refusing.stat('model')]) {
      const failure: unknown = await call().catch((reason: unknown) => reason);
      expect(failure).toMatchObject({
        code: expected,
        scope,
        retryable,
        store: 's3',
        path: 'model',
      });
      expect(String(failure)).toMatch(new RegExp(`${code}|HTTP 503`));
      expect(String(failure)).toContain('s3://bucket/root/model');
      expect(String(failure)).not.toMatch(/AKIDEXAMPLE|wJalr|Signature=/);
      if (expected === 'WB_RATE_LIMITED') expect(failure).toMatchObject({ retryAfterMs: 3_000 });
    }
  });

  it('a redirect to another region is followed once, and keys go to no address that an answer names', async () => {
    const regions: string[] = [];
    const moved = await before((request, response) => {
      regions.push(
        /\/([a-z0-9-]+)\/s3\/aws4_request/.exec(request.headers.authorization ?? '')?.[1] ?? '',
      );
      const region = regions.length % 2 === 1 ? 'eu-west-9' : 'eu-west-8';
      const headers = { 'x-amz-bucket-region': region, location: 'http://127.0.0.1:1/' };
      send(response, 301, error('PermanentRedirect', 'elsewhere'), headers);
    });
    await expect(moved.openRead('model')).rejects.toMatchObject({ code: 'WB_CONFIG_INVALID' });
    expect(regions).toEqual(['us-east-1', 'eu-west-9']);
  });

  it('an object whose pin is not answered is refused as changed', async () => {
    const lax = await before((_, response) => send(response, 200, 'bytes', { etag: '"two"' }));
    const pin = { strength: 'strong', value: 'etag:"one"' } as const;
    await expect(lax.openRead('model', { pin })).rejects.toMatchObject({
      code: 'WB_SOURCE_CHANGED',
    });
  });
});

describe('the encoding of listed names', () => {
  it.each([
    ['a+b', 'a b'],
    ['a%2Bb', 'a+b'],
    ['a%0Ab', 'a\nb'],
    ['%F0%9F%9A%80', '🚀'],
    ['a%2520', 'a%20'],
    ['%FFx', '\udcffx'],
  ])('%s is %j', (listed, name) => expect(decodeListed(listed)).toBe(name));
});

describe('the detector of circles', () => {
  it.each([1, 2, 7, 100])('finds one of length %i', (length) => {
    const circle = new CircleDetector();
    let steps = 0;
    while (!circle.hasSeen(`t${steps % length}`)) steps += 1;
    expect(steps).toBeGreaterThanOrEqual(length);
    expect(steps).toBeLessThan(4 * length + 4);
  });

  it('finds none where there is none', () => {
    const circle = new CircleDetector();
    for (let step = 0; step < 10_000; step += 1) expect(circle.hasSeen(`t${step}`)).toBe(false);
  });
});
