/**
 * Decrypts for Temporal's web page and CLI, which ask with the payloads that they have (POST /decode). It listens on this
 * host alone and answers pages of one origin; whoever is on this host can ask it while it runs.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { asWaybillError, WaybillError } from '../model/errors.js';
import type { EncryptingCodec } from './encrypting-codec.js';

/** What Temporal's page sends at once, with room to spare. */
const MAX_BODY_BYTES = 16 * 1024 * 1024;

/** Any other name that leads here was made to lead here (DNS rebinding). */
const OWN_HOST = /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/;

export interface CodecServerOptions {
  readonly codec: EncryptingCodec;
  /** 0: a free one. */
  readonly port: number;
  /** Of Temporal's web page: `https://temporal.example`. */
  readonly uiOrigin: string;
}

/** Starts it; answers its address and how to end it. Throws WB_USAGE where the port is taken. */
export async function startCodecServer(
  options: CodecServerOptions,
): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const server: Server = createServer(
    (request, response) => void answer(options, request, response),
  );
  try {
    server.listen(options.port, '127.0.0.1');
    await once(server, 'listening');
  } catch (error) {
    const why = `cannot listen on 127.0.0.1:${options.port} (${String((error as { code?: unknown }).code)})`;
    throw new WaybillError('WB_USAGE', `${why}; choose another --port`, { cause: error });
  }
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    stop: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answer(
  { codec, uiOrigin }: CodecServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { origin, host = '' } = request.headers;
  const end = (status: number, body?: unknown): void => {
    response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
    response.end(body === undefined ? '' : JSON.stringify(body));
  };
  if (!OWN_HOST.test(host)) return end(421, { message: 'ask for 127.0.0.1' });
  if (origin !== undefined && origin !== uiOrigin) {
    return end(403, { message: `only pages of ${uiOrigin} are answered (--ui-origin)` });
  }
  if (origin !== undefined) {
    response.setHeader('access-control-allow-origin', origin);
    response.setHeader('vary', 'origin');
    response.setHeader('access-control-allow-methods', 'POST, OPTIONS');
    response.setHeader('access-control-allow-headers', 'content-type, x-namespace, authorization');
    // A page of the network that asks this host, which browsers ask about first.
    response.setHeader('access-control-allow-private-network', 'true');
  }
  if (request.method === 'OPTIONS') return end(204);
  if (request.method !== 'POST' || !/^\/decode(\?|$)/.test(request.url ?? '')) {
    return end(404, { message: 'POST /decode is all there is' });
  }
  try {
    end(200, { payloads: decoded(codec, await bodyOf(request)) });
  } catch (error) {
    end(400, { message: asWaybillError(error).message });
  }
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    size += piece.length;
    if (size > MAX_BODY_BYTES) throw new WaybillError('WB_USAGE', 'more than 16 MiB at once');
    pieces.push(piece);
  }
  try {
    return JSON.parse(Buffer.concat(pieces).toString('utf8'));
  } catch (error) {
    throw new WaybillError('WB_USAGE', 'the body is no JSON', { cause: error });
  }
}

interface JsonPayload {
  readonly metadata?: Readonly<Record<string, string>>;
  readonly data?: string;
}

function decoded(codec: EncryptingCodec, body: unknown): JsonPayload[] {
  const payloads = (body as { payloads?: unknown } | null)?.payloads;
  if (!Array.isArray(payloads)) throw new WaybillError('WB_USAGE', 'the body has no payloads');
  const bytes = (text: unknown): Buffer =>
    Buffer.from(typeof text === 'string' ? text : '', 'base64');
  return (payloads as readonly JsonPayload[]).map(({ metadata = {}, data }) => {
    const entries = Object.entries(metadata).map(([name, value]) => [name, bytes(value)] as const);
    const open = codec.open({ metadata: Object.fromEntries(entries), data: bytes(data) });
    const text = (value: Uint8Array): string => Buffer.from(value).toString('base64');
    const plain = Object.entries(open.metadata ?? {}).map(([name, value]) => [name, text(value)]);
    return {
      metadata: Object.fromEntries(plain) as Record<string, string>,
      ...(open.data ? { data: text(open.data) } : {}),
    };
  });
}
