/** The other end of a source: its name nodes and data nodes, over connections that they share. */
import type { WaybillError } from '../../model/errors.js';
import { createHttpClient, type HttpClient } from '../lib/http-client.js';
import { cutListing } from '../lib/service-errors.js';
import type { StoreAddress } from '../store.js';
import type { HdfsConfig } from './config.js';
import { DataNodes, type FollowOptions } from './data-nodes.js';
import { NameNodes } from './name-nodes.js';
import { SignIns, type Negotiate, type Sent } from './negotiate.js';
import { Refusals } from './refusals.js';
import type { HdfsRequest, NodeAnswer } from './request.js';

/** Connections that data nodes and name nodes take at once without complaint, over all threads of a process. */
export const MAX_CONNECTIONS = 32;

/** A listing that does not come in pages, of a folder with a hundred thousand names. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/** Asks a source. */
export class HdfsConnection {
  private readonly http: HttpClient;
  private readonly refusals: Refusals;
  private readonly nameNodes: NameNodes;
  private readonly dataNodes: DataNodes;

  /** @param negotiate absent: there is nobody who could */
  constructor(
    config: HdfsConfig,
    { settings, secrets, pace }: StoreAddress,
    negotiate?: Negotiate,
  ) {
    const { identity, dataNodesWantCertificate } = config;
    const signIns = new SignIns(identity.kind === 'user' ? negotiate : undefined);
    const endpoints = config.mounts.services().flatMap((service) => service.endpoints);
    this.http = createHttpClient({
      store: 'hdfs',
      settings,
      secrets: { ...secrets, ...identity.secrets },
      maxConnections: MAX_CONNECTIONS,
      // Not to whatever host a name node names, unless the cluster is known to want it.
      identityOrigins: endpoints.map((one) => new URL(one).origin),
      pace,
    });
    this.refusals = new Refusals(config, signIns);
    this.nameNodes = new NameNodes(this.http, identity, signIns, this.refusals);
    this.dataNodes = new DataNodes(
      this.http,
      this.nameNodes,
      this.refusals,
      dataNodesWantCertificate,
    );
  }

  /** Asks for something in JSON; whatever is no success is thrown. */
  async ask(request: HdfsRequest): Promise<unknown> {
    const found = await this.nameNodes.send(request);
    const { status, body, url } = found.answer;
    if (status < 300) return this.readJson(found, request);
    body.destroy();
    throw this.notWebHdfs(request, url);
  }

  /** The same where a data node has the answer. */
  async askFollowing(request: HdfsRequest): Promise<unknown> {
    return this.readJson(await this.follow(request), request);
  }

  /** The same of a data node that has been named for another question about the same file. */
  async askNamed(named: Sent, request: HdfsRequest): Promise<unknown> {
    return this.readJson(await this.dataNodes.askNamed(named, request), request);
  }

  /** Asks for something that a data node has; whatever is no success is thrown. */
  follow(request: HdfsRequest, options?: FollowOptions): Promise<NodeAnswer> {
    return this.dataNodes.follow(request, options);
  }

  notWebHdfs(request: HdfsRequest, url: URL): WaybillError {
    return this.refusals.notWebHdfs(request, url);
  }

  /** Ends all connections. */
  close(): Promise<void> {
    return this.http.close();
  }

  private async readJson({ answer, sent }: NodeAnswer, request: HdfsRequest): Promise<unknown> {
    const text = await this.http.readText(answer, sent, MAX_ANSWER_BYTES);
    try {
      return JSON.parse(text) as unknown;
    } catch {
      const start = { start: '{', headers: answer.headers };
      const cut = cutListing(text, start, this.refusals.asked(request, answer.url));
      throw cut ?? this.notWebHdfs(request, answer.url);
    }
  }
}
