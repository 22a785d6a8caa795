/** Signed requests to one bucket; learns the bucket's region and the service's clock from refusals, once per call. */
import type { Headers } from '../lib/exchange.js';
import { createHttpClient } from '../lib/http-client.js';
import type { HttpAnswer, HttpClient } from '../lib/http-client.js';
import { learnOnce } from '../lib/learn-once.js';
import type { Refusal } from '../lib/learn-once.js';
import type { FailedAnswer } from '../lib/service-errors.js';
import type { CallOptions, StoreAddress } from '../store.js';
import { isRegion } from './config.js';
import type { S3Config, StaticCredentials } from './config.js';
import { createCredentialSource } from './credentials.js';
import type { CredentialSource } from './credentials.js';
import { elementOf, errorOfAnswer, s3CodeOf } from './errors.js';
import type { Asked } from './errors.js';
import { findPlace, inRegion, urlOf } from './place.js';
import type { Place } from './place.js';
import { Signer } from './signing.js';

/** Connections that S3 services take at once without complaint, over all threads of a process. */
export const MAX_CONNECTIONS = 64;

/** A clock that is off by less is within what every service tolerates (15 min), and may be a slow answer. */
const CLOCK_TOLERANCE_MS = 60_000;

/** Statuses that need no words; and a service that asks for fewer requests is not asked once more why. */
const SELF_EXPLAINING: ReadonlySet<number> = new Set([404, 405, 412, 416, 429, 503]);

/** One request, before it is signed. */
export interface S3Request extends CallOptions {
  readonly method: 'GET' | 'HEAD';
  /** '' is the bucket itself. */
  readonly key: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Headers;
  readonly operation: string;
  /** Relative to the store's root. */
  readonly path: string;
}

/** A request with its signature. */
export interface SignedRequest {
  readonly url: URL;
  readonly headers: Headers;
}

/** The bucket's end of a store. */
export class S3Connection {
  readonly http: HttpClient;
  /** For those who give out keys: the bucket's origins are not theirs. */
  private readonly keysHttp: HttpClient;
  private readonly source: CredentialSource;
  private found: Promise<Place> | undefined;
  private signer: { of: StaticCredentials; region: string; signer: Signer } | undefined;
  private clockOffsetMs = 0;

  constructor(
    private readonly config: S3Config,
    address: StoreAddress,
  ) {
    const { settings, secrets, pace } = address;
    const shared = { store: 's3', secrets, profile: 's3' } as const;
    this.http = createHttpClient({
      ...shared,
      settings: config.ignoresTls ? { ...settings, MLFLOW_S3_IGNORE_TLS: 'true' } : settings,
      maxConnections: MAX_CONNECTIONS,
      pace,
    });
    this.keysHttp = createHttpClient({
      ...shared,
      settings: { ...settings, WAYBILL_ORIGINS: '', MLFLOW_S3_IGNORE_TLS: '' },
      maxConnections: 2,
    });
    this.source = createCredentialSource(config, this.keysHttp);
  }

  /**
   * Runs a call, and runs it once more if the service's refusal taught something: the bucket's region, the right time,
   * that temporary keys have ended. `refusal` gives the error to throw for an answer that is no success.
   */
  attempt<T>(call: (refusal: Refusal<S3Request>) => Promise<T>): Promise<T> {
    return learnOnce(call, async (answer, request) => {
      const failed = await this.explain(answer, request);
      const hasLearned = await this.learn(failed);
      return { error: errorOfAnswer(failed, this.asked(request, answer.url)), hasLearned };
    });
  }

  /** Sends a request; whatever is no success is thrown. */
  send(request: S3Request): Promise<HttpAnswer> {
    return this.attempt(async (refusal) => {
      const answer = await this.sendOnce(request);
      if (answer.status >= 200 && answer.status < 300) return answer;
      throw await refusal(answer, request);
    });
  }

  /** The address of a request. */
  async urlOf({ key, query = {} }: S3Request): Promise<URL> {
    this.found ??= findPlace(this.config);
    return urlOf(await this.found, this.config.bucket, key, query);
  }

  /** The headers of a request, signed for its address. */
  async sign(request: S3Request, url: URL, own: Headers = {}): Promise<Headers> {
    const { expectedBucketOwner, requestPayer } = this.config;
    const headers: Record<string, string> = { ...own, ...request.headers };
    if (expectedBucketOwner !== undefined)
      headers['x-amz-expected-bucket-owner'] = expectedBucketOwner;
    if (requestPayer !== undefined) headers['x-amz-request-payer'] = requestPayer;
    const credentials = await this.source.get();
    if (credentials === undefined) return headers;
    const signer = await this.signerOf(credentials);
    const { method, query = {} } = request;
    const now = new Date(Date.now() + this.clockOffsetMs);
    return signer.sign({ method, url, query, headers }, now);
  }

  /** What an error says about a request. */
  asked(request: S3Request, url: URL): Asked {
    const { bucket } = this.config;
    const isListing = request.query?.['list-type'] !== undefined;
    const shown = isListing ? (request.query?.['prefix'] ?? '') : request.key;
    return {
      operation: request.operation,
      store: 's3',
      path: request.path,
      address: `s3://${bucket}/${shown}: ${url.origin}`,
      isListing,
      isAnonymous: this.config.isAnonymous,
    };
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    await Promise.all([this.http.close(), this.keysHttp.close()]);
  }

  private async sendOnce(request: S3Request): Promise<HttpAnswer> {
    const url = await this.urlOf(request);
    const { method, operation, path, signal } = request;
    const headers = await this.sign(request, url);
    return this.http.request({ method, url, headers, operation, path, signal, redirects: 'never' });
  }

  /** An answer to HEAD has no body to say why: the same question as a GET of one byte has. */
  private async explain(answer: HttpAnswer, request: S3Request): Promise<FailedAnswer> {
    const { status, headers } = answer;
    if (request.method === 'GET') return { status, headers, ...(await answer.readFailure()) };
    answer.body.destroy();
    if (SELF_EXPLAINING.has(status)) return { status, headers, body: '' };
    const asGet = await this.sendOnce({
      ...request,
      method: 'GET',
      headers: { ...request.headers, range: 'bytes=0-0' },
    });
    if (asGet.status < 300) {
      asGet.body.destroy();
      return { status, headers, body: '' };
    }
    return { status: asGet.status, headers: asGet.headers, ...(await asGet.readFailure()) };
  }

  private async learn(answer: FailedAnswer): Promise<boolean> {
    const place = await (this.found ?? findPlace(this.config));
    const region = answer.headers['x-amz-bucket-region'] ?? elementOf(answer.body, 'Region');
    const isMisplaced = [301, 307, 400, 403].includes(answer.status);
    if (isMisplaced && region !== undefined && isRegion(region) && region !== place.region) {
      this.found = Promise.resolve(inRegion(place, region));
      return true;
    }
    const code = s3CodeOf(answer);
    if (code === 'RequestTimeTooSkewed') {
      const offsetMs = Date.parse(answer.headers['date'] ?? '') - Date.now();
      if (!(Math.abs(offsetMs - this.clockOffsetMs) > CLOCK_TOLERANCE_MS)) return false;
      this.clockOffsetMs = offsetMs;
      return true;
    }
    return code === 'ExpiredToken' || code === 'InvalidAccessKeyId' ? this.source.forget() : false;
  }

  private async signerOf(credentials: StaticCredentials): Promise<Signer> {
    this.found ??= findPlace(this.config);
    const { region } = await this.found;
    if (this.signer?.of !== credentials || this.signer.region !== region) {
      this.signer = { of: credentials, region, signer: new Signer(credentials, region) };
    }
    return this.signer.signer;
  }
}
