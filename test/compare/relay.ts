/** A TCP relay before a real server: it can slow the answers down, turn one bit of them, and counts them. */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A running relay. */
export interface Relay {
  readonly url: string;
  /** Bytes that came from the server so far. */
  bytesPassed(): number;
  /** From now on one bit is turned in each connection, so many bytes behind the start of its answer; undefined: none. */
  setFlip(atBytes: number | undefined): void;
  stop(): Promise<void>;
}

/** @param bytesPerSecond of each connection */
export async function startRelay(port: number, bytesPerSecond = Infinity): Promise<Relay> {
  const sockets = new Set<Socket>();
  let passed = 0;
  let flipAt: number | undefined;
  const server = createServer((client) => {
    const upstream = connect({ host: '127.0.0.1', port });
    let seen = 0;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.on('data', (chunk) => void upstream.write(chunk));
    upstream.on('data', (chunk) => {
      const at = flipAt === undefined ? -1 : flipAt - seen;
      const byte = chunk[at];
      if (byte !== undefined) chunk[at] = byte ^ 1;
      seen += chunk.length;
      passed += chunk.length;
      upstream.pause();
      client.write(chunk, () => {
        const waitMs = (chunk.length / bytesPerSecond) * 1_000;
        setTimeout(() => upstream.resume(), waitMs);
      });
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    bytesPassed: () => passed,
    setFlip: (atBytes) => (flipAt = atBytes),
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}
