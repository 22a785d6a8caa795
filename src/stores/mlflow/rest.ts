/** MLflow's REST interface: requests with the right credentials, answers checked by schema, errors of the table. */
import type * as z from 'zod';
import type { WaybillError } from '../../model/errors.js';
import type { Headers } from '../lib/exchange.js';
import type { HttpAnswer, HttpClient } from '../lib/http-client.js';
import { retryAfterMsOf } from '../lib/http-headers.js';
import type { MlflowConfig } from './config.js';
import { errorOfAnswer, mlflowError } from './errors.js';
import type { Asked, FailedAnswer } from './errors.js';

/** A JSON answer larger than this is no listing that Waybill can hold. */
const MAX_ANSWER_BYTES = 128 * 1024 * 1024;

/** What a call is about, for its errors. */
export interface Question {
  readonly operation: string;
  /** Ends the sentence `MLflow at ... has no ...`. */
  readonly what: string;
  readonly path?: string;
  readonly signal?: AbortSignal | undefined;
}

/** Query parameters; undefined ones are left out. */
export type Query = Readonly<Record<string, string | undefined>>;

/** A failed answer together with the error that it is, so that a caller may take another route. */
export interface Refusal {
  readonly answer: FailedAnswer;
  readonly error: WaybillError;
}

/** A client of one MLflow installation. */
export class MlflowRest {
  constructor(
    readonly config: MlflowConfig,
    readonly client: HttpClient,
  ) {}

  /** `GET base+route` as JSON. */
  async get<T>(url: string, query: Query, schema: z.ZodType<T>, question: Question): Promise<T> {
    const result = await this.tryGet(url, query, schema, question);
    if (result.refused !== undefined) throw result.refused.error;
    return result.value;
  }

  /** As `get`, but a failed answer is given back instead of thrown. Network failures are thrown. */
  async tryGet<T>(
    url: string,
    query: Query,
    schema: z.ZodType<T>,
    question: Question,
  ): Promise<{ value: T; refused?: undefined } | { refused: Refusal }> {
    const answer = await this.open(withQuery(url, query), {}, question);
    return this.readJson(answer, url, schema, question);
  }

  /** `POST` with a JSON body. */
  async post<T>(url: string, body: unknown, schema: z.ZodType<T>, question: Question): Promise<T> {
    const result = await this.tryPost(url, body, schema, question);
    if (result.refused !== undefined) throw result.refused.error;
    return result.value;
  }

  /** As `post`, but a failed answer is given back instead of thrown. */
  async tryPost<T>(
    url: string,
    body: unknown,
    schema: z.ZodType<T>,
    question: Question,
  ): Promise<{ value: T; refused?: undefined } | { refused: Refusal }> {
    const headers = { 'content-type': 'application/json' };
    const answer = await this.open(url, headers, question, JSON.stringify(body));
    return this.readJson(answer, url, schema, question);
  }

  /** Sends a request and gives the answer as it is, whatever its status. */
  open(url: string, headers: Headers, question: Question, body?: string): Promise<HttpAnswer> {
    return this.client.request({
      method: body === undefined ? 'GET' : 'POST',
      url,
      headers: { ...this.headersFor(url), ...headers },
      ...(body === undefined ? {} : { body }),
      operation: question.operation,
      ...(question.path === undefined ? {} : { path: question.path }),
      signal: question.signal,
      redirects: 'never',
    });
  }

  /** Reads what there is to know of a failed answer, and frees its connection. */
  async refusal(answer: HttpAnswer, url: string, question: Question): Promise<Refusal> {
    const retryAfterMs = retryAfterMsOf(answer.headers);
    const location = answer.headers['location'];
    const failed: FailedAnswer = {
      status: answer.status,
      contentType: answer.headers['content-type'] ?? '',
      text: await answer.readErrorText(),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      ...(location === undefined ? {} : { location }),
    };
    return { answer: failed, error: errorOfAnswer(failed, askedOf(url, question)) };
  }

  /** Credentials go to the configured servers only: an artifact_uri may name any host (rule 4). */
  headersFor(url: string): Headers {
    const { authorization, workspace, credentialsOrigins } = this.config;
    const isTrusted = credentialsOrigins.includes(new URL(url).origin);
    return {
      accept: 'application/json, */*',
      ...(isTrusted && authorization !== undefined ? { authorization } : {}),
      ...(isTrusted && workspace !== undefined ? { 'x-mlflow-workspace': workspace } : {}),
    };
  }

  private async readJson<T>(
    answer: HttpAnswer,
    url: string,
    schema: z.ZodType<T>,
    question: Question,
  ): Promise<{ value: T; refused?: undefined } | { refused: Refusal }> {
    if (answer.status !== 200) return { refused: await this.refusal(answer, url, question) };
    const server = new URL(url).origin;
    const context = contextOf(question);
    if (/html/i.test(answer.headers['content-type'] ?? '')) {
      answer.body.destroy();
      throw mlflowError(
        'WB_SIGN_IN_PAGE',
        `${server} answers with an HTML page instead of MLflow's REST interface: check MLFLOW_TRACKING_URI, and sign ` +
          'in where a login page is in front of it',
        { ...context, scope: 'source' },
      );
    }
    let parsed: unknown;
    const text = await this.client.readText(answer, { url, ...context }, MAX_ANSWER_BYTES);
    try {
      parsed = JSON.parse(text);
    } catch {
      // Its error would quote the text, and with it whatever a server repeats.
      const message = `MLflow at ${server} answered the request for ${question.what} with something that is no JSON`;
      throw mlflowError('WB_UNAVAILABLE', message, context);
    }
    const result = schema.safeParse(parsed);
    if (result.success) return { value: result.data };
    const field = result.error.issues[0]?.path.join('.') ?? '';
    throw mlflowError(
      'WB_UNAVAILABLE',
      `MLflow at ${server} answered the request for ${question.what} in a form that Waybill does not know ` +
        `(at "${field}"): is it an MLflow server of version 2 or later?`,
      { ...context, retryable: false, cause: result.error },
    );
  }
}

function askedOf(url: string, { operation, what, path }: Question): Asked {
  const server = new URL(url).origin;
  return { operation, what, server, ...(path === undefined ? {} : { path }) };
}

function contextOf({ operation, path }: Question): { operation: string; path?: string } {
  return { operation, ...(path === undefined ? {} : { path }) };
}

/** A URL with a query; every character of a value that could mean something is escaped. */
export function withQuery(url: string, query: Query): string {
  const pairs = Object.entries(query).filter(
    (pair): pair is [string, string] => pair[1] !== undefined,
  );
  if (pairs.length === 0) return url;
  return `${url}?${pairs.map(([key, value]) => `${key}=${encodeURIComponent(value)}`).join('&')}`;
}

/** All pages of a listing that is cut into pages; a page token that comes again is an error (rule 24). */
export async function* pagesOf<T extends { next_page_token?: string | undefined }>(
  fetchPage: (pageToken: string | undefined) => Promise<T>,
  question: Question,
): AsyncIterable<T> {
  const seen = new Set<string>();
  let token: string | undefined;
  do {
    const page = await fetchPage(token);
    yield page;
    token = page.next_page_token === '' ? undefined : page.next_page_token;
    if (token !== undefined && seen.has(token)) {
      const message = `the listing of ${question.what} repeats itself: its page token came twice`;
      throw mlflowError('WB_UNAVAILABLE', message, { ...contextOf(question), retryable: false });
    }
    if (token !== undefined) seen.add(token);
  } while (token !== undefined);
}
