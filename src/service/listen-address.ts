/** Where metrics and probes are answered, and what is said when that cannot be. */
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { errnoOf } from '../model/errno.js';
import { WaybillError } from '../model/errors.js';

/** An address to listen at, its host as a number. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
  /** `[::1]:9464`. */
  readonly text: string;
}

function why(code: string | undefined, port: number): string {
  switch (code) {
    case 'EADDRINUSE':
      return `another process listens there: name another port, such as ${port === 65_535 ? port - 1 : port + 1}`;
    case 'EACCES':
      return 'this user may not: name a port above 1023';
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'that is no address of this host: write 127.0.0.1, or 0.0.0.0 for all that it has';
    default:
      return code ?? 'it cannot be listened at';
  }
}

/** The error that a person gets who asked for it with `flag`. */
export function cannotListen(flag: string, text: string, error: unknown): WaybillError {
  const port = Number(/\d+$/.exec(text)?.[0] ?? 0);
  const message = `${flag} ${text}: ${why(errnoOf(error), port)}`;
  return new WaybillError('WB_USAGE', message, { cause: error });
}

/**
 * Reads HOST:PORT and tries it: a number of an address is what the SDK takes, and its own words for a port that is taken
 * help nobody.
 * @throws WB_USAGE with what to type
 */
export async function checkListenAddress(flag: string, text: string): Promise<ListenAddress> {
  const [, name = '', digits = ''] = /^(.*):(\d+)$/.exec(text) ?? [];
  const port = Number(digits);
  try {
    const { address: host, family } = await lookup(name.replace(/^\[|\]$/g, ''));
    const probe = createServer();
    probe.listen(port, host);
    await once(probe, 'listening');
    probe.close();
    await once(probe, 'close');
    return { host, port, text: family === 6 ? `[${host}]:${port}` : `${host}:${port}` };
  } catch (error) {
    throw cannotListen(flag, text, error);
  }
}
