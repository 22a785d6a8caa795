/** A TCP relay before a real server that writes down what is asked of it, request by request. */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A running relay. */
export interface AskedFor {
  readonly url: string;
  /** `GET /bucket?list-type=2`, in the order in which they came; how many connections were opened. */
  requests(): readonly string[];
  connections(): number;
  stop(): Promise<void>;
}

/** @param port of 127.0.0.1; clients that do not pipeline, and send no bodies, are understood */
export async function startAskedFor(port: number): Promise<AskedFor> {
  const sockets = new Set<Socket>();
  const asked: string[] = [];
  let opened = 0;
  const server = createServer((client) => {
    opened += 1;
    const upstream = connect({ host: '127.0.0.1', port });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.on('data', (chunk) => {
      const line = /^([A-Z]+ \S+) HTTP\/1\.1\r\n/u.exec(chunk.toString('latin1'))?.[1];
      if (line !== undefined) asked.push(line);
    });
    client.pipe(upstream).pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: () => asked,
    connections: () => opened,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
