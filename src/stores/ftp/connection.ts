/**
 * One control connection to an FTP server, signed in. Our own and not a library's: answers must be put together however their
 * bytes are cut, names are bytes, and a socket must go the moment that it is not wanted.
 */
import { connect as connectPlain, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { isIP } from 'node:net';
import { asError } from '../lib/as-error.js';
import { guardedLookup } from '../lib/forbidden-address.js';
import type { FtpConfig } from './config.js';
import { Refusal, type Reply, ReplyParser } from './replies.js';

interface Waiter {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: Error) => void;
}

/** An error of the network as Node and undici name them. */
export function networkError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

/** So often a server may say that it is not ready yet, before it is taken for one that never will be. */
const MAX_WAITS = 10;

/** More answers than that, which nobody asked for, and no FTP is spoken here. */
const MAX_UNREAD = 100;

/** A connection that answers one command at a time. */
export class FtpConnection {
  /** Tells whoever keeps it that it is no more; called once. */
  onGone: () => void = () => undefined;
  private parser = new ReplyParser();
  private readonly unread: Reply[] = [];
  private waiter: Waiter | undefined;
  private failure: Error | undefined;
  private data: Socket | undefined;
  private session: Buffer | undefined;
  private knowsEpsv = true;
  private encryptsData = false;
  private readonly onData = (bytes: Buffer): void => this.receive(bytes);

  private constructor(
    private readonly config: FtpConfig,
    private socket: Socket,
  ) {
    this.listenTo(socket);
  }

  /** Connects, and waits for the greeting. */
  static async open(config: FtpConfig, signal: AbortSignal | undefined): Promise<FtpConnection> {
    const { host, port, timeouts } = config;
    const where = { host, port, lookup: guardedLookup };
    const isImplicit = config.tls === 'implicit';
    const socket = isImplicit
      ? connectTls({ ...tlsOptions(config), ...where })
      : connectPlain(where);
    const connection = new FtpConnection(config, socket);
    const onAbort = (): void => connection.destroy(asError(signal?.reason));
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      signal?.throwIfAborted();
      await connection.opened(socket, isImplicit ? 'secureConnect' : 'connect', timeouts.connectMs);
      let greeting = await connection.next();
      for (let waits = 0; greeting.code < 200 && waits < MAX_WAITS; waits += 1) {
        greeting = await connection.next();
      }
      if (greeting.code !== 220) throw new Refusal(greeting, 'connect');
      return connection;
    } catch (error) {
      connection.destroy(asError(error));
      throw connection.failure ?? error;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /** Nothing came that was not asked for, and both ends are there. */
  get isUsable(): boolean {
    const isAtRest = this.unread.length === 0 && !this.parser.isWithin && !this.waiter;
    return this.failure === undefined && isAtRest && !this.socket.destroyed;
  }

  /** Sends a command and waits for its answer, whatever that is. */
  async send(command: string, waitMs?: number): Promise<Reply> {
    // An answer to nothing: whatever comes next would be taken for the answer to something else.
    if (this.failure === undefined && !this.isUsable) {
      const [said] = this.unread;
      this.destroy(said === undefined ? closed() : new Refusal(said, 'idle'));
    }
    if (this.failure) throw this.failure;
    this.socket.write(Buffer.from(`${command}\r\n`, 'latin1'));
    return this.next(waitMs);
  }

  /** Sends a command that must be done: any other answer is thrown as a `Refusal`. */
  async ask(command: string): Promise<Reply> {
    const reply = await this.send(command);
    if (reply.code >= 200 && reply.code < 400) return reply;
    throw new Refusal(reply, command.split(' ', 1)[0] ?? '');
  }

  /** The next answer, to a command that has more than one. */
  next(waitMs = this.config.timeouts.headersMs): Promise<Reply> {
    const early = this.unread.shift();
    if (early) return Promise.resolve(early);
    if (this.failure) return Promise.reject(this.failure);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => this.destroy(networkError('UND_ERR_HEADERS_TIMEOUT', 'no answer')),
        waitMs,
      );
      this.waiter = {
        resolve: (reply) => {
          clearTimeout(timer);
          resolve(reply);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      };
    });
  }

  /** Goes on over TLS, after AUTH TLS. */
  async startTls(): Promise<void> {
    // What came in clear with the answer would be taken for what came encrypted.
    if (this.unread.length > 0 || this.parser.isWithin) {
      throw networkError('WB_NOT_FTP', 'it answers in clear what TLS must hide');
    }
    const { socket } = this;
    socket.removeAllListeners();
    const secure = connectTls({ ...tlsOptions(this.config), socket });
    this.socket = secure;
    this.listenTo(secure);
    await this.opened(secure, 'secureConnect', this.config.timeouts.headersMs);
  }

  /** From now on data connections are TLS ones, after PROT P. */
  encryptData(): void {
    this.encryptsData = true;
  }

  /** A new data connection, to the host of this one: what a server says of another host is not believed. */
  async openData(): Promise<Socket> {
    const port = await this.passivePort();
    const host = this.socket.remoteAddress;
    if (host === undefined) throw closed();
    let data: Socket = connectPlain({ host, port });
    this.data = data;
    data.on('error', () => undefined);
    await this.opened(data, 'connect', this.config.timeouts.connectMs);
    if (!this.encryptsData) return data;
    const control = this.socket as TLSSocket;
    const session = this.session ?? control.getSession();
    data = connectTls({
      ...tlsOptions(this.config),
      socket: data,
      // Servers take only the session of the control connection: else anybody could connect before us.
      ...(session === undefined ? {} : { session }),
    });
    data.on('session', (ticket: Buffer) => {
      this.session = ticket;
    });
    data.on('error', () => undefined);
    this.data = data;
    return data;
  }

  /** Ends it politely. */
  quit(): void {
    if (this.isUsable) this.socket.write('QUIT\r\n');
    this.gone(closed());
    this.socket.destroySoon();
  }

  /** Ends it at once, with its data connection; whoever waits gets the cause. */
  destroy(cause: Error): void {
    this.gone(cause);
    this.socket.destroy();
  }

  private gone(cause: Error): void {
    if (this.failure) return;
    this.failure = cause;
    this.data?.destroy();
    this.waiter?.reject(cause);
    this.waiter = undefined;
    this.onGone();
  }

  private async passivePort(): Promise<number> {
    if (this.knowsEpsv) {
      const reply = await this.send('EPSV');
      const port = /\(([^0-9])\1\1(\d+)\1\)/.exec(reply.lines.join(' '))?.[2];
      if (reply.code === 229 && port !== undefined) return Number(port);
      if (reply.code < 500) throw new Refusal(reply, 'EPSV');
      this.knowsEpsv = false;
    }
    const reply = await this.ask('PASV');
    const found = /(\d+),(\d+),(\d+),(\d+),(\d+),(\d+)/.exec(reply.lines.join(' '));
    if (!found) throw new Refusal(reply, 'PASV');
    return Number(found[5]) * 256 + Number(found[6]);
  }

  private listenTo(socket: Socket): void {
    socket.setKeepAlive(true);
    socket.setNoDelay(true);
    socket.on('data', this.onData);
    socket.on('session', (ticket: Buffer) => {
      this.session = ticket;
    });
    socket.on('error', (error) => this.destroy(error));
    socket.on('end', () => this.destroy(closed()));
    socket.on('close', () => this.destroy(closed()));
  }

  private receive(bytes: Buffer): void {
    try {
      for (const reply of this.parser.push(bytes)) {
        const { waiter } = this;
        this.waiter = undefined;
        if (waiter) waiter.resolve(reply);
        else this.unread.push(reply);
      }
      if (this.unread.length > MAX_UNREAD) {
        throw networkError('WB_NOT_FTP', 'it does not stop answering');
      }
    } catch (error) {
      this.destroy(asError(error));
    }
  }

  /** Waits for a socket to be open; any failure of it or of the control connection ends the wait. */
  private opened(socket: Socket, event: string, waitMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (error?: Error): void => {
        clearTimeout(timer);
        socket.off('error', settle).off('close', onClose).off(event, onOpen);
        if (error === undefined) resolve();
        else reject(this.failure ?? error);
        if (error !== undefined) socket.destroy();
      };
      const onOpen = (): void => settle();
      const onClose = (): void => settle(closed());
      const timer = setTimeout(
        () => settle(networkError('UND_ERR_CONNECT_TIMEOUT', 'not connected in time')),
        waitMs,
      );
      socket.once(event, onOpen).once('error', settle).once('close', onClose);
    });
  }
}

function closed(): Error {
  return networkError('UND_ERR_SOCKET', 'the connection was closed');
}

function tlsOptions({ host, certificates }: FtpConfig): ConnectionOptions {
  return {
    ...certificates.withIdentity,
    host,
    ...(isIP(host) === 0 ? { servername: host } : {}),
  };
}
