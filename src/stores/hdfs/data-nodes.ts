/** Questions that a data node answers: to the one that a name node names, or where nobody is there, to another that has the file. */
import { WaybillError } from '../../model/errors.js';
import type { HttpAnswer, HttpClient } from '../lib/http-client.js';
import { redirectOf } from '../lib/redirects.js';
import type { Collect } from '../store.js';
import { DeadNodes } from './dead-nodes.js';
import type { NameNodes } from './name-nodes.js';
import type { Sent } from './negotiate.js';
import type { Refusals } from './refusals.js';
import { mayBeElsewhere, urlPathOf, type HdfsRequest, type NodeAnswer } from './request.js';

/** How a question to a data node is followed. */
export interface FollowOptions {
  readonly collect?: Collect | undefined;
  /** Hears which node is asked, and how, before it is; again where that one cannot be reached, and another is. */
  readonly onNamed?: ((sent: Sent) => void) | undefined;
}

/** The data nodes of a source, whichever they are. */
export class DataNodes {
  private readonly deadNodes = new DeadNodes();

  constructor(
    private readonly http: HttpClient,
    private readonly nameNodes: NameNodes,
    private readonly refusals: Refusals,
    /** They want to see a client certificate: one of a name node that was itself asked over TLS gets it. */
    private readonly wantCertificate: boolean,
  ) {}

  /**
   * Sends a question, and to the data node that a name node names for it; where that one cannot be reached, to another that has
   * the file. What is no success is thrown.
   */
  async follow(request: HdfsRequest, options: FollowOptions = {}): Promise<NodeAnswer> {
    const known = this.deadNodes.query();
    const ask = (query: HdfsRequest['query']): Promise<NodeAnswer> =>
      this.followOnce({ ...request, query: { ...request.query, ...query } }, options);
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

  /**
   * Puts another question about a file to the data node that a name node has named for it, which saves asking that one again.
   * @param named what a node was sent that has the file
   */
  async askNamed(named: Sent, request: HdfsRequest): Promise<NodeAnswer> {
    const { operation, path, signal } = request;
    const url = new URL(named.url);
    url.searchParams.set('op', request.op);
    const sent = { ...named, url, operation, path, signal };
    const answer = await this.http.request(sent);
    if (answer.status === 200) return { answer, sent };
    throw await this.refusals.errorOf(answer, request);
  }

  private async followOnce(
    request: HdfsRequest,
    { collect, onNamed }: FollowOptions,
  ): Promise<NodeAnswer> {
    // A gateway may answer itself, as HttpFS does.
    const asked = await this.nameNodes.send(request, collect);
    const { status, headers, url } = asked.answer;
    if (status === 200) return asked;
    asked.answer.body.destroy();
    const { location } = headers;
    if (location === undefined || status < 300) throw this.refusals.notWebHdfs(request, url);
    const next = redirectOf(
      { from: url, location, headers: asked.sent.headers, method: 'GET' },
      this.refusals.asked(request, url),
    );
    const { operation, path, signal } = request;
    const sent = {
      url: withName(next.url, request),
      headers: next.headers,
      operation,
      path,
      signal,
      isOfService: this.wantCertificate && url.protocol === 'https:',
    };
    // Where a gateway hides what its own addresses mean, nothing else can be made of them.
    if (next.url.searchParams.get('op') === request.op) onNamed?.(sent);
    const answer = await this.askDataNode({
      ...sent,
      ...(collect === undefined ? {} : { collect }),
    });
    if (answer.status === 200) return { answer, sent };
    throw await this.refusals.errorOf(answer, request);
  }

  /** Throws {@link UnreachableNode}, and remembers it, where nobody answers. */
  private async askDataNode(sent: Sent): Promise<HttpAnswer> {
    try {
      return await this.http.request(sent);
    } catch (error) {
      sent.signal?.throwIfAborted();
      if (!mayBeElsewhere(error)) throw isShy(sent, error) ? withAdvice(sent, error) : error;
      await this.deadNodes.add(sent.url.hostname);
      throw new UnreachableNode(error);
    }
  }
}

/** It was asked over TLS without a certificate, and says that it wants one. */
function isShy(sent: Sent, error: unknown): error is WaybillError {
  const isRefused = error instanceof WaybillError && error.code === 'WB_UNAUTHENTICATED';
  return isRefused && sent.url.protocol === 'https:' && sent.isOfService !== true;
}

function withAdvice({ operation, path }: Sent, error: WaybillError): WaybillError {
  const { code, message, scope, retryable } = error;
  const advice =
    'a data node is shown one only where hdfs-site.xml (HADOOP_CONF_DIR) says dfs.client.https.need-auth = true';
  const about = { operation, store: 'hdfs', ...(path === undefined ? {} : { path }) };
  return new WaybillError(code, `${message}; ${advice}`, {
    ...about,
    ...{ scope, retryable, cause: error },
  });
}

/** A data node that nobody answers at. */
class UnreachableNode extends Error {
  constructor(readonly error: WaybillError) {
    super(error.message);
  }
}

/** Java composes the accents of a name in a redirect (NFC), and the data node would look for another file. */
function withName(url: URL, request: HdfsRequest): URL {
  const isComposed = request.at.normalize('NFC') !== request.at;
  if (!isComposed || !url.pathname.startsWith('/webhdfs/v1/')) return url;
  const named = new URL(url);
  named.pathname = urlPathOf(request);
  return named;
}
