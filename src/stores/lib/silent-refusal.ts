/** Why a server hangs up: one that wants a client certificate may say so up to TLS 1.2 alone. */
import type { LookupFunction } from 'node:net';
import { buildConnector } from 'undici';
import type { TlsSettings } from './tls.js';

/** How the server is reached. */
export interface Handshake {
  /** Of no newer version than TLS 1.2. */
  readonly tls: TlsSettings;
  readonly timeoutMs: number;
  readonly lookup: LookupFunction;
}

/**
 * Shakes hands once more, by TLS 1.2: there a client is refused before the handshake is done; by TLS 1.3 it is behind it, and
 * servers such as Jetty then close the connection before the reason is sent.
 * @returns the error of the handshake; undefined: nothing is wrong with it
 */
export function refusalOfHandshake(
  url: URL,
  { tls, timeoutMs, lookup }: Handshake,
): Promise<Error | undefined> {
  const { hostname, host, protocol, port } = url;
  const connect = buildConnector({ ...tls, timeout: timeoutMs, lookup });
  return new Promise((resolve) => {
    connect({ hostname, host, protocol, port: port || '443' }, (error, socket) => {
      socket?.destroy();
      resolve(error ?? undefined);
    });
  });
}
