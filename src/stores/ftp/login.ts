/** From a greeting to a connection that is ready for work. */
import { WaybillError } from '../../model/errors.js';
import type { FtpConfig } from './config.js';
import { FtpConnection } from './connection.js';
import { digestCommandOf, type DigestCommand } from './digests.js';
import { quotedPathOf } from './names.js';
import { Refusal } from './replies.js';

/** A connection that is signed in, with what the server said of itself. */
export interface Session {
  readonly connection: FtpConnection;
  /** The folder that the sign-in led to. */
  readonly home: string;
  readonly hasMlsd: boolean;
  /** How it is asked for the SHA-256 of a file; undefined: it cannot say. */
  readonly digestCommand: DigestCommand | undefined;
}

/** Connects and signs in. Throws what the connection throws. */
export async function signIn(config: FtpConfig, signal: AbortSignal | undefined): Promise<Session> {
  const connection = await FtpConnection.open(config, signal);
  const onAbort = (): void => connection.destroy(signal?.reason as Error);
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    signal?.throwIfAborted();
    if (config.tls === 'explicit') {
      await connection.ask('AUTH TLS');
      await connection.startTls();
    }
    await sendLogin(connection, config);
    if (config.tls !== 'none') {
      await connection.ask('PBSZ 0');
      await connection.ask('PROT P');
      connection.encryptData();
    }
    return { connection, ...(await settle(connection)) };
  } catch (error) {
    connection.destroy(error as Error);
    throw error;
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}

async function sendLogin(connection: FtpConnection, { login }: FtpConfig): Promise<void> {
  if (/[\r\n\0]/.test(login.user + login.password)) {
    const message = `a user or password holds a line break (${login.from})`;
    throw new WaybillError('WB_CONFIG_INVALID', message, { operation: 'connect', store: 'ftp' });
  }
  const bytes = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');
  const user = await connection.ask(`USER ${bytes(login.user)}`);
  if (user.code < 300) return;
  if (user.code !== 331) throw new Refusal(user, 'USER');
  const pass = await connection.send(`PASS ${bytes(login.password)}`);
  if (pass.code >= 200 && pass.code < 300) return;
  // A server that repeats the password must not bring it into a message.
  const lines = pass.lines.map((line) => withoutSecret(line, bytes(login.password)));
  throw new Refusal({ ...pass, lines }, 'PASS');
}

function withoutSecret(line: string, secret: string): string {
  return secret.length < 3 ? line : line.replaceAll(secret, '***');
}

async function settle(connection: FtpConnection): Promise<Omit<Session, 'connection'>> {
  const feat = await connection.send('FEAT');
  const features = feat.code === 211 ? feat.lines.map((line) => line.trim().toUpperCase()) : [];
  // Servers that know it and are not asked may write names in the charset of their disk.
  if (features.includes('UTF8')) await connection.send('OPTS UTF8 ON');
  const command = digestCommandOf(features);
  const isRefused = command === 'HASH' && (await connection.send('OPTS HASH SHA-256')).code >= 300;
  const digestCommand = isRefused ? undefined : command;
  await connection.ask('TYPE I');
  const pwd = await connection.ask('PWD');
  return {
    home: quotedPathOf(pwd.lines.join(' ')) ?? '/',
    // A server that lists times of MLST has MLSD as well (RFC 3659, 7.8).
    hasMlsd: features.some((one) => /^MLS[TD]\b/.test(one)),
    digestCommand,
  };
}
