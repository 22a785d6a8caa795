/** What a server does wrong with a file, and what a read has to make of it in every store. */
import { gzipSync } from 'node:zlib';
import type { ErrorCode } from '../../../src/model/errors.js';
import type { CutReply, CutRequest } from '../../helpers/cut-server.js';
import { FILE } from './dialects.js';
import type { Dialect } from './dialects.js';

export type Outcome = 'right' | ErrorCode;

export interface ReadFault {
  readonly title: string;
  /** Only a part is asked for; else the whole. */
  readonly isRange?: true;
  /** It is put over what is said of the version. */
  readonly isOfVersion?: true;
  readonly fault: (good: CutReply, dialect: Dialect, request: CutRequest) => CutReply;
  /** How a read may end. */
  readonly ends: readonly Outcome[];
  readonly retryable?: boolean;
  /** It is no matter of any other file. */
  readonly isOfFile?: true;
}

export const PART = { offsetBytes: 10_000, lengthBytes: 20_000 } as const;

const set = (good: CutReply, headers: Record<string, string>): CutReply => ({
  ...good,
  headers: { ...good.headers, ...headers },
});
const without = (good: CutReply, name: string): CutReply => ({
  ...good,
  headers: Object.fromEntries(
    Object.entries(good.headers ?? {}).filter(([one]) => one.toLowerCase() !== name.toLowerCase()),
  ),
});
const page = (status: number, headers: Record<string, string> = {}): CutReply => ({
  status,
  headers: { 'Content-Type': 'text/html', ...headers },
  body: '<html><title>Something is wrong</title></html>',
});
const BROKEN = { ends: ['WB_UNAVAILABLE'], retryable: true } as const;
const CHANGED = { ends: ['WB_SOURCE_CHANGED'] } as const;
const RANGE = { isRange: true, ends: ['WB_SIZE_MISMATCH'] } as const;

export const READ_FAULTS: readonly ReadFault[] = [
  { title: 'a truncated body', ...BROKEN, fault: (good) => ({ ...good, cutAfterBytes: 100 }) },
  { title: 'no body at all', ...BROKEN, fault: (good) => ({ ...good, cutAfterBytes: 0 }) },
  {
    title: 'a reset in the body',
    ...BROKEN,
    fault: (good) => ({ ...good, cutAfterBytes: 100, cutWith: 'reset' }),
  },
  {
    title: 'chunks without the last one',
    ...BROKEN,
    fault: (good) => ({ ...good, framing: 'chunked', cutAfterBytes: 100 }),
  },
  {
    title: 'a larger Content-Length than the body',
    ...BROKEN,
    fault: (good) => set(good, { 'Content-Length': String(FILE.length + 1) }),
  },
  {
    title: 'a smaller Content-Length than the body',
    ends: ['WB_SIZE_MISMATCH'],
    fault: (good) => set(good, { 'Content-Length': String(FILE.length - 1) }),
  },
  {
    title: 'a Content-Length that is none',
    ends: ['WB_UNAVAILABLE'],
    fault: (good) => set(good, { 'Content-Length': 'many' }),
  },
  {
    title: 'a body that falls silent',
    ends: ['WB_TIMEOUT'],
    retryable: true,
    fault: (good) => ({ ...good, stallAfterBytes: 100 }),
  },
  {
    title: 'a byte at a time',
    ends: ['WB_TIMEOUT'],
    retryable: true,
    fault: (good) => ({ ...good, bytesPerSecond: 5 }),
  },
  {
    title: 'silence',
    ends: ['WB_TIMEOUT'],
    retryable: true,
    fault: () => ({ neverAnswers: true }),
  },
  {
    title: 'a part that starts elsewhere',
    ...RANGE,
    fault: (good) => set(good, { 'Content-Range': `bytes 10001-30000/${FILE.length}` }),
  },
  {
    title: 'a part that ends elsewhere',
    ...RANGE,
    fault: (good) => set(good, { 'Content-Range': `bytes 10000-29998/${FILE.length}` }),
  },
  {
    title: 'a part without Content-Range',
    ...RANGE,
    fault: (good) => without(good, 'Content-Range'),
  },
  {
    title: 'a part that says nonsense of itself',
    ...RANGE,
    fault: (good) => set(good, { 'Content-Range': 'bytes ten to twenty' }),
  },
  {
    title: 'a part of another length',
    ...RANGE,
    fault: (good) => set({ ...good, body: FILE }, { 'Content-Length': String(FILE.length) }),
  },
  {
    title: '200 and the whole file to a part',
    isRange: true,
    ends: ['right'],
    fault: (good) => ({ ...without(good, 'Content-Range'), status: 200, body: FILE }),
  },
  {
    title: '206 to the whole file',
    ends: ['WB_SIZE_MISMATCH'],
    fault: (good) =>
      set(
        { ...good, status: 206, body: FILE.subarray(0, 100) },
        { 'Content-Range': `bytes 0-99/${FILE.length}` },
      ),
  },
  { title: '416', ...RANGE, isOfFile: true, fault: () => ({ status: 416 }) },
  { title: '412', ...CHANGED, isOfFile: true, fault: () => ({ status: 412 }) },
  {
    title: 'another version',
    ...CHANGED,
    isOfVersion: true,
    fault: (_good, dialect, request) => {
      const { 'if-match': _, ...headers } = request.headers;
      return dialect.beside?.(request, '2') ?? dialect.file({ ...request, headers }, '2');
    },
  },
  {
    title: 'no word of the version',
    // Whoever does not say it at all may be no such service.
    ends: ['WB_SOURCE_CHANGED', 'WB_CONFIG_INVALID'],
    isOfVersion: true,
    fault: (good, { versionHeader, beside }, request) =>
      beside?.(request, 'none') ?? without(good, versionHeader),
  },
  ...[500, 502, 503, 504].map((status): ReadFault => ({
    title: `${status} and a page`,
    ends: ['WB_UNAVAILABLE', 'WB_TIMEOUT', 'WB_RATE_LIMITED'],
    retryable: true,
    fault: () => page(status),
  })),
  {
    title: '429',
    ends: ['WB_RATE_LIMITED'],
    retryable: true,
    fault: () => page(429, { 'Retry-After': '7' }),
  },
  {
    title: 'redirects in a circle',
    ends: ['WB_UNAVAILABLE', 'WB_CONFIG_INVALID', 'WB_SIGN_IN_PAGE'],
    retryable: false,
    fault: (_good, _dialect, { path }) => ({ status: 302, headers: { Location: path } }),
  },
  {
    title: 'a page of someone else with 200',
    ends: ['WB_SIGN_IN_PAGE', 'WB_CONFIG_INVALID', 'WB_SOURCE_CHANGED'],
    retryable: false,
    fault: () => page(200),
  },
  { title: '204', ends: ['WB_UNAVAILABLE'], fault: () => ({ status: 204 }) },
  {
    title: 'compressed bytes that nobody asked for',
    // An object store's Content-Encoding is the object's own: there the size tells.
    ends: ['WB_UNSUPPORTED', 'WB_SIZE_MISMATCH'],
    isOfFile: true,
    fault: (good) => set({ ...good, body: gzipSync(FILE) }, { 'Content-Encoding': 'gzip' }),
  },
  {
    title: 'a bomb of headers',
    ends: ['WB_UNAVAILABLE'],
    fault: (good) => set(good, { 'X-Bomb': 'b'.repeat(1_000_000) }),
  },
  {
    title: 'very many headers',
    ends: ['WB_UNAVAILABLE'],
    fault: (good) =>
      set(
        good,
        Object.fromEntries(
          Array.from({ length: 20_000 }, (_, index) => [`X-Bomb-${index}`, 'b'.repeat(20)]),
        ),
      ),
  },
];
