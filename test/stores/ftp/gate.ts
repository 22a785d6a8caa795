/**
 * A relay before an FTP server that tells its clients other ports for data than the server does: those of proxies before them,
 * which know nothing of FTP.
 */
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

export interface Gate {
  readonly port: number;
  /** By the server's ports for data, what clients are told instead; a port that is not there is told as it is. */
  announce(ports: ReadonlyMap<number, number>): void;
  stop(): Promise<void>;
}

/** Starts one before a port of 127.0.0.1. */
export async function startGate(upstream: number): Promise<Gate> {
  const sockets = new Set<Socket>();
  let announced: ReadonlyMap<number, number> = new Map();
  const server = createServer((client) => {
    const there = connect({ host: '127.0.0.1', port: upstream });
    for (const socket of [client, there]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        there.destroy();
      });
    }
    client.pipe(there);
    there.on('data', (bytes) => {
      const text = bytes
        .toString('latin1')
        .replace(
          /\(\|\|\|(\d+)\|\)/,
          (_, port: string) => `(|||${announced.get(Number(port)) ?? port}|)`,
        );
      client.write(Buffer.from(text, 'latin1'));
    });
    there.on('end', () => client.end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    announce: (ports) => {
      announced = ports;
    },
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
