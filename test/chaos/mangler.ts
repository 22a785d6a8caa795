/** A scripted proxy before a real server: it passes everything on, but for the answers that it is told to damage. */
import { createServer, request as sendRequest, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

/** An answer of the real server. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** What is sent in its place; `cutAfterBytes`: the connection ends there, whatever the length said. */
export interface Mangled {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly cutAfterBytes?: number;
}

/** Answers what to send instead, or undefined to pass the answer on. */
export type Mangle = (path: string, answer: Answer) => Mangled | undefined;

export interface Mangler {
  readonly url: string;
  readonly port: number;
  /** Holds until the next call; undefined: nothing is damaged. */
  setMangle(mangle: Mangle | undefined): void;
  /** How many answers were damaged since `setMangle`. */
  damaged(): number;
  stop(): Promise<void>;
}

/** Starts it on a free port of 127.0.0.1. */
export async function startMangler(targetPort: number): Promise<Mangler> {
  let mangle: Mangle | undefined;
  let damaged = 0;
  const server = createServer((incoming, outgoing) => {
    const onward = sendRequest(
      {
        host: '127.0.0.1',
        port: targetPort,
        method: incoming.method,
        path: incoming.url,
        headers: incoming.headers,
      },
      (answer) => {
        const pieces: Buffer[] = [];
        answer.on('data', (piece: Buffer) => pieces.push(piece));
        answer.on('end', () => {
          const { statusCode: status = 502, headers } = answer;
          const whole = { status, headers, body: Buffer.concat(pieces) };
          const isBody = incoming.method === 'GET' && whole.body.length > 0 && status < 300;
          const wrong = isBody ? mangle?.(incoming.url ?? '', whole) : undefined;
          if (wrong !== undefined) damaged += 1;
          const body = wrong?.body ?? whole.body;
          const { 'transfer-encoding': _chunked, connection: _connection, ...kept } = headers;
          const length = incoming.method === 'HEAD' ? headers['content-length'] : body.length;
          outgoing.writeHead(status, {
            ...kept,
            ...(length === undefined ? {} : { 'content-length': length }),
            ...wrong?.headers,
          });
          if (wrong?.cutAfterBytes === undefined) outgoing.end(body);
          else {
            const { socket } = outgoing;
            outgoing.write(body.subarray(0, wrong.cutAfterBytes), () => socket?.end());
          }
        });
      },
    );
    onward.on('error', () => outgoing.destroy());
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    setMangle: (next) => {
      mangle = next;
      damaged = 0;
    },
    damaged: () => damaged,
    stop: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
