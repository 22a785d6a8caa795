/**
 * Signature Version 4 over requests of our own, so that no SDK is loaded where bytes are read, and a small file does not pay
 * for a general one. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
import { createHmac, hash } from 'node:crypto';
import type { StaticCredentials } from './config.js';
import { encodeStrictly } from '../lib/object-keys.js';

/** SHA-256 of no bytes: the body of every request that this store makes. */
const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

const ALGORITHM = 'AWS4-HMAC-SHA256';

/** A request to sign. Its URL's path and query are signed as they stand, so they must be encoded strictly. */
export interface UnsignedRequest {
  readonly method: 'GET' | 'HEAD';
  readonly url: URL;
  /** Query parameters, not encoded; the URL has the same ones. */
  readonly query: Readonly<Record<string, string>>;
  /** Lower-case names. All of them are signed. */
  readonly headers: Readonly<Record<string, string>>;
}

/** What is the same for all requests of a day. */
interface Day {
  /** `20261126`. */
  readonly date: string;
  readonly scope: string;
  readonly key: Buffer;
}

/** Signs requests with one pair of keys for one region; signing keys are derived once a day. */
export class Signer {
  private day: Day | undefined;
  private moment = { second: Number.NaN, text: '' };

  constructor(
    private readonly credentials: StaticCredentials,
    private readonly region: string,
  ) {}

  /** The request's headers with those that carry the signature; without `host`, which the client writes. */
  sign({ method, url, query, headers }: UnsignedRequest, at: Date): Record<string, string> {
    const { accessKeyId, sessionToken } = this.credentials;
    const time = this.timeOf(at);
    const day = this.dayOf(time.slice(0, 8));
    const signed: Record<string, string> = { ...headers };
    signed['x-amz-content-sha256'] = EMPTY_SHA256;
    signed['x-amz-date'] = time;
    if (sessionToken !== undefined) signed['x-amz-security-token'] = sessionToken;
    // S3 alone signs the path as it is sent.
    let canonical = `${method}\n${url.pathname}\n${canonicalQuery(query)}\n`;
    const names = [...Object.keys(signed), 'host'].sort();
    for (const name of names) {
      canonical += `${name}:${canonicalValue(name === 'host' ? url.host : (signed[name] ?? ''))}\n`;
    }
    const signedNames = names.join(';');
    canonical += `\n${signedNames}\n${EMPTY_SHA256}`;
    const toSign = `${ALGORITHM}\n${time}\n${day.scope}\n${hash('sha256', canonical)}`;
    const signature = createHmac('sha256', day.key).update(toSign).digest('hex');
    signed['authorization'] =
      `${ALGORITHM} Credential=${accessKeyId}/${day.scope}, SignedHeaders=${signedNames}, Signature=${signature}`;
    return signed;
  }

  /** `20261126T190102Z`; thousands of requests a second have the same one. */
  private timeOf(at: Date): string {
    const second = Math.floor(at.getTime() / 1_000);
    if (second !== this.moment.second) {
      this.moment = { second, text: at.toISOString().replace(/[-:]|\.\d+/g, '') };
    }
    return this.moment.text;
  }

  private dayOf(date: string): Day {
    if (this.day?.date !== date) {
      const { region } = this;
      let key: Buffer = Buffer.from(`AWS4${this.credentials.secretAccessKey}`);
      for (const part of [date, region, 's3', 'aws4_request']) {
        key = createHmac('sha256', key).update(part).digest();
      }
      this.day = { date, scope: `${date}/${region}/s3/aws4_request`, key };
    }
    return this.day;
  }
}

function canonicalQuery(query: Readonly<Record<string, string>>): string {
  return Object.entries(query)
    .map(([name, value]) => `${encodeStrictly(name)}=${encodeStrictly(value)}`)
    .sort()
    .join('&');
}

function canonicalValue(value: string): string {
  return value.trim().replace(/\s+/g, ' ');
}
