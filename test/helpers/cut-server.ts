/**
 * An HTTP server for the faults that a real one cannot be made to show. In a test:
 *
 *     const server = await startCutServer();
 *     const file = Buffer.from('...');
 *     server.serve('/model.bin', serveFile(file, { etag: '"v1"' }));           // behaves: ranges, If-Match
 *     server.serve('/cut.bin', [cut(sendAll(file), 50), sendAll(file)]);       // first request cut, then good
 *     server.serve('/slow.bin', ({ headers }) => ({ status: 503 }));           // any function
 *     ... server.url + '/model.bin' ...
 *     server.bytesServed('/model.bin'); server.requestsOf('/model.bin').length;
 *     await server.stop();
 */
import { createServer } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** One answer, byte for byte as it goes over the wire. */
export interface CutReply {
  readonly status?: number;
  /** Sent as they are. Content-Length follows from `framing` unless it is given here: then it may lie. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
  /** How the end of the body is told; `length` by default. `close`: only by closing the connection. */
  readonly framing?: 'length' | 'chunked' | 'close';
  /** The connection ends after so many bytes of the body; with `chunked`, without the last chunk. */
  readonly cutAfterBytes?: number;
  /** How it ends when it is cut: politely (FIN, the default), or with a reset. */
  readonly cutWith?: 'close' | 'reset';
  /** Nothing more is sent after so many bytes of the body, and the connection stays open. */
  readonly stallAfterBytes?: number;
  /** Accepts the request and never answers. */
  readonly neverAnswers?: boolean;
  /** Waits before the first byte of the answer. */
  readonly delayMs?: number;
  /** Spreads the body over time. */
  readonly bytesPerSecond?: number;
}

/** A request as it came. */
export interface CutRequest {
  readonly method: string;
  /** The path without its query, still encoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** How many requests for this path came before. */
  readonly index: number;
}

export type CutScript = CutReply | ((request: CutRequest) => CutReply);

export interface CutServer {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  readonly port: number;
  /** Answers a path (encoded, no query). A list is used one a request, its last for all that follow. */
  serve(path: string, script: CutScript | readonly CutScript[]): void;
  /** Answers every path that has no script of its own; 404 by default. */
  serveRest(script: CutScript): void;
  readonly requests: readonly CutRequest[];
  requestsOf(path: string): readonly CutRequest[];
  /** Bytes of bodies that were written for a path, or for all. */
  bytesServed(path?: string): number;
  openConnections(): number;
  /** Closes every connection; what comes next is answered as it is scripted then. */
  dropConnections(): void;
  stop(): Promise<void>;
}

/** Starts the server on a free port of 127.0.0.1. */
export async function startCutServer(): Promise<CutServer> {
  const scripts = new Map<string, readonly CutScript[]>();
  const requests: CutRequest[] = [];
  const served = new Map<string, number>();
  const sockets = new Set<Socket>();
  let rest: CutScript = { status: 404, body: 'not here' };
  const server = createServer((message, response) => {
    const target = new URL(message.url ?? '/', 'http://cut.invalid');
    const path = (message.url ?? '/').replace(/\?.*$/u, '');
    const request: CutRequest = {
      method: message.method ?? 'GET',
      path,
      query: target.searchParams,
      headers: message.headers,
      index: requests.filter((earlier) => earlier.path === path).length,
    };
    requests.push(request);
    message.resume();
    const list = scripts.get(path) ?? [rest];
    const script = list[Math.min(request.index, list.length - 1)] ?? rest;
    const reply = typeof script === 'function' ? script(request) : script;
    // The answer is written past node's own HTTP code, which would mend what must be broken.
    const socket = response.socket;
    if (socket === null) return;
    const count = (bytes: number): void => {
      served.set(path, (served.get(path) ?? 0) + bytes);
    };
    void send(socket, request.method, reply, count).catch(() => socket.destroy());
  });
  server.keepAliveTimeout = 0;
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    serve: (path, script) => {
      scripts.set(path, Array.isArray(script) ? (script as CutScript[]) : [script as CutScript]);
    },
    serveRest: (script) => {
      rest = script;
    },
    requests,
    requestsOf: (path) => requests.filter((request) => request.path === path),
    bytesServed: (path) =>
      path === undefined
        ? [...served.values()].reduce((sum, bytes) => sum + bytes, 0)
        : (served.get(path) ?? 0),
    openConnections: () => sockets.size,
    dropConnections: () => sockets.forEach((socket) => socket.destroy()),
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}

async function send(
  socket: Socket,
  method: string,
  reply: CutReply,
  count: (bytes: number) => void,
): Promise<void> {
  if (reply.neverAnswers === true) return;
  if (reply.delayMs !== undefined) await sleep(reply.delayMs);
  const body = Buffer.from(reply.body ?? '');
  const framing = reply.framing ?? 'length';
  const given = new Set(Object.keys(reply.headers ?? {}).map((name) => name.toLowerCase()));
  const headers: [string, string][] = Object.entries(reply.headers ?? {});
  if (!given.has('date')) headers.push(['Date', new Date().toUTCString()]);
  if (framing === 'length' && !given.has('content-length')) {
    headers.push(['Content-Length', String(body.length)]);
  }
  if (framing === 'chunked') headers.push(['Transfer-Encoding', 'chunked']);
  headers.push(['Connection', 'close']);
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  await write(socket, `HTTP/1.1 ${reply.status ?? 200} Scripted\r\n${lines}\r\n`);
  if (method === 'HEAD') {
    socket.end();
    return;
  }
  const limit = Math.min(
    reply.cutAfterBytes ?? body.length,
    reply.stallAfterBytes ?? body.length,
    body.length,
  );
  await sendBody(socket, body.subarray(0, limit), framing, reply.bytesPerSecond, count);
  if (reply.stallAfterBytes !== undefined) return;
  if (reply.cutAfterBytes !== undefined) {
    if (reply.cutWith === 'reset') socket.resetAndDestroy();
    else socket.end();
    return;
  }
  if (framing === 'chunked') await write(socket, '0\r\n\r\n');
  socket.end();
}

async function sendBody(
  socket: Socket,
  body: Buffer,
  framing: 'length' | 'chunked' | 'close',
  bytesPerSecond: number | undefined,
  count: (bytes: number) => void,
): Promise<void> {
  const tickMs = Math.max(20, 1_000 / (bytesPerSecond ?? 1_000));
  const step =
    bytesPerSecond === undefined ? 64 * 1024 : Math.max(1, (bytesPerSecond * tickMs) / 1000);
  for (let offset = 0; offset < body.length && !socket.destroyed;) {
    const piece = body.subarray(offset, offset + Math.ceil(step));
    if (framing === 'chunked') await write(socket, `${piece.length.toString(16)}\r\n`);
    await write(socket, piece);
    if (framing === 'chunked') await write(socket, '\r\n');
    count(piece.length);
    offset += piece.length;
    if (bytesPerSecond !== undefined) await sleep(tickMs);
  }
}

async function write(socket: Socket, data: Buffer | string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    if (socket.destroyed) reject(new Error('the client has gone'));
    else socket.write(data, (error) => (error instanceof Error ? reject(error) : resolve()));
  });
}

/** A whole answer with a Content-Length and nothing else. */
export function sendAll(body: Buffer | string, headers: Record<string, string> = {}): CutReply {
  return { status: 200, headers, body };
}

/** The same answer, whose connection ends after so many bytes of the body. */
export function cut(reply: CutReply, afterBytes: number): CutReply {
  return { ...reply, cutAfterBytes: afterBytes };
}

export interface ServeFileOptions {
  readonly etag?: string;
  readonly lastModified?: string;
  /** False: every range is answered with 200 and the whole body. */
  readonly hasRanges?: boolean;
  readonly bytesPerSecond?: number;
}

/** A well-behaved file: 200, 206 with Content-Range, 416, 412 on If-Match, 304 on nothing. */
export function serveFile(
  body: Buffer,
  options: ServeFileOptions = {},
): (request: CutRequest) => CutReply {
  return ({ headers }) => {
    const common: Record<string, string> = {
      'Content-Type': 'application/octet-stream',
      ...(options.hasRanges === false ? {} : { 'Accept-Ranges': 'bytes' }),
      ...(options.etag === undefined ? {} : { ETag: options.etag }),
      ...(options.lastModified === undefined ? {} : { 'Last-Modified': options.lastModified }),
    };
    const pace =
      options.bytesPerSecond === undefined ? {} : { bytesPerSecond: options.bytesPerSecond };
    const ifMatch = headers['if-match'];
    if (ifMatch !== undefined && ifMatch !== options.etag) return { status: 412, headers: common };
    const range = /^bytes=(\d+)-(\d*)$/u.exec(headers.range ?? '');
    const ifRange = headers['if-range'];
    const rangeHolds = ifRange === undefined || ifRange === options.etag;
    if (range === null || options.hasRanges === false || !rangeHolds) {
      return { status: 200, headers: common, body, ...pace };
    }
    const start = Number(range[1]);
    const end = Math.min(range[2] === '' ? Infinity : Number(range[2]), body.length - 1);
    if (start >= body.length || start > end) {
      return { status: 416, headers: { ...common, 'Content-Range': `bytes */${body.length}` } };
    }
    return {
      status: 206,
      headers: { ...common, 'Content-Range': `bytes ${start}-${end}/${body.length}` },
      body: body.subarray(start, end + 1),
      ...pace,
    };
  };
}
