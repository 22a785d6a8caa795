/** Signed requests to one container; learns the service's clock, and that a token has ended, from refusals, once per call. */
import { WaybillError } from '../../model/errors.js';
import type { Headers } from '../lib/exchange.js';
import { createHttpClient } from '../lib/http-client.js';
import type { HttpAnswer, HttpClient } from '../lib/http-client.js';
import { learnOnce } from '../lib/learn-once.js';
import type { Refusal } from '../lib/learn-once.js';
import { encodeKey, encodeStrictly } from '../lib/object-keys.js';
import type { FailedAnswer } from '../lib/service-errors.js';
import type { CallOptions, StoreAddress } from '../store.js';
import type { AzureConfig } from './config.js';
import { azureCodeOf, errorOfAnswer, withAccount } from './errors.js';
import type { Asked } from './errors.js';
import { signSharedKey } from './signing.js';
import { TokenSource } from './tokens.js';

/** Connections that the service takes at once without complaint, over all threads of a process. */
export const MAX_CONNECTIONS = 64;

/** Names encoded in listings came with 2021-02-12; emulators and Azure Stack know this one too. */
const API_VERSION = '2021-12-02';

/** A clock that is off by less is within what the service tolerates (15 min), and may be a slow answer. */
const CLOCK_TOLERANCE_MS = 60_000;

/** One request, before it is signed. */
export interface AzureRequest extends CallOptions {
  readonly method: 'GET' | 'HEAD';
  /** '' is the container itself. */
  readonly key: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Headers;
  readonly operation: string;
  /** Relative to the store's root. */
  readonly path: string;
}

/** The container's end of a store. */
export class AzureConnection {
  readonly http: HttpClient;
  /** For those who give out tokens: the container's origins are not theirs. */
  private readonly tokensHttp: HttpClient;
  private readonly tokens: TokenSource;
  private clockOffsetMs = 0;

  constructor(
    private readonly config: AzureConfig,
    address: StoreAddress,
  ) {
    const { settings, secrets, pace } = address;
    const shared = { store: 'azure-blob', secrets } as const;
    this.http = createHttpClient({ ...shared, settings, maxConnections: MAX_CONNECTIONS, pace });
    this.tokensHttp = createHttpClient({
      ...shared,
      settings: { ...settings, WAYBILL_ORIGINS: '' },
      maxConnections: 2,
    });
    this.tokens = new TokenSource(address, config.root, this.tokensHttp);
  }

  /** Runs a call, and runs it once more if the service's refusal taught something. */
  async attempt<T>(call: (refusal: Refusal<AzureRequest>) => Promise<T>): Promise<T> {
    try {
      return await learnOnce(call, async (answer, request) => {
        const failed = await this.explain(answer, request);
        const hasLearned = this.learn(failed);
        return { error: errorOfAnswer(failed, this.asked(request, answer.url)), hasLearned };
      });
    } catch (error) {
      throw withAccount(error, this.config);
    }
  }

  /** Sends a request; whatever is no success is thrown. */
  send(request: AzureRequest): Promise<HttpAnswer> {
    return this.attempt(async (refusal) => {
      const answer = await this.sendOnce(request);
      if (answer.status >= 200 && answer.status < 300) return answer;
      throw await refusal(answer, request);
    });
  }

  /** The address of a request, with its signature where that is part of it. */
  urlOf({ key, query = {} }: AzureRequest): URL {
    const { endpoint, container, chosen } = this.config;
    const base = `${endpoint.origin}${endpoint.pathname.replace(/\/+$/, '')}`;
    const path = `${encodeStrictly(container)}${key === '' ? '' : `/${encodeKey(key, 'azure-blob')}`}`;
    const parameters = Object.entries(query).map(
      ([name, value]) => `${encodeStrictly(name)}=${encodeStrictly(value)}`,
    );
    if (chosen.credential.kind === 'sas') parameters.push(chosen.credential.query);
    return new URL(`${base}/${path}${parameters.length === 0 ? '' : `?${parameters.join('&')}`}`);
  }

  /** The headers of a request, signed for its address. */
  async sign(request: AzureRequest, url: URL, own: Headers = {}): Promise<Headers> {
    const { account, chosen } = this.config;
    const { credential } = chosen;
    const headers: Record<string, string> = {
      ...own,
      ...request.headers,
      'x-ms-version': API_VERSION,
    };
    if (credential.kind === 'key') {
      headers['x-ms-date'] = new Date(Date.now() + this.clockOffsetMs).toUTCString();
      const { method, query = {} } = request;
      headers['authorization'] = signSharedKey(account, credential.key, {
        method,
        url,
        query,
        headers,
      });
    } else if (credential.kind === 'token') {
      if (url.protocol !== 'https:') throw this.inTheClear(url);
      headers['authorization'] = `Bearer ${await this.tokens.get()}`;
    }
    return headers;
  }

  /** What an error says about a request. */
  asked(request: AzureRequest, url: URL): Asked {
    const { shownContainer, chosen } = this.config;
    const isListing = request.query?.['comp'] === 'list';
    const shown = isListing ? (request.query?.['prefix'] ?? '') : request.key;
    return {
      operation: request.operation,
      store: 'azure-blob',
      path: request.path,
      address: `${shownContainer}/${shown}: ${url.origin}`,
      isListing,
      chosen,
    };
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    await Promise.all([this.http.close(), this.tokensHttp.close()]);
  }

  private async sendOnce(request: AzureRequest): Promise<HttpAnswer> {
    const url = this.urlOf(request);
    const { method, operation, path, signal } = request;
    const headers = await this.sign(request, url);
    return this.http.request({ method, url, headers, operation, path, signal, redirects: 'never' });
  }

  /** An answer to HEAD has a code but no body: where it is about who asks, the same question as a GET says why. */
  private async explain(answer: HttpAnswer, request: AzureRequest): Promise<FailedAnswer> {
    const { status, headers } = answer;
    if (request.method === 'GET') return { status, headers, ...(await answer.readFailure()) };
    answer.body.destroy();
    if (status !== 401 && status !== 403) return { status, headers, body: '' };
    const asGet = await this.sendOnce({
      ...request,
      method: 'GET',
      headers: { ...request.headers, range: 'bytes=0-0' },
    });
    if (asGet.status !== status) {
      asGet.body.destroy();
      return { status, headers, body: '' };
    }
    return { status, headers: asGet.headers, ...(await asGet.readFailure()) };
  }

  private learn(answer: FailedAnswer): boolean {
    const { kind } = this.config.chosen.credential;
    const isRefused = azureCodeOf(answer) === 'AuthenticationFailed';
    if (kind === 'token') return (answer.status === 401 || isRefused) && this.tokens.forget();
    if (kind !== 'key' || !isRefused) return false;
    const offsetMs = Date.parse(answer.headers['date'] ?? '') - Date.now();
    if (!(Math.abs(offsetMs - this.clockOffsetMs) > CLOCK_TOLERANCE_MS)) return false;
    this.clockOffsetMs = offsetMs;
    return true;
  }

  private inTheClear(url: URL): WaybillError {
    return new WaybillError(
      'WB_CONFIG_INVALID',
      `a token is not sent to ${url.origin}, where anybody on the way could read it: use https, or set AZURE_STORAGE_KEY`,
      { operation: 'sign', store: 'azure-blob', scope: 'source' },
    );
  }
}
