/** The only way from a pull to its source: a TCP proxy that can be shut, and that knows when bytes flow again. */
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

/** A running gate before one server. */
export interface Gate {
  readonly port: number;
  /** Resets every connection, and every new one until `open`. */
  shut(): void;
  open(): void;
  /** Bytes of answers passed on so far. */
  bytesPassed(): number;
  /** When the first byte came on a connection that was opened after `sinceMs`; undefined: not yet. */
  firstByteAfter(sinceMs: number): number | undefined;
  stop(): Promise<void>;
}

interface Passage {
  readonly openedMs: number;
  firstByteMs?: number;
}

/** Passages older than the last so many are forgotten. */
const KEPT = 2_000;

/** Starts a gate on a free port of 127.0.0.1. Times are of `performance.now()`. */
export async function startGate(targetPort: number): Promise<Gate> {
  const sockets = new Set<Socket>();
  let passages: Passage[] = [];
  let isShut = false;
  let bytes = 0;
  const server = createServer((client) => {
    client.on('error', () => client.destroy());
    if (isShut) {
      client.resetAndDestroy();
      return;
    }
    const passage: Passage = { openedMs: performance.now() };
    passages.push(passage);
    if (passages.length > 2 * KEPT) passages = passages.slice(-KEPT);
    const upstream = connect(targetPort, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    }
    upstream.on('data', (chunk: Buffer) => {
      passage.firstByteMs ??= performance.now();
      bytes += chunk.length;
    });
    upstream.on('error', () => client.resetAndDestroy());
    client.once('close', () => upstream.destroy());
    upstream.once('close', () => client.end());
    client.pipe(upstream);
    upstream.pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const reset = (): void => {
    for (const socket of sockets) {
      if (socket.remotePort !== targetPort) socket.resetAndDestroy();
    }
  };
  return {
    port,
    shut: () => {
      isShut = true;
      reset();
    },
    open: () => {
      isShut = false;
    },
    bytesPassed: () => bytes,
    firstByteAfter: (sinceMs) =>
      passages.find(({ openedMs, firstByteMs }) => openedMs > sinceMs && firstByteMs !== undefined)
        ?.firstByteMs,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
