/** The connections of a store: few, each shared by several readers, opened when they are wanted. */
import type { Client, ClientChannel } from 'ssh2';
import { asError } from '../lib/as-error.js';
import type { SftpConfig } from './config.js';
import { connectSsh } from './connect.js';
import { connectError } from './errors.js';
import { SftpSession } from './session.js';

/** Readers on one connection before another is opened: one stream of cipher text fills no fast network. */
const READERS_EACH = 4;

/** Of one thread; a server lets about ten in at once that have not signed in yet. */
const MAX_CONNECTIONS = 4;

/** A connection for as long as it is used. Given back once, whatever happened. */
export interface Lease {
  readonly session: SftpSession;
  readonly client: Client;
  /** @param isLeft answers may still come that nobody waits for */
  release(isLeft?: boolean): void;
}

interface Connection {
  readonly client: Client;
  readonly session: SftpSession;
  users: number;
  isRetiring: boolean;
}

export class ConnectionPool {
  private readonly connections = new Set<Connection>();
  private opening: Promise<Connection> | undefined;
  private readonly ending = new AbortController();
  /** Lowered where the server takes no more. */
  private most = MAX_CONNECTIONS;

  constructor(private readonly config: SftpConfig) {}

  /** Rejects with why no connection could be had, or the signal's reason. */
  async lease(signal?: AbortSignal): Promise<Lease> {
    for (;;) {
      signal?.throwIfAborted();
      const best = this.leastUsed();
      if (best && (best.users < READERS_EACH || this.connections.size >= this.most)) {
        return this.leaseOf(best);
      }
      this.opening ??= this.open().finally(() => (this.opening = undefined));
      try {
        await orAbort(this.opening, signal);
      } catch (error) {
        signal?.throwIfAborted();
        // One that answers is enough: more were a wish.
        if (!this.leastUsed() || this.ending.signal.aborted) throw error;
        this.most = Math.max(1, this.connections.size);
      }
    }
  }

  /** Ends all connections, those in use too. */
  close(): void {
    this.ending.abort(connectError('WB_UNAVAILABLE', 'the store was closed'));
    for (const connection of this.connections) this.drop(connection);
  }

  private leastUsed(): Connection | undefined {
    const usable = [...this.connections].filter((one) => one.session.isOpen && !one.isRetiring);
    return usable.sort((a, b) => a.users - b.users)[0];
  }

  private async open(): Promise<Connection> {
    const { signal } = this.ending;
    signal.throwIfAborted();
    const client = await connectSsh(this.config, signal);
    // Each question to its shell listens for its end.
    client.setMaxListeners(0);
    client.on('error', () => client.destroy());
    try {
      const channel = await openChannel(client, this.config, signal);
      const session = new SftpSession(channel, this.config.shown, this.config.timeouts.stallMs);
      await orAbort(session.start(), signal);
      const connection: Connection = { client, session, users: 0, isRetiring: false };
      const gone = (cause?: Error): void => {
        const why = `${this.config.shown} broke off the connection`;
        session.end(connectError('WB_UNAVAILABLE', why, { cause }));
        this.connections.delete(connection);
      };
      client.once('close', () => gone());
      client.on('error', gone);
      this.connections.add(connection);
      return connection;
    } catch (error) {
      client.destroy();
      throw error;
    }
  }

  private leaseOf(connection: Connection): Lease {
    const { client, session } = connection;
    connection.users += 1;
    let isHeld = true;
    return {
      client,
      session,
      release: (isLeft = false) => {
        if (!isHeld) return;
        isHeld = false;
        connection.users -= 1;
        if (isLeft) connection.isRetiring = true;
        if (!session.isOpen || (connection.isRetiring && connection.users === 0))
          this.drop(connection);
      },
    };
  }

  private drop(connection: Connection): void {
    this.connections.delete(connection);
    connection.session.end(
      connectError('WB_UNAVAILABLE', `${this.config.shown}: the connection was ended`),
    );
    connection.client.destroy();
  }
}

function openChannel(
  client: Client,
  config: SftpConfig,
  signal: AbortSignal,
): Promise<ClientChannel> {
  const opened = new Promise<ClientChannel>((resolve, reject) => {
    const gone = (): void =>
      reject(
        connectError('WB_UNAVAILABLE', `${config.shown} closed the connection after the sign-in`),
      );
    client.once('close', gone);
    client.subsys('sftp', (error, channel) => {
      client.off('close', gone);
      if (error) reject(errorOfChannel(error, config.shown));
      else resolve(channel);
    });
  });
  return orAbort(opened, signal, config);
}

/** A server that has as many sessions as it likes refuses the next one; one without SFTP takes it and says no then. */
function errorOfChannel(cause: Error, shown: string): Error {
  if (/open fail/i.test(cause.message)) {
    return connectError(
      'WB_RATE_LIMITED',
      `${shown} opens no more sessions (MaxSessions): ${cause.message}`,
      { cause },
    );
  }
  return connectError(
    'WB_UNSUPPORTED',
    `${shown} lets the user in, but not to SFTP (${cause.message}): ask its owner for the sftp subsystem`,
    { cause, scope: 'source' },
  );
}

/** The promise, or the signal's reason, whichever comes first; with a time limit where a configuration is given. */
export function orAbort<T>(
  promise: Promise<T>,
  signal?: AbortSignal,
  limit?: SftpConfig,
): Promise<T> {
  if (signal === undefined && limit === undefined) return promise;
  return new Promise((resolve, reject) => {
    const end = (): void => {
      signal?.removeEventListener('abort', onAbort);
      clearTimeout(timer);
    };
    const onAbort = (): void => {
      end();
      reject(asError(signal?.reason));
    };
    const timer =
      limit === undefined
        ? undefined
        : setTimeout(() => {
            end();
            reject(connectError('WB_TIMEOUT', `${limit.shown} did not open a channel in time`));
          }, limit.timeouts.headersMs);
    if (signal?.aborted === true) {
      onAbort();
      promise.catch(() => undefined);
      return;
    }
    signal?.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(end);
  });
}
