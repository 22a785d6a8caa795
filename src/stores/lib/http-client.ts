/** The HTTP client that every store shares: pooled connections, proxies, TLS, redirects, errors of the table. */
import type { Dispatcher } from 'undici';
import { redactUri } from '../../model/artifact-uri.js';
import { WaybillError } from '../../model/errors.js';
import type {
  ByteBody,
  Collect,
  ConnectionSecrets,
  ConnectionSettings,
  StorePace,
} from '../store.js';
import { createDispatcher, splitProxy } from './dispatchers.js';
import { errorTextOf, readErrorBody } from './error-text.js';
import { exchange, type Headers } from './exchange.js';
import {
  guardedLookup,
  parseOrigins,
  refuseForbiddenUrl,
  refuseUnlistedOrigin,
} from './forbidden-address.js';
import {
  errorOfBody,
  errorOfNetwork,
  errorOfStatus,
  isHangUp,
  type Circumstances,
  type ProxyInUse,
} from './http-errors.js';
import { proxyFor, readProxyRules, type ProxyChoice } from './proxy.js';
import { redirectOf } from './redirects.js';
import { hideSecrets, type SentRequest } from './secret-mask.js';
import { refusalOfHandshake } from './silent-refusal.js';
import { readTimeouts, type Timeouts } from './timeouts.js';
import { isClientRefused } from './tls-errors.js';
import { readTlsSettings, type NetworkProfile, type TlsReading } from './tls.js';

/** How a client is made. */
export interface HttpClientOptions {
  /** The store's name, for errors. */
  readonly store: string;
  /** Settings by the names of NETWORK_VARIABLES; others are ignored. */
  readonly settings: ConnectionSettings;
  /** Proxy addresses with passwords under the same names. Every value is kept out of messages. */
  readonly secrets: ConnectionSecrets;
  /** Connections to one origin at once; more requests wait. */
  readonly maxConnections: number;
  /** Whose certificate variables count; default `http`. */
  readonly profile?: NetworkProfile;
  readonly timeouts?: Partial<Timeouts>;
  /** The origins that a client certificate is shown to (rule 4); absent: every one that asks for it. */
  readonly identityOrigins?: readonly string[];
  readonly pace?: StorePace | undefined;
}

/** A request. */
export interface HttpRequest {
  /** Default GET. */
  readonly method?: string;
  readonly url: string | URL;
  readonly headers?: Headers;
  readonly body?: string | Uint8Array;
  readonly signal?: AbortSignal | undefined;
  /** For errors: `stat`, `list`, `openRead`, `resolve`. */
  readonly operation: string;
  /** For errors: relative to the store's root. */
  readonly path?: string;
  /** Default `follow`, for GET and HEAD; `never` hands a 3xx to the caller. */
  readonly redirects?: 'follow' | 'never';
  readonly headersTimeoutMs?: number;
  readonly stallTimeoutMs?: number;
  /** A HEAD over a connection of its own: some servers send a body after it, which the next answer would drown in. */
  readonly isAlone?: boolean;
  /** The origin of `url` is one of the service's own, which it has named itself: it is shown a client certificate, too. */
  readonly isOfService?: boolean;
  readonly collect?: Collect;
}

/** An answer, whatever its status. The body must be read to its end or destroyed. */
export interface HttpAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Headers;
  readonly body: ByteBody;
  /** All of the body, where it was collected; then `body` need be neither read nor destroyed. */
  readonly bytes?: Buffer;
  /** Where the answer came from, after redirects; may hold secrets. */
  readonly url: URL;
  /** A redirect led to another origin, and headers that may hold credentials did not follow. */
  readonly droppedCredentials: boolean;
  /**
   * The beginning of an error's body, without the secrets of the address and of the requests that led here: the one way by
   * which a server's words get into a message (rule 3).
   */
  readonly readErrorText: () => Promise<string>;
  /** The same, and whether it broke off before its end. */
  readonly readFailure: () => Promise<{ readonly body: string; readonly isCut: boolean }>;
}

/** Made per thread and per store; holds connections. */
export interface HttpClient {
  /** Sends a request and follows redirects. Throws WB_UNAVAILABLE, WB_TIMEOUT, ... where no answer comes. */
  request(request: HttpRequest): Promise<HttpAnswer>;
  /** As `request`, but a status outside 200 to 299 is thrown as the table has it. */
  requestOk(request: HttpRequest): Promise<HttpAnswer>;
  /** The error of an answer that is no success; reads its body. */
  errorOf(answer: HttpAnswer, request: HttpRequest): Promise<WaybillError>;
  /** Reads a body as UTF-8. More than `maxBytes` is WB_LIMIT_EXCEEDED. */
  readText(answer: HttpAnswer, request: HttpRequest, maxBytes: number): Promise<string>;
  /** Ends all connections, those in use too. May be called twice. */
  close(): Promise<void>;
}

/** As long a chain as curl and browsers in practice need. */
const MAX_REDIRECTS = 10;

/** A limit at which as many bytes are taken at once leaves hardly any to one connection of many. */
const THROTTLED_BYTES = 1_024;

/** Of redirects to ever other hosts not each is remembered. */
const MAX_ORIGINS_KNOWN = 64;

/** Makes a client. A wrong setting is WB_CONFIG_INVALID; no request is made. */
export function createHttpClient(options: HttpClientOptions): HttpClient {
  return new UndiciClient(options);
}

class UndiciClient implements HttpClient {
  private readonly dispatchers = new Map<string, Dispatcher>();
  private readonly proxies;
  private readonly tls: TlsReading;
  private readonly timeouts: Timeouts;
  private readonly origins: readonly string[];
  /** Origins that were heard of: undefined of one that has answered, of one that hung up instead what a look at it has found. */
  private readonly heard = new Map<string, Promise<unknown> | undefined>();
  /** Origins that were looked at and may be asked. */
  private readonly allowed = new Set<string>();

  constructor(private readonly options: HttpClientOptions) {
    const { settings, secrets } = options;
    this.timeouts = { ...readTimeouts(settings), ...options.timeouts };
    this.origins = parseOrigins(settings['WAYBILL_ORIGINS']);
    this.proxies = readProxyRules(settings, secrets);
    this.tls = readTlsSettings(settings, secrets, options.profile ?? 'http');
  }

  async request(request: HttpRequest): Promise<HttpAnswer> {
    let url = this.parse(request);
    let headers = withDefaults(request.headers ?? {});
    let droppedCredentials = false;
    const sent: SentRequest[] = [];
    for (let hops = 0; ; hops += 1) {
      this.checkOrigin(url);
      sent.push({ url, headers });
      const answer = await this.send(request, url, headers);
      const next = request.redirects === 'never' ? undefined : answer.headers['location'];
      if (next === undefined || ![301, 302, 303, 307, 308].includes(answer.status)) {
        const readFailure = async (): Promise<{ body: string; isCut: boolean }> => {
          const { text, isCut } = await readErrorBody(answer.body);
          return { body: hideSecrets(text, this.options.secrets, sent), isCut };
        };
        return {
          status: answer.status,
          headers: answer.headers,
          get body() {
            return answer.body;
          },
          ...(answer.bytes === undefined ? {} : { bytes: answer.bytes }),
          url,
          droppedCredentials,
          readErrorText: async () => (await readFailure()).body,
          readFailure,
        };
      }
      answer.body.destroy();
      const where = this.whereOf(request, url);
      if (hops === MAX_REDIRECTS) throw tooMany(where);
      const redirect = redirectOf(
        { from: url, location: next, headers, method: request.method ?? 'GET' },
        where,
      );
      droppedCredentials ||= redirect.droppedCredentials;
      ({ url, headers } = redirect);
    }
  }

  async requestOk(request: HttpRequest): Promise<HttpAnswer> {
    const answer = await this.request(request);
    if (answer.status >= 200 && answer.status < 300) return answer;
    throw await this.errorOf(answer, request);
  }

  async errorOf(answer: HttpAnswer, request: HttpRequest): Promise<WaybillError> {
    const text = request.method === 'HEAD' ? '' : errorTextOf(await answer.readErrorText());
    const where = {
      ...this.whereOf(request, answer.url),
      droppedCredentials: answer.droppedCredentials,
    };
    return errorOfStatus({ status: answer.status, headers: answer.headers, text }, where);
  }

  async readText(answer: HttpAnswer, request: HttpRequest, maxBytes: number): Promise<string> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of answer.body as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes <= maxBytes) continue;
      const { address, operation, store } = this.whereOf(request, answer.url);
      const message = `${address} sends more than ${maxBytes} bytes where a list was expected`;
      throw new WaybillError('WB_LIMIT_EXCEEDED', message, { operation, store });
    }
    return Buffer.concat(chunks).toString('utf8');
  }

  async close(): Promise<void> {
    const open = [...this.dispatchers.values()];
    this.dispatchers.clear();
    await Promise.all(open.map((dispatcher) => dispatcher.destroy()));
  }

  private checkOrigin(url: URL): void {
    const { origin } = url;
    if (this.allowed.has(origin)) return;
    refuseForbiddenUrl(url);
    refuseUnlistedOrigin(url, this.origins);
    if (this.allowed.size < MAX_ORIGINS_KNOWN) this.allowed.add(origin);
  }

  private async send(request: HttpRequest, url: URL, headers: Headers) {
    const { method = 'GET', body, signal, headersTimeoutMs, stallTimeoutMs } = request;
    signal?.throwIfAborted();
    await this.options.pace?.beforeRequest(signal);
    try {
      const answer = await exchange(
        this.dispatcherFor(request, url),
        {
          method,
          url,
          headers,
          ...(body === undefined ? {} : { body }),
          ...(signal === undefined ? {} : { signal }),
          ...(request.collect === undefined ? {} : { collect: request.collect }),
          // Said with each request: not every kind of dispatcher takes them for all.
          headersTimeoutMs: headersTimeoutMs ?? this.timeouts.headersMs,
          stallTimeoutMs: stallTimeoutMs ?? this.timeouts.stallMs,
          isThrottled: (this.options.pace?.quantumBytes() ?? Infinity) < THROTTLED_BYTES,
          // Behind a proxy the next answer may be another origin's.
          keepsConnection:
            method === 'HEAD' &&
            request.isAlone !== true &&
            proxyFor(this.proxies, url) === undefined,
        },
        // Where it was is told when something fails: of thousands of requests nothing is written down.
        (failure) => errorOfBody(failure, this.whereOf(request, url)),
      );
      if (url.protocol === 'https:') this.hear(url.origin, undefined);
      return answer;
    } catch (error) {
      signal?.throwIfAborted();
      throw errorOfNetwork(
        (await this.refusalOf(request, url, error)) ?? error,
        this.whereOf(request, url),
      );
    }
  }

  /** A server that hangs up and has never answered is asked once whether it is for want of a client certificate. */
  private refusalOf(request: HttpRequest, url: URL, error: unknown): Promise<unknown> | undefined {
    const { origin } = url;
    if (!isHangUp(error) || url.protocol !== 'https:') return undefined;
    if (proxyFor(this.proxies, url)) return undefined;
    if (this.heard.has(origin)) return this.heard.get(origin);
    const { withIdentity, withoutIdentity } = this.tls.byTls12;
    const tls = this.showsIdentity(request, url) ? withIdentity : withoutIdentity;
    const handshake = { tls, timeoutMs: this.timeouts.connectMs, lookup: guardedLookup };
    const asked = refusalOfHandshake(url, handshake).then((refusal) =>
      isClientRefused(refusal) ? refusal : undefined,
    );
    this.hear(origin, asked);
    return asked;
  }

  private hear(origin: string, found: Promise<unknown> | undefined): void {
    if (this.heard.size < MAX_ORIGINS_KNOWN || this.heard.has(origin))
      this.heard.set(origin, found);
  }

  private dispatcherFor(request: HttpRequest, url: URL): Dispatcher {
    const proxy = proxyFor(this.proxies, url)?.address;
    const hasIdentity = this.showsIdentity(request, url);
    const isPlain = url.protocol === 'http:';
    const way = `${hasIdentity ? 'known' : 'unknown'} ${proxy ?? ''} ${isPlain ? 'plain' : ''}`;
    const found = this.dispatchers.get(way);
    if (found) return found;
    const made = createDispatcher(
      {
        proxy,
        tls: hasIdentity ? this.tls.withIdentity : this.tls.withoutIdentity,
        // A certificate that says who one is to the source is nothing to the proxy.
        proxyTls: this.tls.withoutIdentity,
        isPlain,
      },
      {
        maxConnections: this.options.maxConnections,
        timeouts: this.timeouts,
        lookup: guardedLookup,
        pace: this.options.pace,
      },
    );
    this.dispatchers.set(way, made);
    return made;
  }

  private showsIdentity(request: HttpRequest, { origin }: URL): boolean {
    if (!this.tls.hasIdentity) return false;
    if (this.options.identityOrigins?.includes(origin) ?? true) return true;
    return request.isOfService === true && new URL(request.url).origin === origin;
  }

  private parse(request: HttpRequest): URL {
    const url = typeof request.url === 'string' ? parsed(request.url) : request.url;
    if (url?.protocol === 'http:' || url?.protocol === 'https:') return url;
    throw new WaybillError(
      'WB_USAGE',
      `${redactUri(String(request.url))} is not an http or https address`,
      {
        operation: request.operation,
        store: this.options.store,
      },
    );
  }

  private whereOf(request: HttpRequest, url: URL): Circumstances {
    const proxy = proxyFor(this.proxies, url);
    return {
      operation: request.operation,
      store: this.options.store,
      address: shownAddress(request, url),
      trust: this.tls.trust,
      hasIdentity: this.showsIdentity(request, url),
      ...(proxy === undefined ? {} : { proxy: shownProxy(proxy) }),
      ...(request.path === undefined ? {} : { path: request.path }),
    };
  }
}

function parsed(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}

/** The query of a redirect is the server's own: whatever its names, it may be a ticket. */
function shownAddress(request: HttpRequest, url: URL): string {
  const isAsked = new URL(request.url).href === url.href;
  return isAsked ? redactUri(url.href) : `${url.origin}${url.pathname}`;
}

function shownProxy({ address, variable }: ProxyChoice): ProxyInUse {
  const split = splitProxy(address);
  const shown = `${split.address.protocol}//${split.address.host}`;
  return { address: shown, variable, hasPassword: split.authorization !== undefined };
}

function withDefaults(headers: Headers): Headers {
  const all: Record<string, string> = { 'accept-encoding': 'identity', 'user-agent': 'waybill' };
  for (const [name, value] of Object.entries(headers)) all[name.toLowerCase()] = value;
  return all;
}

function tooMany(where: Circumstances): WaybillError {
  const { address, operation, store } = where;
  const message = `${address} redirects more than ${MAX_REDIRECTS} times`;
  return new WaybillError('WB_UNAVAILABLE', message, {
    operation,
    store,
    retryable: false,
    scope: 'file',
  });
}
