/** The requests of an http source, all of them to one origin and with its credentials. */
import { redactUri } from '../../model/artifact-uri.js';
import { WaybillError } from '../../model/errors.js';
import type { ObjectEntry } from '../../model/object-entry.js';
import { digestsOf } from '../lib/digest-headers.js';
import type { Headers } from '../lib/exchange.js';
import type { HttpAnswer, HttpClient, HttpRequest } from '../lib/http-client.js';
import { contentLengthOf, contentRangeOf, isoDateOf, pinOf } from '../lib/http-headers.js';
import { openRanged, type RangedObject, type RangedRequest } from '../lib/open-ranged.js';
import type { ReadOptions } from '../store.js';

const MD5_OF_NOTHING = 'd41d8cd98f00b204e9800998ecf8427e';

/** What every request of a source shares. */
export interface HttpSource {
  readonly client: HttpClient;
  readonly headers: Headers;
  /** The address carries a signature in its query: a HEAD is not signed, and it expires. */
  readonly isPresigned: boolean;
}

/** What is asked: an address, the path that it stands for, and why. */
export interface Asked {
  readonly url: URL;
  readonly path: string;
  readonly operation: 'stat' | 'list' | 'openRead';
  readonly signal?: AbortSignal | undefined;
}

/** Describes a file by HEAD, or by a GET of its first byte where HEAD is not answered. */
export async function describeFile(source: HttpSource, asked: Asked): Promise<ObjectEntry> {
  const request: HttpRequest = { ...asked, method: 'HEAD', headers: source.headers };
  if (!source.isPresigned) {
    const answer = await askHead(source, request);
    answer.body.destroy();
    if (answer.status === 200)
      return describeAnswer(asked, answer, contentLengthOf(answer.headers), true);
    const isAboutHead = [400, 401, 403, 405, 501].includes(answer.status);
    if (!isAboutHead) throw await source.client.errorOf(answer, request);
  }
  const firstByte: HttpRequest = {
    ...asked,
    headers: { ...source.headers, range: 'bytes=0-0' },
  };
  const answer = await source.client.request(firstByte);
  if (answer.status === 416 && /^bytes \*\/0$/.test(answer.headers['content-range'] ?? '')) {
    answer.body.destroy();
    return describeAnswer(asked, answer, 0, false);
  }
  if (answer.status !== 200 && answer.status !== 206) {
    throw await errorOf(source, answer, firstByte);
  }
  answer.body.destroy();
  const size =
    answer.status === 206
      ? contentRangeOf(answer.headers)?.totalBytes
      : contentLengthOf(answer.headers);
  return describeAnswer(asked, answer, size, false);
}

/**
 * Thousands of questions share a few connections. Where one breaks, the question is asked over one of its own: the server may
 * have closed it meanwhile, or have sent a body after the HEAD before.
 */
async function askHead({ client }: HttpSource, request: HttpRequest): Promise<HttpAnswer> {
  try {
    return await client.request(request);
  } catch (error) {
    if (!(error instanceof WaybillError) || error.code !== 'WB_UNAVAILABLE') throw error;
    return client.request({ ...request, isAlone: true });
  }
}

/** @param isWhole the headers speak of the whole file, not of its first byte */
function describeAnswer(
  asked: Asked,
  answer: HttpAnswer,
  size: number | undefined,
  isWhole: boolean,
): ObjectEntry {
  const { path } = asked;
  if (isFolderRedirect(asked.url, answer.url)) return { path, kind: 'directory' };
  refusePage(asked, answer);
  const { headers } = answer;
  const pin = pinOf(headers, size);
  const modifiedAt = isoDateOf(headers['last-modified']);
  const digests = digestsOf(headers, isWhole);
  // Some servers compute it over the body of the answer to HEAD, which is empty.
  if (digests.md5 === MD5_OF_NOTHING && size !== 0) delete digests.md5;
  return {
    path,
    kind: 'file',
    ...(size === undefined ? {} : { sizeBytes: size }),
    ...(modifiedAt === undefined ? {} : { modifiedAt }),
    ...(pin === undefined ? {} : { pin }),
    ...(Object.keys(digests).length === 0 ? {} : { digests }),
  };
}

/** Opens a file. A page of HTML under a name that promises none is WB_SIGN_IN_PAGE. */
export async function openFile(
  source: HttpSource,
  asked: Asked,
  options: ReadOptions & Pick<RangedRequest, 'digestsOf'>,
): Promise<RangedObject> {
  const opened = await openRanged(source.client, {
    ...options,
    url: asked.url,
    path: asked.path,
    store: 'http',
    headers: source.headers,
    errorOf: (answer) => errorOf(source, answer, asked),
  });
  try {
    refusePage(asked, opened);
    return opened;
  } catch (error) {
    opened.body.destroy();
    throw error;
  }
}

/** Reads a page or a list as text, with its answer. */
export async function readPage(
  source: HttpSource,
  asked: Asked,
  maxBytes: number,
): Promise<{ readonly text: string; readonly answer: HttpAnswer }> {
  const answer = await openPage(source, asked);
  return { text: await source.client.readText(answer, asked, maxBytes), answer };
}

/** Opens a page or a list; a status that is no success is thrown. */
export async function openPage(source: HttpSource, asked: Asked): Promise<HttpAnswer> {
  const request: HttpRequest = { ...asked, headers: source.headers };
  const answer = await source.client.request(request);
  if (answer.status === 200) return answer;
  throw await errorOf(source, answer, request);
}

/** Whether an answer is a web page. */
export function isHtml(headers: Headers): boolean {
  return /^\s*(text\/html|application\/xhtml\+xml)\b/i.test(headers['content-type'] ?? '');
}

/** Whether a request for `x` ended at `x/`: servers answer so for a folder. */
export function isFolderRedirect(asked: URL, answered: URL): boolean {
  return answered.origin === asked.origin && answered.pathname === `${asked.pathname}/`;
}

function refusePage(asked: Asked, answer: { readonly headers: Headers; readonly url: URL }): void {
  const { headers } = answer;
  const isMeant =
    !isHtml(headers) ||
    /\.(x?html?|shtml)$/i.test(asked.url.pathname) ||
    /^\s*attachment/i.test(headers['content-disposition'] ?? '');
  if (isMeant) return;
  const address = redactUri(asked.url.href);
  const advice = isFolderRedirect(asked.url, answer.url)
    ? 'it is a folder: end the address with / to pull what its index lists'
    : 'a sign-in page? Open the address in a browser and check the credentials';
  throw new WaybillError(
    'WB_SIGN_IN_PAGE',
    `${address} answered with an HTML page where a file was expected (${advice})`,
    { operation: asked.operation, store: 'http', path: asked.path },
  );
}

async function errorOf(
  source: HttpSource,
  answer: HttpAnswer,
  request: Pick<HttpRequest, 'url' | 'operation' | 'path'>,
): Promise<WaybillError> {
  const error = await source.client.errorOf(answer, request);
  if (answer.status === 401 && !answer.droppedCredentials) {
    const { scope, retryable } = error;
    return new WaybillError(error.code, `${error.message}; ${whoAsked(source)}`, {
      ...{ operation: request.operation, store: 'http', path: request.path ?? '' },
      ...{ scope, retryable, cause: error },
    });
  }
  const isRefused =
    answer.status === 403 || (answer.status === 400 && /expire/i.test(error.message));
  if (!source.isPresigned || !isRefused) return error;
  return new WaybillError(
    'WB_UNAUTHENTICATED',
    `${error.message}; the signed address may have expired: ask for a new one, and run the command with it`,
    { operation: request.operation, store: 'http', path: request.path ?? '', cause: error },
  );
}

/** With what was asked, and what to set. */
function whoAsked({ headers }: HttpSource): string {
  const kind = headers['authorization']?.split(' ')[0];
  if (kind === 'Basic')
    return 'it does not accept the user and password of the address: correct them';
  if (kind === 'Bearer')
    return 'it does not accept WAYBILL_HTTP_TOKEN: set it to a token that is still good';
  return 'nothing was sent: write https://user:password@host/..., or set WAYBILL_HTTP_TOKEN';
}
