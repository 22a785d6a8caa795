/** Signatures of requests, against those of the AWS SDK's own signer. */
import { createHash, createHmac } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { SignatureV4 } from '@smithy/signature-v4';
import type { StaticCredentials } from '../../../src/stores/s3/config.js';
import { encodeKey, encodeStrictly } from '../../../src/stores/lib/object-keys.js';
import { Signer, type UnsignedRequest } from '../../../src/stores/s3/signing.js';

const KEYS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCY' };
const MIDNIGHT = Date.UTC(2026, 11, 31, 23, 59, 59, 500);

/** The hash that the SDK's signer asks for. */
class Sha256 {
  private readonly state;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.state =
      secret === undefined
        ? createHash('sha256')
        : createHmac('sha256', typeof secret === 'string' ? secret : bytesOf(secret));
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.state.update(typeof data === 'string' ? data : bytesOf(data));
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.state.digest());
  }

  reset(): void {
    throw new Error('nobody resets it');
  }
}

function bytesOf(data: ArrayBuffer | ArrayBufferView): Uint8Array {
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
}

async function signedBySdk(
  { method, url, query, headers }: UnsignedRequest,
  credentials: StaticCredentials,
  at: Date,
): Promise<Record<string, string>> {
  const signer = new SignatureV4({
    service: 's3',
    region: 'eu-central-1',
    credentials,
    sha256: Sha256,
    uriEscapePath: false,
    applyChecksum: false,
  });
  const emptySha256 = createHash('sha256').digest('hex');
  const signed = await signer.sign(
    {
      method,
      protocol: url.protocol,
      hostname: url.hostname,
      path: url.pathname,
      query: { ...query },
      headers: { ...headers, host: url.host, 'x-amz-content-sha256': emptySha256 },
    },
    { signingDate: at },
  );
  const { host: _host, ...rest } = signed.headers;
  return rest;
}

function requestOf(
  key: string,
  query: Record<string, string> = {},
  headers: Record<string, string> = {},
): UnsignedRequest {
  const search = Object.entries(query)
    .map(([name, value]) => `${encodeStrictly(name)}=${encodeStrictly(value)}`)
    .join('&');
  const url = new URL(
    `http://127.0.0.1:9000/bucket/${encodeKey(key, 's3')}${search && `?${search}`}`,
  );
  return { method: 'GET', url, query, headers };
}

const REQUESTS: readonly (readonly [string, UnsignedRequest])[] = [
  ['a plain key', requestOf('models/1/model.bin')],
  ['odd names', requestOf("a b/ü+é/(x)*!'~%2e&=?#;/\u{1F600}")],
  [
    'a listing',
    requestOf('', {
      prefix: 'a b/é+&=',
      'list-type': '2',
      'continuation-token': 'x/y+z==',
      delimiter: '/',
      'encoding-type': 'url',
      empty: '',
    }),
  ],
  [
    'a range with a condition',
    requestOf('f', {}, { range: 'bytes=5-10', 'if-match': '"abc-2"', 'x-amz-checksum-mode': 'ON' }),
  ],
  ['values with spaces', requestOf('f', {}, { 'x-amz-request-payer': '  a   b\t c ' })],
  ['a HEAD', { ...requestOf('f'), method: 'HEAD' }],
];

describe('a signature', () => {
  for (const [name, request] of REQUESTS) {
    it(`is the one that the SDK makes, of ${name}`, async () => {
      const at = new Date(MIDNIGHT);
      const wanted = await signedBySdk(request, KEYS, at);
      expect(new Signer(KEYS, 'eu-central-1').sign(request, at)).toEqual(wanted);
    });
  }

  it('is made anew with each second and each day, and carries the token of a session', async () => {
    const keys = { ...KEYS, sessionToken: 'a+token/==' };
    const signer = new Signer(keys, 'eu-central-1');
    const request = requestOf('models/1/model.bin');
    const found = new Set<string | undefined>();
    for (const afterMs of [0, 499, 500, 1_500, 0]) {
      const at = new Date(MIDNIGHT + afterMs);
      const signed = signer.sign(request, at);
      expect(signed).toEqual(await signedBySdk(request, keys, at));
      found.add(signed['authorization']);
    }
    expect(found.size).toBe(3);
  });
});
