/** Reading a file through the MLflow server itself. What it sends depends on what it keeps its files on. */
import { once } from 'node:events';
import { Readable } from 'node:stream';
import type { WaybillError } from '../../model/errors.js';
import type { Pin } from '../../model/object-entry.js';
import type { Headers } from '../lib/exchange.js';
import type { HttpAnswer } from '../lib/http-client.js';
import { openRanged } from '../lib/open-ranged.js';
import type { OpenObject, ReadOptions } from '../store.js';
import { mlflowError } from './errors.js';
import type { FailedAnswer } from './errors.js';
import type { MlflowRest, Question } from './rest.js';

/** What is opened. */
export interface ProxiedRead {
  readonly rest: MlflowRest;
  readonly url: string;
  readonly question: Question;
  readonly options: ReadOptions;
  /**
   * `weak`: the ETag is made of the file's time and size. `none`: it is of a copy that the server makes for each
   * request, so that it says nothing.
   */
  readonly pins: 'weak' | 'none';
  /** Confirms by the parent's listing that a status 500 means a missing file. */
  readonly isMissing: (answer: FailedAnswer) => Promise<boolean>;
  /** Asks the parent's listing whether this is a file of 0 bytes. */
  readonly isEmptyFile: () => Promise<boolean>;
}

/**
 * Opens. A server on local disk honours ranges; one on an object store ignores them, and sends chunks without length
 * or ETag. Its HEAD is answered by other code, which promises both: it is never asked.
 */
export async function openProxied(read: ProxiedRead): Promise<OpenObject> {
  const { rest, url, question, options, pins } = read;
  const path = question.path ?? '';
  const opened = await openRanged(rest.client, {
    ...options,
    url,
    store: 'mlflow',
    path,
    headers: (own) => ({ ...own, ...rest.headersFor(url), accept: '*/*' }),
    pinOf: (headers) => (pins === 'weak' ? weakPin(headers) : undefined),
    errorOf: (answer) => refusalOf(answer, read),
    redirects: 'never',
  });
  // MLflow sends every artifact as an attachment; a login page in front of it is none.
  const { headers } = opened;
  if (/html/i.test(headers['content-type'] ?? '') && headers['content-disposition'] === undefined) {
    opened.body.on('error', () => undefined).destroy();
    throw mlflowError(
      'WB_SIGN_IN_PAGE',
      `${new URL(url).origin} sent an HTML page instead of ${question.what}: is a login page in front of MLflow?`,
      { operation: 'openRead', path, scope: 'source' },
    );
  }
  const { url: _url, headers: _headers, ...object } = opened;
  if (opened.lengthBytes !== undefined || !(await isEmpty(opened.body))) return object;
  // The server ends the body properly although it failed while reading: of a folder, it sends no byte (rule 11).
  opened.body.on('error', () => undefined).destroy();
  if (await read.isEmptyFile()) return { ...object, body: Readable.from([]) };
  const message = `${new URL(url).origin} sent nothing for ${question.what}, which is no empty file`;
  throw mlflowError('WB_SIZE_MISMATCH', message, { operation: 'openRead', path });
}

/** Waits for the first byte, which stays in the body, or for the end, which does not. */
async function isEmpty(body: Readable): Promise<boolean> {
  if (body.readableLength > 0) return false;
  const seen = new AbortController();
  const { signal } = seen;
  try {
    // A body that ended before anybody listened says `end` and never `readable`.
    if (!body.readableEnded) {
      await Promise.race([once(body, 'readable', { signal }), once(body, 'end', { signal })]);
    }
  } finally {
    seen.abort();
  }
  return body.readableLength === 0;
}

/** Strong by its form, but made of mtime and size (starlette `FileResponse`, werkzeug `send_file`). */
function weakPin(headers: Headers): Pin | undefined {
  const etag = headers['etag'];
  if (etag === undefined || etag === '') return undefined;
  return { strength: 'weak', value: etag.startsWith('W/') ? `etag:${etag}` : `etag:W/${etag}` };
}

async function refusalOf(answer: HttpAnswer, read: ProxiedRead): Promise<WaybillError | undefined> {
  const { rest, url, question } = read;
  if (answer.status === 412 || answer.status === 416) return undefined;
  const refused = await rest.refusal(answer, url, question);
  const path = question.path ?? '';
  if (/Artifact path refers to a directory/.test(refused.answer.text)) {
    const message = `${JSON.stringify(path)} is a folder at ${new URL(url).origin}, not a file`;
    return mlflowError('WB_NOT_FOUND', message, { operation: 'openRead', path });
  }
  if (await read.isMissing(refused.answer)) {
    const message =
      `MLflow at ${new URL(url).origin} lists no ${question.what}, and answered with status 500: ` +
      'its storage does not have it';
    return mlflowError('WB_NOT_FOUND', message, {
      operation: 'openRead',
      path,
      cause: refused.error,
    });
  }
  return refused.error;
}
