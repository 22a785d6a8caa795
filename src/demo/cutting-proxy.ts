import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { request } from 'undici';

export interface CuttingProxy {
  readonly uri: string;
  stop(): Promise<void>;
}

/**
 * A proxy on 127.0.0.1 that passes on what `origin` answers, but for files whose path ends in `fileName`: of those
 * only the first half, with a Content-Length that fits. A cache that lost the end of a file answers like that.
 */
export async function startCuttingProxy(origin: string, fileName: string): Promise<CuttingProxy> {
  const server = createServer((incoming, response) => {
    const pass = async (): Promise<void> => {
      const chunks: Buffer[] = [];
      for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk);
      const { accept, 'content-type': type } = incoming.headers;
      const answer = await request(`${origin}${incoming.url ?? '/'}`, {
        method: incoming.method === 'POST' ? 'POST' : 'GET',
        headers: {
          ...(accept === undefined ? {} : { accept }),
          ...(type === undefined ? {} : { 'content-type': type }),
        },
        ...(chunks.length === 0 ? {} : { body: Buffer.concat(chunks) }),
      });
      const whole = Buffer.from(await answer.body.arrayBuffer());
      const path = (incoming.url ?? '').replace(/\?.*$/u, '');
      const isCut = answer.statusCode === 200 && path.endsWith(`/${fileName}`);
      const body = isCut ? whole.subarray(0, whole.length / 2) : whole;
      const kind = answer.headers['content-type'];
      response.writeHead(answer.statusCode, {
        'Content-Length': body.length,
        ...(kind === undefined ? {} : { 'Content-Type': kind }),
      });
      response.end(incoming.method === 'HEAD' ? undefined : body);
    };
    pass().catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    uri: `http://127.0.0.1:${port}`,
    stop: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}
