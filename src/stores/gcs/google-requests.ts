/**
 * The requests by which google-auth-library gets tokens, sent by Waybill's own HTTP client: the same proxies, authorities and
 * client certificates as for the bucket, and no retry of the library's own (rule 6).
 */
import type { gaxios } from 'google-auth-library';
import type { HttpClient } from '../lib/http-client.js';
import { KeptFailure } from '../lib/kept-failure.js';

/** Where the library asks for the token of a service account. */
export const GOOGLE_TOKEN_URL = 'https://oauth2.googleapis.com/token';

/** Far more than any token is long. */
const MAX_ANSWER_BYTES = 1024 * 1024;

/** An `adapter` of the library's clients. */
export class GoogleRequests extends KeptFailure {
  /** @param tokenUri where a service account's file says that tokens are asked for, if not at Google's usual address */
  constructor(
    private readonly http: HttpClient,
    readonly tokenUri: string | undefined,
  ) {
    super();
  }

  readonly adapter = async <T>(
    options: gaxios.GaxiosOptionsPrepared,
  ): Promise<gaxios.GaxiosResponse<T>> => {
    // Who fails here is asked again by whoever owns retries.
    delete options.retryConfig;
    options.retry = false;
    const url =
      options.url.href === GOOGLE_TOKEN_URL ? (this.tokenUri ?? options.url) : options.url;
    const { body, method = 'GET', signal } = options;
    const headers = new Headers(options.headers);
    if (body instanceof URLSearchParams && !headers.has('content-type')) {
      headers.set('content-type', 'application/x-www-form-urlencoded');
    }
    const request = {
      method,
      url,
      headers: Object.fromEntries(headers),
      ...(body === undefined || body === null ? {} : { body: textOf(body) }),
      ...(signal instanceof AbortSignal ? { signal } : {}),
      operation: 'sign',
      redirects: 'never',
    } as const;
    return this.keeping(async () => {
      const answer = await this.http.request(request);
      const { status } = answer;
      // A token server that is down, or asks for patience, is told as every other service is.
      if (status === 408 || status === 429 || status >= 500) {
        throw await this.http.errorOf(answer, request);
      }
      const text = await this.http.readText(answer, request, MAX_ANSWER_BYTES);
      const response = new Response(status === 204 ? null : text, {
        status,
        headers: { ...answer.headers },
      });
      // The library drops the data of an error whose body was not read.
      const data = parsed(await response.text()) as T;
      return Object.assign(response, { config: options, data });
    });
  };
}

/** Forms are sent as what they are. */
function textOf(body: unknown): string | Uint8Array {
  if (typeof body === 'string' || body instanceof Uint8Array) return body;
  return String(body as URLSearchParams);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
