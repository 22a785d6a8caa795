/**
 * A relay before an FTP server through whose one port the data connections come as well, so that a proxy before it, which
 * knows nothing of FTP, makes its faults to them too.
 */
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

export interface Gate {
  readonly port: number;
  /** The port that clients are sent to for data: that of a proxy before the gate. */
  announce(port: number): void;
  stop(): Promise<void>;
}

/** Starts one before a port of 127.0.0.1. */
export async function startGate(upstream: number): Promise<Gate> {
  const sockets = new Set<Socket>();
  const expected: number[] = [];
  let announced = 0;
  const joined = (one: Socket, other: Socket): void => {
    for (const socket of [one, other]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        one.destroy();
        other.destroy();
      });
    }
  };
  const server = createServer((client) => {
    const dataPort = expected.shift();
    const there = connect({ host: '127.0.0.1', port: dataPort ?? upstream });
    joined(client, there);
    client.pipe(there);
    if (dataPort !== undefined) {
      there.pipe(client);
      return;
    }
    there.on('data', (bytes) => {
      const text = bytes.toString('latin1').replace(/\(\|\|\|(\d+)\|\)/, (_, port: string) => {
        expected.push(Number(port));
        return `(|||${announced}|)`;
      });
      client.write(Buffer.from(text, 'latin1'));
    });
    there.on('end', () => client.end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  announced = port;
  return {
    port,
    announce: (next) => {
      announced = next;
    },
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
