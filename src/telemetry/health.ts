/** What an orchestrator asks a worker: whether it lives, and whether it serves. */
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';

/** Where a worker stands. */
export type Readiness =
  | 'connecting'
  | 'ready'
  | 'draining'
  /** Temporal has not answered for a while. */
  | 'unreachable';

/** Answers `/healthz` (200 as long as the process can answer) and `/readyz` (200 or 503, and why). */
export async function listenHealth(
  { host, port }: { readonly host: string; readonly port: number },
  readiness: () => Readiness,
): Promise<Server> {
  const server = createServer((request, response) => {
    const [path] = (request.url ?? '').split('?');
    const state = readiness();
    const status = path === '/healthz' || state === 'ready' ? 200 : 503;
    if (request.method !== 'GET' && request.method !== 'HEAD') response.writeHead(405).end();
    else if (path !== '/healthz' && path !== '/readyz') response.writeHead(404).end();
    else {
      const body = JSON.stringify({ status: path === '/healthz' ? 'alive' : state });
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(request.method === 'HEAD' ? undefined : `${body}\n`);
    }
  });
  // A probe is over in a moment; whoever dawdles holds nothing up.
  server.requestTimeout = 5_000;
  server.listen(port, host);
  await once(server, 'listening');
  server.unref();
  return server;
}
