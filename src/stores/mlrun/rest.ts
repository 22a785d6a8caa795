/** MLRun's REST interface: requests with the right credentials, JSON answers, errors of the table. */
import type { HttpAnswer, HttpClient } from '../lib/http-client.js';
import { createHttpClient } from '../lib/http-client.js';
import { retryAfterMsOf } from '../lib/http-headers.js';
import type { StoreAddress } from '../store.js';
import { readConfig } from './config.js';
import type { MlrunConfig } from './config.js';
import { errorOfAnswer, mlrunError } from './errors.js';
import type { Asked, FailedAnswer } from './errors.js';

/** Statistics and previews of data sets lie in the metadata; more is no answer that Waybill can hold. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/** A server of a few processes reads a file into memory for each request. */
export const MAX_CONNECTIONS = 8;

/** What a call is about. */
export interface Question extends Asked {
  readonly signal?: AbortSignal | undefined;
}

/** Query parameters; undefined ones are left out. */
export type Query = Readonly<Record<string, string | undefined>>;

/** An answer, or why there is none. */
export type Result =
  { readonly value: unknown; readonly refused?: undefined } | { readonly refused: FailedAnswer };

/** A client of one server. */
export class MlrunRest {
  constructor(
    readonly config: MlrunConfig,
    readonly client: HttpClient,
  ) {}

  /** `GET server/api/route` as JSON. */
  async get(route: string, query: Query, question: Question): Promise<unknown> {
    const result = await this.tryGet(route, query, question);
    if (result.refused !== undefined) throw errorOfAnswer(result.refused, question, this.config);
    return result.value;
  }

  /** As `get`, but a failed answer is given back instead of thrown. Network failures are thrown. */
  async tryGet(route: string, query: Query, question: Question): Promise<Result> {
    const url = this.urlOf(route, query);
    const request = { url, ...aboutOf(question) };
    const answer = await this.open(url, {}, question);
    if (answer.status !== 200) return { refused: await this.refusal(answer) };
    const text = await this.client.readText(answer, request, MAX_ANSWER_BYTES);
    try {
      return { value: JSON.parse(text) as unknown };
    } catch {
      // Its error would quote the text, and with it whatever a server repeats.
      const isPage = /html/i.test(answer.headers['content-type'] ?? '');
      throw mlrunError(
        isPage ? 'WB_SIGN_IN_PAGE' : 'WB_UNAVAILABLE',
        `${this.config.server} answers the request for ${question.what} with ${isPage ? 'an HTML page' : 'something that is no JSON'}: ` +
          'check MLRUN_DBPATH, and sign in where a login page is in front of it',
        { ...aboutOf(question), scope: 'source' },
      );
    }
  }

  /** Sends a request and gives the answer as it is, whatever its status. */
  open(
    url: string,
    headers: Readonly<Record<string, string>>,
    question: Question,
  ): Promise<HttpAnswer> {
    return this.client.request({
      url,
      headers: { accept: 'application/json, */*', ...this.config.signIn, ...headers },
      ...aboutOf(question),
      signal: question.signal,
      redirects: 'never',
    });
  }

  /** Reads what there is to know of a failed answer, and frees its connection. */
  async refusal(answer: HttpAnswer): Promise<FailedAnswer> {
    const retryAfterMs = retryAfterMsOf(answer.headers);
    return {
      status: answer.status,
      text: await answer.readErrorText(),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    };
  }

  /** Every character of a value that could mean something is escaped. */
  urlOf(route: string, query: Query): string {
    const pairs = Object.entries(query).flatMap(([key, value]) =>
      value === undefined ? [] : [`${key}=${encodeURIComponent(value)}`],
    );
    const asked = pairs.length === 0 ? '' : `?${pairs.join('&')}`;
    return `${this.config.server}/api/${route}${asked}`;
  }
}

function aboutOf({ operation, path }: Question): { operation: string; path?: string } {
  return { operation, ...(path === undefined ? {} : { path }) };
}

/** Reads the configuration and makes the client. No request is made. */
export function openRest(address: StoreAddress): MlrunRest {
  const config = readConfig(address);
  const { settings, secrets, pace } = address;
  const client = createHttpClient({
    store: 'mlrun',
    settings,
    secrets,
    maxConnections: MAX_CONNECTIONS,
    profile: 'mlrun',
    identityOrigins: [new URL(config.server).origin],
    pace,
  });
  return new MlrunRest(config, client);
}
