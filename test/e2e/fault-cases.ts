/** What servers do wrong: the failure list of aws-c-s3's mock server, and what HTTP adds to it. */
import { createHash, randomBytes } from 'node:crypto';
import type { CutReply, CutRequest } from '../helpers/cut-server.js';

const MiB = 1024 * 1024;
export const SMALL = randomBytes(70_001);
export const LARGE = randomBytes(33 * MiB);
export const ETAG = `"${createHash('md5').update('a version').digest('hex')}-2"`;

/** One thing that a server does wrong, and how the pull of its file has to end. */
export interface FaultCase {
  readonly title: string;
  /** Over s3:// instead of http://. */
  readonly s3?: true;
  readonly isLarge?: true;
  /** What goes wrong, for the answer to the n-th GET; undefined: nothing. */
  readonly fault: (get: number, good: CutReply, request: CutRequest) => CutReply | undefined;
  readonly args?: readonly string[];
  readonly exitCode: number;
  readonly code?: string;
  readonly says?: RegExp;
  /** GETs of it, at least and at most. */
  readonly gets?: readonly [number, number];
}

const xml = (code: string): string =>
  `<?xml version="1.0"?><Error><Code>${code}</Code><Message>because</Message></Error>`;
const XML = { 'Content-Type': 'application/xml', 'x-amz-request-id': 'R1' };
const isPart = ({ headers }: CutRequest): boolean => /^bytes=(?!0-0$)/u.test(headers.range ?? '');
const flipped = (reply: CutReply): CutReply => {
  const body = Buffer.from(reply.body ?? '');
  body.writeUInt8(body.readUInt8(33) ^ 1, 33);
  return { ...reply, body };
};
const without = (reply: CutReply, ...names: string[]): CutReply => ({
  ...reply,
  headers: Object.fromEntries(
    Object.entries(reply.headers ?? {}).filter(([name]) => !names.includes(name)),
  ),
});
export const add = (reply: CutReply, headers: Record<string, string>): CutReply => ({
  ...reply,
  headers: { ...reply.headers, ...headers },
});
const once =
  (fault: FaultCase['fault']): FaultCase['fault'] =>
  (get, good, request) =>
    get === 1 ? fault(get, good, request) : undefined;
const sha256 = createHash('sha256').update(SMALL).digest('base64');
const SOON = ['--give-up-after', '3s'];
const DONE = { exitCode: 0 } as const;

export const CASES: readonly FaultCase[] = [
  // aws-c-s3: tests/mock_s3_server
  {
    title: 'throttled twice (503 SlowDown), then served',
    s3: true,
    ...DONE,
    gets: [3, 3],
    fault: (get) => (get <= 2 ? { status: 503, headers: XML, body: xml('SlowDown') } : undefined),
  },
  {
    title: 'throttled for good',
    s3: true,
    args: SOON,
    exitCode: 12,
    code: 'WB_GAVE_UP',
    says: /SlowDown|fewer/u,
    gets: [2, 40],
    fault: () => ({ status: 503, headers: XML, body: xml('SlowDown') }),
  },
  {
    title: 'an internal error (500 with a body), then served',
    s3: true,
    ...DONE,
    gets: [2, 2],
    fault: once(() => ({ status: 500, headers: XML, body: xml('InternalError') })),
  },
  {
    title: 'an internal error for good',
    s3: true,
    args: SOON,
    exitCode: 12,
    code: 'WB_GAVE_UP',
    says: /500/u,
    fault: () => ({ status: 500, headers: XML, body: xml('InternalError') }),
  },
  {
    title: '200 with an error as its body, then served',
    s3: true,
    ...DONE,
    gets: [2, 2],
    fault: once(() => ({
      status: 200,
      headers: { ...XML, ETag: ETAG },
      body: xml('InternalError'),
    })),
  },
  {
    title: '200 with an error as its body for good',
    s3: true,
    exitCode: 6,
    code: 'WB_SIZE_MISMATCH',
    gets: [3, 3],
    fault: () => ({ status: 200, headers: { ...XML, ETag: ETAG }, body: xml('InternalError') }),
  },
  {
    title: 'an expired token',
    s3: true,
    args: SOON,
    exitCode: 5,
    code: 'WB_UNAUTHENTICATED',
    says: /ExpiredToken|expired/u,
    fault: () => ({ status: 400, headers: XML, body: xml('ExpiredToken') }),
  },
  {
    title: 'access denied',
    s3: true,
    exitCode: 5,
    code: 'WB_PERMISSION_DENIED',
    gets: [1, 1],
    fault: () => ({ status: 403, headers: XML, body: xml('AccessDenied') }),
  },
  {
    title: 'no ETag in the answer',
    s3: true,
    isLarge: true,
    exitCode: 8,
    code: 'WB_SOURCE_CHANGED',
    fault: (_get, good) => without(good, 'ETag'),
  },
  {
    title: 'an ETag that changes with every request',
    s3: true,
    exitCode: 8,
    code: 'WB_SOURCE_CHANGED',
    gets: [1, 1],
    fault: (get, good) => add(good, { ETag: `"${get}"` }),
  },
  {
    title: 'modified between its parts (412)',
    s3: true,
    isLarge: true,
    exitCode: 8,
    code: 'WB_SOURCE_CHANGED',
    fault: (get) =>
      get > 1 ? { status: 412, headers: XML, body: xml('PreconditionFailed') } : undefined,
  },
  {
    title: 'parts without Content-Range',
    s3: true,
    isLarge: true,
    ...DONE,
    fault: (_get, good, request) => (isPart(request) ? without(good, 'Content-Range') : undefined),
  },
  {
    title: 'parts of another range',
    s3: true,
    isLarge: true,
    ...DONE,
    fault: (_get, good, request) =>
      isPart(request)
        ? add(good, { 'Content-Range': `bytes 1-${good.body?.length ?? 0}/${LARGE.length}` })
        : undefined,
  },
  {
    title: 'a checksum that does not fit, for good',
    s3: true,
    exitCode: 6,
    code: 'WB_DIGEST_MISMATCH',
    gets: [3, 3],
    says: new RegExp(
      `${createHash('sha256').update('x').digest('hex')}.*${Buffer.from(sha256, 'base64').toString('hex')}`,
      'u',
    ),
    fault: (_get, good) =>
      add(good, { 'x-amz-checksum-sha256': createHash('sha256').update('x').digest('base64') }),
  },
  {
    title: 'a bit that flips on the way, once',
    s3: true,
    ...DONE,
    gets: [2, 2],
    fault: (get, good) =>
      add(get === 1 ? flipped(good) : good, { 'x-amz-checksum-sha256': sha256 }),
  },
  {
    title: 'a part that takes its time',
    isLarge: true,
    ...DONE,
    fault: (_get, good, request) =>
      /^bytes=16777216-/u.test(request.headers.range ?? '')
        ? { ...good, bytesPerSecond: 8 * MiB }
        : undefined,
  },
  {
    title: 'an answer that takes its time',
    ...DONE,
    gets: [1, 1],
    fault: (_get, good) => ({ ...good, delayMs: 2_000 }),
  },
  {
    title: 'a body that falls silent, then served',
    ...DONE,
    gets: [2, 2],
    args: SOON,
    fault: once((_get, good) => ({ ...good, stallAfterBytes: 100 })),
  },
  {
    title: 'a truncated body, then served',
    ...DONE,
    gets: [2, 3],
    fault: once((_get, good) => ({ ...good, cutAfterBytes: 100 })),
  },
  {
    title: 'a truncated body for good',
    exitCode: 12,
    code: 'WB_UNAVAILABLE',
    gets: [4, 12],
    fault: (_get, good) => ({ ...good, cutAfterBytes: 0 }),
  },
  {
    title: 'a body that is longer than announced',
    exitCode: 6,
    code: 'WB_SIZE_MISMATCH',
    fault: (_get, good) =>
      add(
        { ...good, body: Buffer.concat([SMALL, SMALL]) },
        { 'Content-Length': String(SMALL.length - 1) },
      ),
  },
  {
    title: 'a Content-Length that is none',
    args: SOON,
    exitCode: 12,
    code: 'WB_GAVE_UP',
    fault: (_get, good) => add(good, { 'Content-Length': 'many' }),
  },
  {
    title: 'two Content-Lengths',
    args: SOON,
    exitCode: 12,
    code: 'WB_GAVE_UP',
    fault: (_get, good) => add(good, { 'Content-Length': '7', 'content-length': '8' }),
  },
  {
    title: 'chunks without the last one, then served',
    ...DONE,
    gets: [2, 2],
    fault: once((_get, good) => ({ ...good, framing: 'chunked', cutAfterBytes: 100 })),
  },
  {
    title: 'a reset in the middle, then served',
    ...DONE,
    fault: once((_get, good) => ({ ...good, cutAfterBytes: 100, cutWith: 'reset' })),
  },
  {
    title: 'a reset instead of a body',
    ...DONE,
    fault: once((_get, good) => ({ ...good, cutAfterBytes: 0, cutWith: 'reset' })),
  },
  {
    title: '416 to every range',
    isLarge: true,
    ...DONE,
    fault: (_get, _good, request) => (isPart(request) ? { status: 416 } : undefined),
  },
  {
    title: '200 to every range',
    isLarge: true,
    ...DONE,
    fault: (_get, good, request) =>
      isPart(request) ? { ...without(good, 'Content-Range'), status: 200, body: LARGE } : undefined,
  },
  {
    title: 'redirects without end',
    exitCode: 12,
    code: 'WB_UNAVAILABLE',
    says: /redirects more than/u,
    fault: (_get, _good, { path }) => ({ status: 302, headers: { Location: path } }),
  },
  {
    title: 'a body compressed on the way',
    exitCode: 2,
    code: 'WB_UNSUPPORTED',
    says: /gzip/u,
    fault: (_get, good) => add(good, { 'Content-Encoding': 'gzip' }),
  },
  {
    title: '204 where there is a file',
    exitCode: 12,
    code: 'WB_UNAVAILABLE',
    fault: () => ({ status: 204 }),
  },
];
