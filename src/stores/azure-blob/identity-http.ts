/**
 * The requests by which Azure's identity library gets tokens, sent by Waybill's own HTTP client: the same proxies, authorities
 * and client certificates as for the container.
 */
import { request as requestPlain } from 'node:http';
import type { TokenCredentialOptions } from '@azure/identity';
import { isForbiddenAddress } from '../lib/forbidden-address.js';
import type { HttpClient } from '../lib/http-client.js';
import { KeptFailure } from '../lib/kept-failure.js';

type LibraryClient = NonNullable<TokenCredentialOptions['httpClient']>;
type LibraryRequest = Parameters<LibraryClient['sendRequest']>[0];
type LibraryResponse = Awaited<ReturnType<LibraryClient['sendRequest']>>;
type LibraryHeaders = LibraryResponse['headers'];

/** More than any token or list of keys has. */
const MAX_ANSWER_BYTES = 1024 * 1024;

/** The machine's own service of identities answers at once, or there is none. */
const MACHINE_TIMEOUT_MS = 5_000;

/** An `httpClient` of the library. */
export class IdentityRequests extends KeptFailure implements LibraryClient {
  constructor(private readonly http: HttpClient) {
    super();
  }

  async sendRequest(request: LibraryRequest): Promise<LibraryResponse> {
    const url = new URL(request.url);
    // The machine's own service is link-local: the library's to ask, and no source's to name.
    if (isForbiddenAddress(url.hostname)) return askMachine(url, request);
    const { body, abortSignal } = request;
    const asked = {
      method: request.method,
      url,
      headers: request.headers.toJSON(),
      ...(typeof body === 'string' || body instanceof Uint8Array ? { body } : {}),
      ...(abortSignal instanceof AbortSignal ? { signal: abortSignal } : {}),
      operation: 'sign',
      redirects: 'never',
    } as const;
    return this.keeping(async () => {
      const answer = await this.http.request(asked);
      const bodyAsText = await this.http.readText(answer, asked, MAX_ANSWER_BYTES);
      return { request, status: answer.status, headers: headersOf(answer.headers), bodyAsText };
    });
  }
}

/** Directly, and never through a proxy: it answers nobody but the machine itself. */
function askMachine(url: URL, request: LibraryRequest): Promise<LibraryResponse> {
  return new Promise((resolve, reject) => {
    const { method } = request;
    const timeout = request.timeout > 0 ? request.timeout : MACHINE_TIMEOUT_MS;
    const headers = request.headers.toJSON();
    const asked = requestPlain(url, { method, headers, timeout }, (answer) => {
      let bodyAsText = '';
      answer.setEncoding('utf8');
      answer.on('data', (text: string) => (bodyAsText += text));
      answer.on('error', reject);
      answer.on('end', () => {
        const plain = Object.entries(answer.headers).map(([name, value]) => [name, String(value)]);
        const status = answer.statusCode ?? 0;
        const said = Object.fromEntries(plain) as Record<string, string>;
        resolve({ request, status, headers: headersOf(said), bodyAsText });
      });
    });
    asked.on('timeout', () => asked.destroy(new Error('no answer')));
    asked.on('error', reject);
    asked.end(typeof request.body === 'string' ? request.body : undefined);
  });
}

function headersOf(plain: Readonly<Record<string, string>>): LibraryHeaders {
  const values = new Map(Object.entries(plain));
  return {
    get: (name) => values.get(name.toLowerCase()),
    has: (name) => values.has(name.toLowerCase()),
    set: (name, value) => void values.set(name.toLowerCase(), String(value)),
    delete: (name) => void values.delete(name.toLowerCase()),
    toJSON: () => Object.fromEntries(values),
    [Symbol.iterator]: () => values[Symbol.iterator](),
  };
}
