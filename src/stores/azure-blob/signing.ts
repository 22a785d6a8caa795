/** Shared Key: requests signed with an account's key. https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key */
import { createHmac } from 'node:crypto';
import type { Headers } from '../lib/exchange.js';

/** Headers that are part of what is signed, in this order; this store sends no body, and no Date beside x-ms-date. */
const SIGNED_HEADERS = [
  'content-encoding',
  'content-language',
  'content-length',
  'content-md5',
  'content-type',
  'date',
  'if-modified-since',
  'if-match',
  'if-none-match',
  'if-unmodified-since',
  'range',
] as const;

/** A request to sign. */
export interface UnsignedRequest {
  readonly method: 'GET' | 'HEAD';
  /** Its path is signed as it stands, so it must be the one that is sent. */
  readonly url: URL;
  /** Query parameters, not encoded; the URL has the same ones. */
  readonly query: Readonly<Record<string, string>>;
  /** Lower-case names; `x-ms-date` is one of them. */
  readonly headers: Headers;
}

/** The value of `authorization`. */
export function signSharedKey(account: string, key: Buffer, request: UnsignedRequest): string {
  const signature = createHmac('sha256', key)
    .update(stringToSign(account, request), 'utf8')
    .digest('base64');
  return `SharedKey ${account}:${signature}`;
}

/** What is signed. */
export function stringToSign(account: string, request: UnsignedRequest): string {
  const { method, url, query, headers } = request;
  const own = Object.keys(headers)
    .filter((name) => name.startsWith('x-ms-'))
    .sort()
    .map((name) => `${name}:${(headers[name] ?? '').trim()}\n`);
  const parameters = Object.keys(query)
    .sort()
    .map((name) => `\n${name}:${query[name] ?? ''}`);
  return [
    method,
    ...SIGNED_HEADERS.map((name) => headers[name] ?? ''),
    `${own.join('')}/${account}${url.pathname}${parameters.join('')}`,
  ].join('\n');
}
