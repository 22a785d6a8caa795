/**
 * The requests by which the AWS SDK gets temporary keys (STS, SSO), sent by Waybill's own HTTP client: the same proxies,
 * authorities and client certificates as for the bucket.
 */
import type { Readable } from 'node:stream';
import type { HttpClient } from '../lib/http-client.js';
import { KeptFailure } from '../lib/kept-failure.js';

/** A request of the SDK, as far as it is looked at. */
export interface SdkRequest {
  readonly method: string;
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number | undefined;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | string[] | null>> | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** What the SDK reads of an answer. */
export interface SdkResponse {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  readonly body: Readable;
}

/** A `requestHandler` of the SDK's clients. */
export class AwsRequests extends KeptFailure {
  readonly metadata = { handlerProtocol: 'http/1.1' };

  constructor(private readonly http: HttpClient) {
    super();
  }

  async handle(
    request: SdkRequest,
    options: { readonly abortSignal?: unknown } = {},
  ): Promise<{ response: SdkResponse }> {
    const { method, headers, body } = request;
    const { abortSignal } = options;
    return this.keeping(async () => {
      const answer = await this.http.request({
        method,
        url: urlOf(request),
        headers,
        ...(typeof body === 'string' || body instanceof Uint8Array ? { body } : {}),
        ...(abortSignal instanceof AbortSignal ? { signal: abortSignal } : {}),
        operation: 'sign',
        redirects: 'never',
      });
      const { status: statusCode, body: readable } = answer;
      return { response: { statusCode, headers: { ...answer.headers }, body: readable } };
    });
  }

  /** The SDK asks; there is nothing of its own to set. */
  updateHttpClientConfig(): void {}

  httpHandlerConfigs(): Record<string, never> {
    return {};
  }

  /** The client is the store's, and ends with it. */
  destroy(): void {}
}

function urlOf({ protocol, hostname, port, path, query = {} }: SdkRequest): URL {
  const host = hostname.includes(':') && !hostname.startsWith('[') ? `[${hostname}]` : hostname;
  const url = new URL(`${protocol}//${host}${port === undefined ? '' : `:${port}`}${path}`);
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((one) => {
      const key = encodeURIComponent(name);
      return one === null ? key : `${key}=${encodeURIComponent(one)}`;
    }),
  );
  if (pairs.length > 0) url.search = pairs.join('&');
  return url;
}
