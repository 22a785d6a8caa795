/** Signature Version 4 over requests of our own, so that no SDK is loaded where bytes are read. */
import { createHash, createHmac } from 'node:crypto';
import type { Hash, Hmac } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import type { Checksum, SourceData } from '@smithy/types';
import type { StaticCredentials } from './config.js';

/** SHA-256 of no bytes: the body of every request that this store makes. */
const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

/** A request to sign. Its URL's path and query are signed as they stand, so they must be encoded strictly. */
export interface UnsignedRequest {
  readonly method: 'GET' | 'HEAD';
  readonly url: URL;
  /** Query parameters, not encoded; the URL has the same ones. */
  readonly query: Readonly<Record<string, string>>;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Signs requests with one pair of keys for one region; signing keys are derived once a day. */
export class Signer {
  private readonly signer: SignatureV4;

  constructor(credentials: StaticCredentials, region: string) {
    this.signer = new SignatureV4({
      service: 's3',
      region,
      credentials,
      sha256: NodeSha256,
      // S3 alone signs the path as it is sent.
      uriEscapePath: false,
      applyChecksum: false,
    });
  }

  /** The request's headers with those that carry the signature. */
  async sign(request: UnsignedRequest, at: Date): Promise<Record<string, string>> {
    const { url } = request;
    const signed = await this.signer.sign(
      {
        method: request.method,
        protocol: url.protocol,
        hostname: url.hostname,
        ...(url.port === '' ? {} : { port: Number(url.port) }),
        path: url.pathname,
        query: { ...request.query },
        headers: { ...request.headers, host: url.host, 'x-amz-content-sha256': EMPTY_SHA256 },
      },
      { signingDate: at },
    );
    return signed.headers;
  }
}

/** The hash that the signer asks for, on node:crypto: several times faster than one in JavaScript. */
class NodeSha256 implements Checksum {
  private state: Hash | Hmac;

  constructor(private readonly secret?: SourceData) {
    this.state = this.fresh();
  }

  update(data: SourceData): void {
    this.state.update(bytesOf(data));
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.state.digest());
  }

  reset(): void {
    this.state = this.fresh();
  }

  private fresh(): Hash | Hmac {
    return this.secret === undefined
      ? createHash('sha256')
      : createHmac('sha256', bytesOf(this.secret));
  }
}

function bytesOf(data: SourceData): string | Uint8Array {
  if (typeof data === 'string') return data;
  if (ArrayBuffer.isView(data))
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return new Uint8Array(data);
}
