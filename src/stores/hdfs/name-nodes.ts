/** Questions to the name nodes of a source: as whoever asks, and to the one that is active. */
import { WaybillError } from '../../model/errors.js';
import type { HttpClient } from '../lib/http-client.js';
import type { Collect } from '../store.js';
import { errorOfAnswer, failureOf } from './errors.js';
import type { HdfsIdentity } from './identity.js';
import type { NameService } from './name-service.js';
import { withoutUser, type SignIns } from './negotiate.js';
import { failedOf, type Refusals } from './refusals.js';
import { mayBeElsewhere, urlPathOf, type HdfsRequest, type NodeAnswer } from './request.js';

/** Of a name node that does not serve now; another one may. */
const STANDBY = new Set([
  'StandbyException',
  'RetriableException',
  'ObserverRetryOnActiveException',
]);

/** The name nodes of all the file systems of a source. */
export class NameNodes {
  /** By the name of the service: the name node that answered last. */
  private readonly active = new Map<string, number>();

  constructor(
    private readonly http: HttpClient,
    private readonly identity: HdfsIdentity,
    private readonly signIns: SignIns,
    private readonly refusals: Refusals,
  ) {}

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
        const isStandby = error instanceof Standby;
        if (!isStandby && !mayBeElsewhere(error)) throw error;
        // A name node that cannot be reached says more than one that waits.
        if (failure === undefined || !isStandby) failure = error;
      }
    }
    if (!(failure instanceof Standby)) throw failure;
    throw endpoints.length === 1 ? failure.error : noneActive(service, failure.error);
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
    const error = errorOfAnswer(failed, this.refusals.asked(request, answer.url));
    const exception = failureOf(failed.body)?.exception ?? '';
    if (STANDBY.has(exception)) throw new Standby(error);
    throw error;
  }

  private requestOf(endpoint: string, request: HdfsRequest): NodeAnswer['sent'] {
    const { op, query = {}, operation, path, signal } = request;
    const { identity } = this;
    const url = new URL(endpoint);
    url.pathname = url.pathname.replace(/\/$/, '') + urlPathOf(request);
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

class Standby extends Error {
  constructor(readonly error: WaybillError) {
    super(error.message);
  }
}

function noneActive({ name, endpoints }: NameService, cause: WaybillError): WaybillError {
  const { operation, path = '' } = cause;
  return new WaybillError(
    'WB_UNAVAILABLE',
    `none of the name nodes of ${name} is active (${endpoints.join(', ')}): ${cause.message}`,
    { operation: operation ?? 'open', store: 'hdfs', path, scope: 'source', cause },
  );
}
