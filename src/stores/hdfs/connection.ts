/** Requests to the name nodes of a source: as whoever asks, and to the one that is active. */
import { WaybillError } from '../../model/errors.js';
import { percentEncodePath } from '../lib/byte-names.js';
import {
  createHttpClient,
  type HttpAnswer,
  type HttpClient,
  type HttpRequest,
} from '../lib/http-client.js';
import { cutListing, type FailedAnswer } from '../lib/service-errors.js';
import { redirectOf } from '../lib/redirects.js';
import type { Collect, StoreAddress } from '../store.js';
import type { HdfsConfig } from './config.js';
import { DeadNodes } from './dead-nodes.js';
import { errorOfAnswer, failureOf, notWebHdfs, type Asked } from './errors.js';
import type { NameService } from './name-service.js';
import { SignIns, withoutUser, type Negotiate, type Sent } from './negotiate.js';

/** Connections that data nodes and name nodes take at once without complaint, over all threads of a process. */
export const MAX_CONNECTIONS = 32;

/** A listing that does not come in pages, of a folder with a hundred thousand names. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/** A question to a file system. */
export interface HdfsRequest {
  readonly service: NameService;
  /** Absolute at the file system. */
  readonly at: string;
  readonly op: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly operation: string;
  /** Relative to the store's root, for errors. */
  readonly path: string;
  readonly signal?: AbortSignal | undefined;
}

/** An answer of a name node: a success, or a redirect that was not followed. */
export interface NodeAnswer {
  readonly answer: HttpAnswer;
  readonly sent: Sent;
}

/** The other end of a source. */
export class HdfsConnection {
  readonly http: HttpClient;
  /** By the name of the service: the name node that answered last. */
  private readonly active = new Map<string, number>();
  private readonly deadNodes = new DeadNodes();
  private readonly signIns: SignIns;

  /** @param negotiate absent: there is nobody who could */
  constructor(
    private readonly config: HdfsConfig,
    { settings, secrets, pace }: StoreAddress,
    negotiate?: Negotiate,
  ) {
    this.signIns = new SignIns(config.identity.kind === 'user' ? negotiate : undefined);
    const endpoints = config.mounts.services().flatMap((service) => service.endpoints);
    this.http = createHttpClient({
      store: 'hdfs',
      settings,
      secrets: { ...secrets, ...config.identity.secrets },
      maxConnections: MAX_CONNECTIONS,
      // Not to whatever host a name node names.
      identityOrigins: endpoints.map((one) => new URL(one).origin),
      pace,
    });
  }

  /** Asks for something in JSON; whatever is no success is thrown. */
  async ask(request: HdfsRequest): Promise<unknown> {
    const { answer, sent } = await this.send(request);
    if (answer.status >= 300) {
      answer.body.destroy();
      throw this.notWebHdfs(request, answer.url);
    }
    return this.readJson(answer, sent, request);
  }

  /** The same where a data node has the answer. */
  async askFollowing(request: HdfsRequest): Promise<unknown> {
    const { answer, sent } = await this.follow(request);
    return this.readJson(answer, sent, request);
  }

  /**
   * Sends a question, and to the data node that a name node names for it; where that one cannot be reached, to another that has
   * the file. What is no success is thrown.
   */
  async follow(request: HdfsRequest, collect?: Collect): Promise<NodeAnswer> {
    const known = this.deadNodes.query();
    const ask = (query: HdfsRequest['query']): Promise<NodeAnswer> =>
      this.followOnce({ ...request, query: { ...request.query, ...query } }, collect);
    try {
      return await ask(known);
    } catch (error) {
      request.signal?.throwIfAborted();
      const isDead = error instanceof UnreachableNode;
      if (!isDead && Object.keys(known).length === 0) throw error;
      try {
        // Of those that are passed over one may be the only one that has it.
        return await ask(isDead ? this.deadNodes.query() : {});
      } catch (second) {
        request.signal?.throwIfAborted();
        const told = isDead ? error : second;
        throw told instanceof UnreachableNode ? told.error : told;
      }
    }
  }

  private async followOnce(request: HdfsRequest, collect?: Collect): Promise<NodeAnswer> {
    // A gateway may answer itself, as HttpFS does.
    const asked = await this.send(request, collect);
    const { status, headers, url } = asked.answer;
    if (status === 200) return asked;
    asked.answer.body.destroy();
    const { location } = headers;
    if (location === undefined || status < 300) throw this.notWebHdfs(request, url);
    const next = redirectOf(
      { from: url, location, headers: asked.sent.headers, method: 'GET' },
      this.asked(request, url),
    );
    const { operation, path, signal } = request;
    const sent = {
      url: withName(next.url, request),
      headers: next.headers,
      operation,
      path,
      signal,
    };
    const answer = await this.askDataNode({
      ...sent,
      ...(collect === undefined ? {} : { collect }),
    });
    if (answer.status === 200) return { answer, sent };
    throw await this.errorOf(answer, request);
  }

  /** Throws {@link UnreachableNode}, and remembers it, where nobody answers. */
  private async askDataNode(sent: Sent): Promise<HttpAnswer> {
    try {
      return await this.http.request(sent);
    } catch (error) {
      sent.signal?.throwIfAborted();
      if (!(error instanceof WaybillError) || !mayBeElsewhere(error)) throw error;
      await this.deadNodes.add(sent.url.hostname);
      throw new UnreachableNode(error);
    }
  }

  private async readJson(
    answer: HttpAnswer,
    sent: HttpRequest,
    request: HdfsRequest,
  ): Promise<unknown> {
    const text = await this.http.readText(answer, sent, MAX_ANSWER_BYTES);
    try {
      return JSON.parse(text) as unknown;
    } catch {
      const start = { start: '{', headers: answer.headers };
      const cut = cutListing(text, start, this.asked(request, answer.url));
      throw cut ?? this.notWebHdfs(request, answer.url);
    }
  }

  /**
   * Sends a question to the name node that answered last, and where that one is a standby, or is not there, to the others.
   * A redirect is handed over, anything that is no success thrown.
   */
  async send(request: HdfsRequest, collect?: Collect): Promise<NodeAnswer> {
    const { service } = request;
    const { endpoints, name } = service;
    const first = this.active.get(name) ?? 0;
    let failure: unknown;
    for (let tried = 0; tried < endpoints.length; tried += 1) {
      const index = (first + tried) % endpoints.length;
      try {
        const found = await this.sendTo(endpoints[index] ?? '', request, collect);
        this.active.set(name, index);
        return found;
      } catch (error) {
        request.signal?.throwIfAborted();
        if (!mayBeElsewhere(error)) throw error;
        // A name node that cannot be reached says more than one that waits.
        if (failure === undefined || !(error instanceof Standby)) failure = error;
      }
    }
    if (!(failure instanceof Standby)) throw failure;
    throw endpoints.length === 1 ? failure.error : noneActive(service, failure.error);
  }

  /** The error of an answer that is no success; reads its body. */
  async errorOf(answer: HttpAnswer, request: HdfsRequest): Promise<WaybillError> {
    return errorOfAnswer(await failedOf(answer), this.asked(request, answer.url));
  }

  notWebHdfs(request: HdfsRequest, url: URL): WaybillError {
    return notWebHdfs(this.asked(request, url), this.config.placedBy);
  }

  /** What the error of an answer says besides its cause. */
  asked({ at, op, operation, path }: HdfsRequest, url: URL): Asked {
    return {
      operation,
      store: 'hdfs',
      path,
      address: `${at}: ${url.origin}`,
      identity: this.signIns.identityOr(this.config.identity),
      isListing: op.startsWith('LIST'),
    };
  }

  /** Ends all connections. */
  close(): Promise<void> {
    return this.http.close();
  }

  private async sendTo(
    endpoint: string,
    request: HdfsRequest,
    collect: Collect | undefined,
  ): Promise<NodeAnswer> {
    const plainly = this.requestOf(endpoint, request);
    const sent = { ...plainly, ...(collect === undefined ? {} : { collect }) };
    const first = await this.http.request(sent);
    const answer = await this.signIns.retried(first, { sent, http: this.http });
    this.signIns.keep(answer);
    const { status } = answer;
    if (status < 400 && status !== 304) return { answer, sent };
    const failed = await failedOf(answer);
    const error = errorOfAnswer(failed, this.asked(request, answer.url));
    const exception = failureOf(failed.body)?.exception ?? '';
    if (STANDBY.has(exception)) throw new Standby(error);
    throw error;
  }

  private requestOf(endpoint: string, request: HdfsRequest): NodeAnswer['sent'] {
    const { at, op, query = {}, operation, path, signal } = request;
    const { identity } = this.config;
    const url = new URL(endpoint);
    const base = url.pathname.replace(/\/$/, '');
    url.pathname = `${base}/webhdfs/v1${encodedPath(at, request)}`;
    url.search = new URLSearchParams({ op, ...query, ...identity.query }).toString();
    const cookie = this.signIns.cookieOf(url.origin);
    return {
      url: cookie === undefined ? url : withoutUser(url),
      headers: { ...identity.headers, ...(cookie === undefined ? {} : { cookie }) },
      operation,
      path,
      signal,
      redirects: 'never',
    };
  }
}

/** The path of a URL. WB_UNSAFE_PATH where the name cannot be told to a server. */
function encodedPath(
  at: string,
  { operation, path }: Pick<HdfsRequest, 'operation' | 'path'>,
): string {
  const isPlain = at.isWellFormed() && !/(^|\/)\.{1,2}(\/|$)/.test(at);
  if (isPlain) return percentEncodePath(at);
  const message = `the name ${JSON.stringify(path.slice(0, 200))} cannot be asked for`;
  throw new WaybillError('WB_UNSAFE_PATH', message, { operation, store: 'hdfs', path });
}

/** Java composes the accents of a name in a redirect (NFC), and the data node would look for another file. */
function withName(url: URL, request: HdfsRequest): URL {
  const isComposed = request.at.normalize('NFC') !== request.at;
  if (!isComposed || !url.pathname.startsWith('/webhdfs/v1/')) return url;
  const named = new URL(url);
  named.pathname = `/webhdfs/v1${encodedPath(request.at, request)}`;
  return named;
}

/** Of a name node that does not serve now; another one may. */
const STANDBY = new Set([
  'StandbyException',
  'RetriableException',
  'ObserverRetryOnActiveException',
]);

class Standby extends Error {
  constructor(readonly error: WaybillError) {
    super(error.message);
  }
}

/** A data node that nobody answers at. */
class UnreachableNode extends Error {
  constructor(readonly error: WaybillError) {
    super(error.message);
  }
}

function mayBeElsewhere(error: unknown): boolean {
  if (error instanceof Standby) return true;
  if (!(error instanceof WaybillError)) return false;
  return (error.code === 'WB_UNAVAILABLE' || error.code === 'WB_TIMEOUT') && error.retryable;
}

function noneActive({ name, endpoints }: NameService, cause: WaybillError): WaybillError {
  const { operation, path = '' } = cause;
  return new WaybillError(
    'WB_UNAVAILABLE',
    `none of the name nodes of ${name} is active (${endpoints.join(', ')}): ${cause.message}`,
    { operation: operation ?? 'open', store: 'hdfs', path, scope: 'source', cause },
  );
}

async function failedOf(answer: HttpAnswer): Promise<FailedAnswer> {
  const { status, headers } = answer;
  return { status, headers, body: await answer.readErrorText() };
}
