/**
 * A relay on a port that stays, for services whose address is written down once: some of what comes can be led elsewhere. In a test:
 *
 *     const before = await startSwitch(minio.port, /X-Amz-Signature=/);
 *     ... a service that is told http://127.0.0.1:${before.port} ...
 *     before.leadTo(proxy.port);     // connections from now on whose first words match
 *     await before.stop();
 */
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

export interface Switch {
  readonly port: number;
  leadTo(port: number): void;
  stop(): Promise<void>;
}

/** Starts one on 127.0.0.1 before a port of it. What breaks behind it breaks before it. */
export async function startSwitch(target: number, matching: RegExp): Promise<Switch> {
  const sockets = new Set<Socket>();
  let leadsTo = target;
  const server = createServer((client) => {
    sockets.add(client);
    client.on('error', () => client.destroy());
    client.on('close', () => sockets.delete(client));
    client.once('data', (first) => {
      client.pause();
      const isMatch = matching.test(first.toString('latin1'));
      const there = connect({ host: '127.0.0.1', port: isMatch ? leadsTo : target });
      there.on('error', () => client.resetAndDestroy());
      there.on('close', () => client.end());
      client.on('close', () => there.destroy());
      there.write(first);
      client.pipe(there);
      there.pipe(client);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    leadTo: (next) => {
      leadsTo = next;
    },
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
