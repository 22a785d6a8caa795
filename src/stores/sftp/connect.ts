/** Opens an SSH connection: the socket, the host key, the sign-in. */
import { connect as connectSocket, type Socket } from 'node:net';
import ssh2 from 'ssh2';
import type { Client, ServerHostKeyAlgorithm } from 'ssh2';
import { errnoOf } from '../../model/errno.js';
import { WaybillError } from '../../model/errors.js';
import { asError } from '../lib/as-error.js';
import { guardedLookup, refuseForbiddenHost } from '../lib/forbidden-address.js';
import { findTarget, type SftpConfig, type SftpTarget } from './config.js';
import { connectError } from './errors.js';
import { refuseHostKey } from './host-key.js';
import { judge, readKnownKeys, type KnownKey, type Verdict } from './known-hosts.js';
import { prepareSignIn, refusedSignIn, type SignIn } from './sign-in.js';

/** Preferred as OpenSSH does, newest first. */
const HOST_KEY_ALGORITHMS: readonly ServerHostKeyAlgorithm[] = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'rsa-sha2-512',
  'rsa-sha2-256',
];

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refuses connections (is the service running, and the port right?)',
  ECONNRESET: 'reset the connection instead of answering',
  EPIPE: 'closed the connection instead of answering',
  ETIMEDOUT: 'does not accept the connection in time',
  ENOTFOUND: 'has a host name that cannot be found (ENOTFOUND)',
  EAI_AGAIN: 'has a host name that cannot be looked up at the moment (EAI_AGAIN)',
  EHOSTUNREACH: 'cannot be reached: no route to the host',
  ENETUNREACH: 'cannot be reached: no network',
};

/** Connects and signs in. @param signal ends the attempt; its reason is thrown */
export async function connectSsh(config: SftpConfig, signal: AbortSignal): Promise<Client> {
  const target = await findTarget(config);
  const shown = shownTarget(config, target);
  const known = await readKnownKeys(target.knownHostsFiles, target.hostKeyName);
  const signIn = await prepareSignIn(target, config.isAnonymous ? {} : config.secrets);
  signal.throwIfAborted();
  const socket = await openSocket(target, shown, config.timeouts.connectMs, signal);
  return new Handshake(config, target, shown, known, signIn).run(socket, signal);
}

/** As it was typed, with what the configuration says where that differs. */
function shownTarget({ shown, address }: SftpConfig, { host, port }: SftpTarget): string {
  return host === address.host && port === (address.port ?? 22)
    ? shown
    : `${shown} (${host}:${port})`;
}

function openSocket(
  { host, port }: SftpTarget,
  shown: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Socket> {
  refuseForbiddenHost(host);
  return new Promise((resolve, reject) => {
    const socket = connectSocket({ host, port, lookup: guardedLookup, noDelay: true });
    const end = (error: unknown): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      reject(asError(error));
    };
    const timer = setTimeout(
      () => end(connectError('WB_TIMEOUT', `${shown} does not accept the connection in time`)),
      timeoutMs,
    );
    const onAbort = (): void => end(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    const onError = (error: Error): void => end(errorOfSocket(error, shown));
    socket.once('error', onError);
    socket.once('connect', () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      socket.off('error', onError);
      resolve(socket);
    });
  });
}

/** The error of a socket, before it is known to speak SSH. */
function errorOfSocket(cause: unknown, shown: string): WaybillError {
  if (cause instanceof WaybillError) return cause;
  const code = errnoOf(cause) ?? '';
  const reason =
    REASONS[code] ?? `cannot be reached (${code === '' ? asError(cause).message : code})`;
  const isTimeout = code === 'ETIMEDOUT';
  return connectError(isTimeout ? 'WB_TIMEOUT' : 'WB_UNAVAILABLE', `${shown} ${reason}`, { cause });
}

/** One handshake and what it learns on the way. */
class Handshake {
  private verdict: Verdict | undefined;
  private shownKey: Buffer | undefined;
  /** What the server said before it spoke SSH. */
  private greeting = '';

  constructor(
    private readonly config: SftpConfig,
    private readonly target: SftpTarget,
    private readonly shown: string,
    private readonly known: readonly KnownKey[],
    private readonly signIn: SignIn,
  ) {}

  run(socket: Socket, signal: AbortSignal): Promise<Client> {
    const client = new ssh2.Client();
    return new Promise((resolve, reject) => {
      const end = (error: unknown): void => {
        signal.removeEventListener('abort', onAbort);
        client.removeAllListeners('ready').removeAllListeners('close');
        // It may fail once more while it ends; the first error is the one that tells.
        client.removeAllListeners('error').on('error', () => undefined);
        client.destroy();
        socket.destroy();
        reject(asError(error));
      };
      const onAbort = (): void => end(signal.reason);
      signal.addEventListener('abort', onAbort, { once: true });
      client.on('greeting', (text) => (this.greeting = text));
      client.on('error', (error) => {
        // An agent that fails is one way less to sign in.
        if (levelOf(error) !== 'agent') end(this.errorOf(error));
      });
      client.once('close', () => end(this.errorOf(new Error('closed'))));
      client.once('ready', () => {
        signal.removeEventListener('abort', onAbort);
        client.removeAllListeners('error').removeAllListeners('close');
        resolve(client);
      });
      client.connect({
        sock: socket,
        username: this.target.user,
        readyTimeout: this.config.timeouts.headersMs,
        algorithms: { serverHostKey: [...algorithmsFor(this.known)] },
        hostVerifier: (key: Buffer) => {
          this.shownKey = key;
          this.verdict = judge(this.known, key);
          return this.verdict.kind === 'known';
        },
        authHandler: this.signIn.handler,
      });
    });
  }

  private errorOf(cause: Error): Error {
    if (
      this.verdict !== undefined &&
      this.shownKey !== undefined &&
      this.verdict.kind !== 'known'
    ) {
      return refuseHostKey(this.verdict, this.shownKey, this.shown, this.target);
    }
    const level = levelOf(cause);
    const { message } = cause;
    if (level === 'client-authentication' || /too many authentication failures/i.test(message)) {
      return refusedSignIn(this.shown, this.target, this.signIn, cause);
    }
    if (level === 'client-timeout') {
      return connectError('WB_TIMEOUT', `${this.shown} did not finish the handshake in time`, {
        cause,
      });
    }
    if (/exceeded maxstartups/i.test(this.greeting + message)) {
      return connectError(
        'WB_RATE_LIMITED',
        `${this.shown} takes no more connections at the moment (MaxStartups)`,
        { cause },
      );
    }
    if (/no matching host key/i.test(message) && this.known.length > 0) {
      const types = [...new Set(this.known.map(({ type }) => type))].join(', ');
      return connectError(
        'WB_UNAVAILABLE',
        `${this.shown} has no host key of a kind that can be checked (known_hosts has ${types})`,
        { cause, retryable: false, scope: 'source' },
      );
    }
    if (/no matching/i.test(message)) {
      return connectError(
        'WB_UNAVAILABLE',
        `${this.shown} and Waybill have no algorithm in common (${message})`,
        { cause, retryable: false, scope: 'source' },
      );
    }
    if (errnoOf(cause) !== undefined) return errorOfSocket(cause, this.shown);
    const what = /closed|connection lost|ended/i.test(message)
      ? 'closed the connection during the handshake'
      : `does not answer as an SSH server does (${message})`;
    return connectError('WB_UNAVAILABLE', `${this.shown} ${what}`, { cause });
  }
}

/** Kinds by which the server is known come first: else it would show another key than the one that is kept. */
function algorithmsFor(known: readonly KnownKey[]): ServerHostKeyAlgorithm[] {
  const types = new Set(known.filter(({ marker }) => marker === undefined).map(({ type }) => type));
  const isKnown = (algorithm: string): boolean =>
    types.has(algorithm.startsWith('rsa-') ? 'ssh-rsa' : algorithm);
  return [
    ...HOST_KEY_ALGORITHMS.filter(isKnown),
    ...HOST_KEY_ALGORITHMS.filter((algorithm) => !isKnown(algorithm)),
  ];
}

function levelOf(error: unknown): string {
  const level: unknown =
    typeof error === 'object' && error !== null ? Reflect.get(error, 'level') : '';
  return typeof level === 'string' ? level : '';
}
