/**
 * An HTTP server that stands before another and decides what reaches it. In a test:
 *
 *     const gate = await startHttpGate((request, response) => {
 *       if (mayCome(request)) passOn(request, response, { port: server.port });
 *       else response.writeHead(403).end();
 *     });
 *     ... gate.url ...
 *     await gate.stop();
 */
import { createServer, request as requestOf } from 'node:http';
import type {
  IncomingHttpHeaders,
  IncomingMessage,
  OutgoingHttpHeaders,
  ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline, type Duplex } from 'node:stream';

export interface HttpGate {
  readonly url: string;
  readonly port: number;
  stop(): Promise<void>;
}

/** Starts one on a free port. */
export async function startHttpGate(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<HttpGate> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    stop: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** Where a request goes, and what of it is changed on the way. */
export interface Onward {
  /** On 127.0.0.1. */
  readonly port: number;
  /** Default: that of the request. */
  readonly path?: string;
  /** Default: those of the request. */
  readonly headers?: IncomingHttpHeaders;
  /** The headers of an answer as they go back. */
  readonly back?: (headers: IncomingHttpHeaders) => OutgoingHttpHeaders;
  /** What the bytes of an answer go through. */
  readonly through?: Duplex | undefined;
}

/** Hands a request to the server behind, and its answer back; what breaks here breaks there. */
export function passOn(
  request: IncomingMessage,
  response: ServerResponse,
  { port, path = request.url, headers = request.headers, back, through }: Onward,
): void {
  const { method } = request;
  const onward = requestOf({ host: '127.0.0.1', port, method, path, headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 0, back?.(answer.headers) ?? answer.headers);
    if (through === undefined) pipeline(answer, response, () => undefined);
    else pipeline(answer, through, response, () => undefined);
  });
  onward.on('error', () => response.destroy());
  response.on('close', () => onward.destroy());
  request.pipe(onward);
}
