/** A TCP proxy before a real server that cuts or stalls its answers, and counts connections. */
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

/** What the proxy does to the bytes that come from the server. */
export type Fault =
  | { readonly kind: 'none' }
  /** Close the connection after so many bytes of it. */
  | { readonly kind: 'cut'; readonly afterBytes: number }
  /** Reset the connection after so many bytes of it. */
  | { readonly kind: 'reset'; readonly afterBytes: number }
  /** Pass nothing on after so many bytes, and keep the connection open. */
  | { readonly kind: 'stall'; readonly afterBytes: number };

/** A running proxy. */
export interface FaultProxy {
  readonly host: string;
  readonly port: number;
  /** Holds for connections opened from now on. */
  setFault(fault: Fault): void;
  /** Connections that the client holds open now. */
  openConnections(): number;
  /** Connections that were opened so far. */
  totalConnections(): number;
  stop(): Promise<void>;
}

function relay(client: Socket, upstream: Socket, fault: Fault): void {
  let seenBytes = 0;
  client.on('data', (chunk) => upstream.write(chunk));
  upstream.on('data', (chunk) => {
    if (fault.kind === 'none') {
      // Without back-pressure an aborted client would be noticed only after the whole body was buffered.
      if (!client.write(chunk)) {
        upstream.pause();
        client.once('drain', () => upstream.resume());
      }
      return;
    }
    const room = fault.afterBytes - seenBytes;
    seenBytes += chunk.length;
    if (room > 0) client.write(chunk.subarray(0, room));
    if (seenBytes < fault.afterBytes) return;
    upstream.pause();
    if (fault.kind === 'cut') client.end();
    if (fault.kind === 'reset') client.resetAndDestroy();
  });
  const endBoth = (): void => {
    client.destroy();
    upstream.destroy();
  };
  client.on('error', endBoth).on('close', endBoth);
  upstream.on('error', endBoth).on('end', () => client.end());
}

/** Starts a proxy on 127.0.0.1 before `target`. */
export async function startFaultProxy(target: { host: string; port: number }): Promise<FaultProxy> {
  const clients = new Set<Socket>();
  let fault: Fault = { kind: 'none' };
  let total = 0;
  const server = createServer((client) => {
    total += 1;
    clients.add(client);
    client.on('close', () => clients.delete(client));
    relay(client, connect(target), fault);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    host: '127.0.0.1',
    port,
    setFault: (next) => {
      fault = next;
    },
    openConnections: () => clients.size,
    totalConnections: () => total,
    stop: async () => {
      for (const client of clients) client.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** A port of 127.0.0.1 on which nothing listens. */
export async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}
