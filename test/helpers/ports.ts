import { createServer } from 'node:net';
import type { Server } from 'node:net';

export { freePort } from '../../src/demo/free-port.js';

/** Ports of 127.0.0.1 in a row that were free a moment ago, below those that the system gives to connections. */
export async function freePorts(count: number): Promise<readonly number[]> {
  for (;;) {
    const first = 10_000 + Math.floor(Math.random() * 20_000);
    const ports = Array.from({ length: count }, (_, index) => first + index);
    const taken = await Promise.allSettled(ports.map(listenAt));
    const servers = taken.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    await Promise.all(
      servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))),
    );
    if (servers.length === count) return ports;
  }
}

function listenAt(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}
