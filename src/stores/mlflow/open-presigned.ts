/** Reading a file from the storage behind MLflow, at a presigned address: real ranges, real ETags, no MLflow in between. */
import { WaybillError } from '../../model/errors.js';
import type { Digests } from '../../model/object-entry.js';
import { errorTextOf } from '../lib/error-text.js';
import type { Headers } from '../lib/exchange.js';
import type { HttpAnswer, HttpClient } from '../lib/http-client.js';
import { openRanged } from '../lib/open-ranged.js';
import type { OpenObject, ReadOptions } from '../store.js';
import { mlflowError } from './errors.js';
import type { PresignedUrls } from './presigned.js';
import type { Question } from './rest.js';
import type { PresignedUrl } from './routes.js';

/** What is opened. */
export interface PresignedRead {
  readonly urls: PresignedUrls;
  readonly storage: HttpClient;
  /** Path within the route. */
  readonly full: string;
  readonly question: Question;
  readonly options: ReadOptions;
}

/** Headers that the server may not set on a request of ours. */
const OURS = /^(host|connection|content-length|transfer-encoding|range|if-match|accept-encoding)$/;

/**
 * Opens. An address that the storage refuses has expired, or was signed by keys that were changed meanwhile: a new
 * one is asked for once, and the read goes on where it was.
 */
export async function openPresigned(read: PresignedRead): Promise<OpenObject> {
  const { urls, full, question } = read;
  const first = await urls.of(full, question);
  try {
    return await openAt(first, read);
  } catch (error) {
    if (!(error instanceof WaybillError) || !(error.cause instanceof AddressRefused)) throw error;
    urls.forget(full, first);
  }
  return openAt(await urls.of(full, question), read);
}

/** Marks an error as one that a new address may mend. */
class AddressRefused extends Error {
  override readonly name = 'AddressRefused';
}

function openAt(presigned: PresignedUrl, read: PresignedRead): Promise<OpenObject> {
  const { storage, question, options } = read;
  const theirs = Object.entries(presigned.headers).filter(([name]) => !OURS.test(name));
  return openRanged(storage, {
    ...options,
    url: presigned.url,
    store: 'mlflow',
    path: question.path ?? '',
    headers: (own) => ({ ...Object.fromEntries(theirs), ...own }),
    digestsOf: md5Of,
    errorOf: (answer) => refusalOf(answer, question),
    acceptsEncoding: true,
    redirects: 'never',
  });
}

/** S3 answers an expired or badly signed address with 403, some of its kin with 400 or 401. */
async function refusalOf(
  answer: HttpAnswer,
  question: Question,
): Promise<WaybillError | undefined> {
  const { status } = answer;
  if (status !== 400 && status !== 401 && status !== 403) return undefined;
  const text = await answer.readErrorText();
  if (status === 400 && !/expired/i.test(text)) {
    return mlflowError(
      'WB_UNAVAILABLE',
      `the storage behind MLflow refuses the request for ${question.what}: ${errorTextOf(text)} (400)`,
      { operation: 'openRead', path: question.path ?? '', retryable: false, scope: 'file' },
    );
  }
  return mlflowError(
    'WB_PERMISSION_DENIED',
    `the storage behind MLflow refuses the address that MLflow signed for ${question.what}: ${errorTextOf(text)} ` +
      `(${status}); check the server's storage credentials and its clock`,
    {
      operation: 'openRead',
      path: question.path ?? '',
      cause: new AddressRefused(`status ${status}`),
    },
  );
}

/** An S3 ETag is the MD5 of the bytes, unless it is of a multipart upload, of an encrypted object or of a directory bucket. */
function md5Of(headers: Headers): Digests {
  const etag = /^"([0-9a-f]{32})"$/.exec(headers['etag'] ?? '')?.[1];
  const isS3 = headers['x-amz-request-id'] !== undefined;
  const isEncrypted =
    /kms/i.test(headers['x-amz-server-side-encryption'] ?? '') ||
    headers['x-amz-server-side-encryption-customer-algorithm'] !== undefined;
  const isDirectoryBucket = headers['x-amz-storage-class'] === 'EXPRESS_ONEZONE';
  if (etag === undefined || !isS3 || isEncrypted || isDirectoryBucket) return {};
  return { md5: etag };
}
