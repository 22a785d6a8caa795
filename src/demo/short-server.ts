import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ShortServer {
  readonly url: string;
  stop(): Promise<void>;
}

/** Announces a file of `sizeBytes`, sends the first half of it and closes the connection. */
export async function startShortServer(fileName: string, sizeBytes: number): Promise<ShortServer> {
  const server = createServer((request, response) => {
    response.writeHead(200, { 'Content-Length': sizeBytes });
    if (request.method === 'HEAD') response.end();
    else response.write(Buffer.alloc(sizeBytes / 2, 'w'), () => response.destroy());
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/${fileName}`,
    stop: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}
