/**
 * Stands before a Hadoop cluster as Knox does: name nodes and data nodes at one address, and the redirects between them written
 * anew; with a password, where there is one to give.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { passOn, startHttpGate, type HttpGate } from '../../helpers/http-gate.js';

export interface Gateway extends HttpGate {
  /** The address of each request that came. */
  readonly asked: string[];
  /** Answers the next requests for this operation itself, until it is emptied. */
  readonly instead: Map<string, (response: ServerResponse) => void>;
  /** What the bytes of the next answers go through, by the operation. */
  readonly through: Map<string, (url: URL) => Duplex | undefined>;
}

/** @param basic user and password that are let in, and become `user.name`; absent: everybody */
export async function startGateway(nameNodePort: number, basic?: string): Promise<Gateway> {
  const asked: string[] = [];
  const instead: Gateway['instead'] = new Map();
  const through: Gateway['through'] = new Map();
  const expected = `Basic ${Buffer.from(basic ?? '').toString('base64')}`;
  const gate = await startHttpGate((request, response) => {
    asked.push(request.url ?? '');
    const url = new URL(request.url ?? '', 'http://gateway');
    const op = url.searchParams.get('op') ?? '';
    const own = instead.get(op);
    if (own !== undefined) own(response);
    else if (basic === undefined || request.headers.authorization === expected) {
      if (basic !== undefined) url.searchParams.set('user.name', basic.split(':')[0] ?? '');
      pass(request, response, { url, nameNodePort, through: through.get(op)?.(url) });
    } else {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="gateway"' });
      response.end('<html><title>401 Unauthorized</title></html>');
    }
  });
  return { ...gate, asked, instead, through };
}

interface Passing {
  readonly url: URL;
  readonly nameNodePort: number;
  readonly through: Duplex | undefined;
}

function pass(
  request: IncomingMessage,
  response: ServerResponse,
  { url, nameNodePort, through }: Passing,
): void {
  const [, dataNode, below] = /^\/data\/(\d+)(\/.*)$/.exec(url.pathname) ?? [];
  const { host, authorization: _, ...headers } = request.headers;
  passOn(request, response, {
    port: dataNode === undefined ? nameNodePort : Number(dataNode),
    path: (below ?? url.pathname) + url.search,
    headers,
    back: ({ location, ...rest }) => {
      if (location === undefined) return rest;
      const { port, search } = new URL(location);
      return { ...rest, location: `http://${host ?? ''}/data/${port}${url.pathname}${search}` };
    },
    through,
  });
}
