/** Requests to one bucket, with whatever access there is; asks for a new token once where the old one is refused. */
import type { WaybillError } from '../../model/errors.js';
import type { Headers } from '../lib/exchange.js';
import { createHttpClient } from '../lib/http-client.js';
import type { HttpClient } from '../lib/http-client.js';
import { learnOnce } from '../lib/learn-once.js';
import type { Refusal } from '../lib/learn-once.js';
import { encodeStrictly } from '../lib/object-keys.js';
import { cutListing } from '../lib/service-errors.js';
import type { FailedAnswer } from '../lib/service-errors.js';
import type { CallOptions, StoreAddress } from '../store.js';
import type { GcsConfig } from './config.js';
import { createCredentialSource } from './credentials.js';
import type { Access, CredentialSource } from './credentials.js';
import { errorOfAnswer, noBucket, notGcs, saysBucketIsMissing } from './errors.js';
import type { Asked } from './errors.js';

/** Connections that Google takes at once without complaint, over all threads of a process. */
export const MAX_CONNECTIONS = 64;

/** A page of 1,000 objects, whose names have up to 1,024 bytes each, written with escapes. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

/** One request, before it is known who asks. */
export interface GcsRequest extends CallOptions {
  /** `list`: the objects of the bucket; `describe` and `media`: one object, and its bytes. */
  readonly what: 'list' | 'describe' | 'media';
  /** The object's name; of a listing what messages name. */
  readonly key: string;
  readonly query: Readonly<Record<string, string>>;
  readonly operation: string;
  /** Relative to the store's root. */
  readonly path: string;
}

/** The bucket's end of a store. */
export class GcsConnection {
  readonly http: HttpClient;
  /** For those who give out tokens: the bucket's origin is not theirs. */
  private readonly tokenHttp: HttpClient;
  private readonly source: CredentialSource;
  private access: Access | undefined;

  constructor(
    private readonly config: GcsConfig,
    { settings, secrets, pace }: StoreAddress,
  ) {
    const shared = { store: 'gcs', secrets };
    this.http = createHttpClient({ ...shared, settings, maxConnections: MAX_CONNECTIONS, pace });
    this.tokenHttp = createHttpClient({
      ...shared,
      settings: { ...settings, WAYBILL_ORIGINS: '' },
      maxConnections: 2,
    });
    this.source = createCredentialSource(config, this.tokenHttp);
  }

  /** Runs a call, and runs it once more if the service did not accept a token that may have ended before its time. */
  attempt<T>(call: (refusal: Refusal<GcsRequest>) => Promise<T>): Promise<T> {
    return learnOnce(call, async (answer, request) => {
      const { status, headers } = answer;
      const failed: FailedAnswer = { status, headers, ...(await answer.readFailure()) };
      const asked = this.asked(request);
      const hasLearned = status === 401 && this.source.forget();
      const isBucket = status === 404 && (await this.isBucketMissing(failed, request));
      const error = isBucket ? noBucket(this.config.bucket, asked) : errorOfAnswer(failed, asked);
      return { error, hasLearned };
    });
  }

  /** Asks for something in JSON; whatever is no success is thrown. */
  ask(request: GcsRequest): Promise<unknown> {
    return this.attempt(async (refusal) => {
      const url = this.urlOf(request);
      const { operation, path, signal } = request;
      const headers = await this.headersOf();
      const sent = { url, headers, operation, path, signal, redirects: 'never' } as const;
      const answer = await this.http.request(sent);
      if (answer.status < 200 || answer.status >= 300) throw await refusal(answer, request);
      const text = await this.http.readText(answer, sent, MAX_ANSWER_BYTES);
      try {
        return JSON.parse(text) as unknown;
      } catch {
        const start = { start: '{', headers: answer.headers };
        throw cutListing(text, start, this.asked(request)) ?? this.notGcs(request);
      }
    });
  }

  /** The address of a request. */
  urlOf({ what, key, query }: GcsRequest): URL {
    const { bucket, place } = this.config;
    const api = what === 'media' ? '/download/storage/v1' : '/storage/v1';
    const object = what === 'list' ? '' : `/${encodeStrictly(key)}`;
    const search = Object.entries(query)
      .map(([name, value]) => `${name}=${encodeStrictly(value)}`)
      .join('&');
    return new URL(
      `${place.endpoint}${api}/b/${encodeStrictly(bucket)}/o${object}${search === '' ? '' : `?${search}`}`,
    );
  }

  /** The headers of a request: its own, and those that say who asks. */
  async headersOf(own: Headers = {}): Promise<Headers> {
    this.access = await this.source.get();
    return { ...own, ...this.access.headers };
  }

  /** The error of an answer that is no answer of Cloud Storage. */
  notGcs(request: GcsRequest): WaybillError {
    return notGcs(this.asked(request), this.config.place.variable);
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    await Promise.all([this.http.close(), this.tokenHttp.close()]);
  }

  private asked({ what, key, operation, path }: GcsRequest): Asked {
    const { bucket, place } = this.config;
    return {
      operation,
      store: 'gcs',
      path,
      address: `gs://${bucket}/${key}: ${new URL(place.endpoint).origin}`,
      isListing: what === 'list',
      ...(this.access === undefined ? {} : { access: this.access }),
    };
  }

  /** A listing of what has no objects is empty: whatever is missing then is the bucket. */
  private async isBucketMissing(answer: FailedAnswer, request: GcsRequest): Promise<boolean> {
    if (request.what === 'list') return true;
    const said = saysBucketIsMissing(answer);
    if (said !== undefined) return said;
    const { operation, path, signal } = request;
    const sent = {
      url: this.urlOf({ ...request, what: 'list', query: { maxResults: '1', fields: 'kind' } }),
      headers: await this.headersOf(),
      operation,
      path,
      signal,
      redirects: 'never',
    } as const;
    const listed = await this.http.request(sent);
    listed.body.destroy();
    return listed.status === 404;
  }
}
