/** Where a redirect may lead, and what may go along (rule 4). */
import { redactUri } from '../../model/artifact-uri.js';
import { WaybillError, type ErrorCode } from '../../model/errors.js';
import type { Headers } from './exchange.js';
import { refuseForbiddenUrl } from './forbidden-address.js';
import type { Circumstances } from './http-errors.js';

/** Everything else may hold a credential, whatever its name, and stays behind at another origin. */
const HARMLESS = new Set([
  'accept',
  'accept-encoding',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'range',
  'user-agent',
  'want-repr-digest',
]);

/** The next request of a chain. */
export interface Redirect {
  readonly url: URL;
  readonly headers: Headers;
  readonly droppedCredentials: boolean;
}

/**
 * Follows one redirect. From https to http, to another scheme, or of a request with a body is WB_UNAVAILABLE (not
 * retryable); to a link-local address WB_PERMISSION_DENIED. Headers that were dropped once never come back.
 */
export function redirectOf(
  request: {
    readonly from: URL;
    readonly location: string;
    readonly headers: Headers;
    readonly method: string;
  },
  where: Circumstances,
): Redirect {
  const { from, location, headers, method } = request;
  const refuse = (why: string, code: ErrorCode = 'WB_UNAVAILABLE'): WaybillError => {
    const { operation, store, path } = where;
    const to = redactUri(
      URL.canParse(location, from.href) ? new URL(location, from).href : location,
    );
    // Whatever its names, a parameter may be a ticket.
    const shown = to.replace(/[?#].*$/s, '').slice(0, 300);
    const message = `${where.address} redirects to ${shown}, which is refused: ${why}`;
    return new WaybillError(code, message, {
      operation,
      store,
      retryable: false,
      scope: 'file',
      ...(path === undefined ? {} : { path }),
    });
  };
  if (!URL.canParse(location, from.href)) throw refuse('it is no address');
  if (method !== 'GET' && method !== 'HEAD') throw refuse(`a ${method} is not repeated elsewhere`);
  const url = new URL(location, from);
  url.username = '';
  url.password = '';
  url.hash = '';
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw refuse('it is not HTTP');
  if (from.protocol === 'https:' && url.protocol === 'http:') {
    throw refuse('it would give up encryption');
  }
  refuseForbiddenUrl(url);
  const isSameOrigin = url.origin === from.origin;
  const kept = Object.entries(headers).filter(
    ([name]) => name !== 'host' && (isSameOrigin || HARMLESS.has(name)),
  );
  return {
    url,
    headers: Object.fromEntries(kept),
    droppedCredentials: !isSameOrigin && kept.length < Object.keys(headers).length,
  };
}
