import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { keyStreamBytes } from './key-stream.js';

export interface ShapedServerOptions {
  /** The one file that is served; its bytes follow from its name. */
  readonly fileName: string;
  readonly sizeBytes: number;
  /** Of the link as a whole, however many connections share it. */
  readonly bytesPerSecond: number;
}

export interface ShapedServer {
  /** The address of the file. */
  readonly url: string;
  /** Bytes of the file that left the server, of all answers together. */
  bytesServed(): number;
  stop(): Promise<void>;
}

const CHUNK_BYTES = 64 * 1024;
/** The link never owes more than this much time, so that a pause does not become a burst. */
const BURST_MS = 100;

/** Serves one made-up file on 127.0.0.1 with ranges and a strong ETag over a link of limited speed. */
export async function startShapedServer(options: ShapedServerOptions): Promise<ShapedServer> {
  const link = createLink(options.bytesPerSecond);
  const sockets = new Set<Socket>();
  let served = 0;
  const count = (bytes: number): void => {
    served += bytes;
  };
  const server = createServer((request, response) => {
    answer(options, link, count, request, response).catch(() => response.destroy());
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/${options.fileName}`,
    bytesServed: () => served,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}

async function answer(
  { fileName, sizeBytes }: ShapedServerOptions,
  link: (bytes: number) => Promise<void>,
  count: (bytes: number) => void,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const etag = `"${fileName}-${sizeBytes}"`;
  response.setHeader('Accept-Ranges', 'bytes').setHeader('ETag', etag);
  response.setHeader('Content-Type', 'application/octet-stream');
  const ifMatch = request.headers['if-match'];
  if (request.url !== `/${fileName}`) return finish(response, 404);
  if (ifMatch !== undefined && ifMatch !== etag) return finish(response, 412);
  const range = /^bytes=(\d+)-(\d*)$/u.exec(request.headers.range ?? '');
  const start = Number(range?.[1] ?? 0);
  const asked = range?.[2] ?? '';
  const end = asked === '' ? sizeBytes - 1 : Math.min(Number(asked), sizeBytes - 1);
  if (start > end) {
    response.setHeader('Content-Range', `bytes */${sizeBytes}`);
    return finish(response, 416);
  }
  if (range !== null) response.setHeader('Content-Range', `bytes ${start}-${end}/${sizeBytes}`);
  response.writeHead(range === null ? 200 : 206, { 'Content-Length': end - start + 1 });
  if (request.method === 'HEAD') return finish(response);
  for (let offset = start; offset <= end && !response.destroyed; offset += CHUNK_BYTES) {
    const length = Math.min(CHUNK_BYTES, end - offset + 1);
    await link(length);
    if (response.destroyed) return;
    const drained = response.write(keyStreamBytes(fileName, offset, length));
    count(length);
    if (!drained) await drainOrClose(response);
  }
  response.end();
}

function finish(response: ServerResponse, status?: number): void {
  if (status !== undefined) response.statusCode = status;
  response.end();
}

async function drainOrClose(response: ServerResponse): Promise<void> {
  await new Promise<void>((resolve) => {
    const go = (): void => {
      response.off('drain', go).off('close', go);
      resolve();
    };
    response.on('drain', go).on('close', go);
  });
}

/** One link for all: whoever sends waits until what was sent before has had its time. */
function createLink(bytesPerSecond: number): (bytes: number) => Promise<void> {
  let freeAtMs = performance.now();
  return async (bytes) => {
    const now = performance.now();
    freeAtMs = Math.max(freeAtMs, now - BURST_MS) + (bytes / bytesPerSecond) * 1000;
    const waitMs = freeAtMs - now;
    if (waitMs > 1) await sleep(waitMs);
  };
}
