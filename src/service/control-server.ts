/** The service's side of the control socket. */
import { chmodSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { toPlainError, WaybillError } from '../model/errors.js';
import {
  controlRequestSchema,
  MAX_LINE_BYTES,
  type ControlReply,
  type ControlRequest,
  type ServiceStatus,
} from './control-protocol.js';
import type { CredentialsVault } from './credentials-vault.js';
import { readLines } from './lines.js';
import type { Meeting } from './meeting.js';
import { removeFile } from './service-files.js';

/** What the verbs act on. */
export interface ControlDeps {
  readonly vault: CredentialsVault;
  status(clients: number, isFresh: boolean): ServiceStatus | Promise<ServiceStatus>;
  meet(clients: number, isFresh: boolean): Promise<Meeting>;
  /** `Waybill 1.2.3`, for a command of another version. */
  readonly name: string;
  keep(on: boolean): void;
  /** Begins to stop; returns at once. */
  stop(): void;
  /** The number of clients changed. */
  onClients(clients: number): void;
}

/** A listening control socket. */
export interface ControlServer {
  readonly clients: number;
  /** Stops listening, removes the socket and closes every connection. */
  close(): Promise<void>;
}

/**
 * Listens on a Unix socket, mode 0600. A file that is there already is removed: the caller holds the start
 * lock, so nobody listens on it.
 */
export async function listenControl(path: string, deps: ControlDeps): Promise<ControlServer> {
  const sockets = new Set<Socket>();
  const holders = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => {
      sockets.delete(socket);
      if (holders.delete(socket)) deps.onClients(holders.size);
    });
    readLines(socket, MAX_LINE_BYTES, (line) => {
      void answer(line, socket, holders, deps).then((reply) => {
        if (!socket.destroyed) socket.write(`${JSON.stringify(reply)}\n`);
      });
    });
  });
  removeFile(path);
  await listen(server, path);
  return {
    get clients() {
      return holders.size;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroySoon();
      }),
  };
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      chmodSync(path, 0o600);
      server.off('error', reject);
      resolve();
    });
  });
}

async function answer(
  line: string,
  socket: Socket,
  holders: Set<Socket>,
  deps: ControlDeps,
): Promise<ControlReply> {
  const { id, request } = parse(line);
  try {
    if (request === undefined) {
      throw new WaybillError(
        'WB_VERSION_SKEW',
        `The local service is ${deps.name} and does not understand this request, which is of another ` +
          'version. Run `waybill down` with the newer of the two, then the same command.',
      );
    }
    return { id, ok: true, result: await obey(request, socket, holders, deps) };
  } catch (error) {
    return { id, ok: false, error: toPlainError(error) };
  }
}

function obey(
  request: ControlRequest,
  socket: Socket,
  holders: Set<Socket>,
  deps: ControlDeps,
): unknown {
  switch (request.verb) {
    case 'meet':
      return deps.meet(holders.size, request.fresh);
    case 'status':
      return deps.status(holders.size, request.fresh);
    case 'put-credentials':
      return { fingerprint: deps.vault.put(request.secrets) };
    case 'get-credentials':
      return { secrets: deps.vault.get(request.fingerprint) };
    case 'hold':
      holders.add(socket);
      deps.onClients(holders.size);
      return {};
    case 'release':
      if (holders.delete(socket)) deps.onClients(holders.size);
      return {};
    case 'keep':
      deps.keep(request.on);
      return {};
    case 'stop':
      // After the reply: stopping closes this connection too.
      setImmediate(() => deps.stop());
      return {};
  }
}

function parse(line: string): { id: number; request: ControlRequest | undefined } {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return { id: 0, request: undefined };
  }
  const id =
    typeof value === 'object' && value !== null && 'id' in value && typeof value.id === 'number'
      ? value.id
      : 0;
  return { id, request: controlRequestSchema.safeParse(value).data };
}
