/**
 * Stands before a Hadoop cluster as Knox does: name nodes and data nodes at one address, and the redirects between them written
 * anew; with a password, where there is one to give.
 */
import { createServer, request as requestOf } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream';

export interface Gateway {
  readonly url: string;
  readonly port: number;
  /** The address of each request that came. */
  readonly asked: string[];
  /** Answers the next requests for this operation itself, until it is emptied. */
  readonly instead: Map<string, (response: ServerResponse) => void>;
  stop(): Promise<void>;
}

/** @param basic user and password that are let in, and become `user.name`; absent: everybody */
export async function startGateway(nameNodePort: number, basic?: string): Promise<Gateway> {
  const asked: string[] = [];
  const instead: Gateway['instead'] = new Map();
  const expected = `Basic ${Buffer.from(basic ?? '').toString('base64')}`;
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    const url = new URL(request.url ?? '', 'http://gateway');
    const own = instead.get(url.searchParams.get('op') ?? '');
    if (own !== undefined) own(response);
    else if (basic === undefined || request.headers.authorization === expected) {
      if (basic !== undefined) url.searchParams.set('user.name', basic.split(':')[0] ?? '');
      pass(request, response, url, nameNodePort);
    } else {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="gateway"' });
      response.end('<html><title>401 Unauthorized</title></html>');
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    asked,
    instead,
    stop: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function pass(
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
  nameNodePort: number,
): void {
  const [, dataNode, below] = /^\/data\/(\d+)(\/.*)$/.exec(url.pathname) ?? [];
  const path = (below ?? url.pathname) + url.search;
  const port = dataNode === undefined ? nameNodePort : Number(dataNode);
  const { host, authorization: _, ...headers } = request.headers;
  const onward = requestOf(
    { host: '127.0.0.1', port, method: request.method, path, headers },
    (answer) => {
      const { location, ...rest } = answer.headers;
      const to = location === undefined ? undefined : new URL(location);
      const moved =
        to === undefined
          ? {}
          : { location: `http://${host ?? ''}/data/${to.port}${url.pathname}${to.search}` };
      response.writeHead(answer.statusCode ?? 0, { ...rest, ...moved });
      pipeline(answer, response, () => undefined);
    },
  );
  onward.on('error', () => response.destroy());
  response.on('close', () => onward.destroy());
  request.pipe(onward);
}
