/** The connections of a client: one set for each way that a request can take, direct or through a proxy. */
import type { LookupFunction } from 'node:net';
import { Agent, buildConnector, Pool, ProxyAgent, Socks5ProxyAgent, type Dispatcher } from 'undici';
import { dropWarning } from './drop-warning.js';
import type { StorePace } from '../store.js';
import { hotConnector } from './hot-socket.js';
import { pacedConnector } from './paced-socket.js';
import type { Timeouts } from './timeouts.js';
import type { TlsSettings } from './tls.js';

/** What all connections share. */
export interface ConnectionsOptions {
  readonly maxConnections: number;
  readonly timeouts: Timeouts;
  readonly lookup: LookupFunction;
  /** Behind a SOCKS proxy it bounds requests only, for undici makes those sockets itself. */
  readonly pace?: StorePace | undefined;
}

/** A way to an origin. */
export interface Way {
  /** The proxy's address with its password; absent: direct. */
  readonly proxy?: string | undefined;
  readonly tls: TlsSettings;
  /** For the proxy itself, where it is reached over TLS. */
  readonly proxyTls: TlsSettings;
  /** What is asked for is `http:`, which a proxy is told as a whole address. */
  readonly isPlain: boolean;
}

/** Makes the dispatcher of a way; nothing is connected yet. */
export function createDispatcher(
  { proxy, tls, proxyTls, isPlain }: Way,
  options: ConnectionsOptions,
): Dispatcher {
  const { maxConnections, timeouts, lookup, pace } = options;
  const shared = { timeout: timeouts.connectMs, lookup };
  // Certificates are parsed where a connection needs them: a plain one never does.
  const connect = isPlain ? shared : { ...tls, ...shared };
  const pool = {
    connections: maxConnections,
    headersTimeout: timeouts.headersMs,
    bodyTimeout: timeouts.stallMs,
  };
  if (proxy === undefined) {
    const connector = isPlain ? hotConnector(shared) : buildConnector(connect);
    return new Agent({ ...pool, connect: pacedConnector(connector, pace) });
  }
  const { address, authorization } = splitProxy(proxy);
  if (address.protocol === 'socks5:') {
    dropWarning(/^SOCKS5 proxy support is experimental/);
    // It reads `requestTls`, which its types leave out.
    const options = { headers: {}, requestTls: connect };
    return new Socks5ProxyAgent(proxy.replace(/^\w+:/, 'socks5:'), options);
  }
  if (isPlain && address.protocol === 'https:') {
    const door = pacedConnector(buildConnector({ ...proxyTls, ...shared }), pace);
    return forwarding(new Pool(address.origin, { ...pool, connect: door }), address, authorization);
  }
  return new ProxyAgent({
    ...pool,
    uri: address.origin,
    ...(authorization === undefined ? {} : { token: authorization }),
    // Many proxies refuse CONNECT to anything but port 443.
    proxyTunnel: false,
    requestTls: connect,
    proxyTls: address.protocol === 'https:' ? { ...proxyTls, ...shared } : shared,
    clientFactory: (origin, own) => new Pool(origin, { ...pacedPool(own, pace), ...pool }),
    factory: (origin, own) => new Pool(origin, { ...pacedPool(own, pace), ...pool }),
  });
}

/** Sends whole addresses to a proxy; undici would ask one behind TLS for a tunnel, which many refuse to port 80. */
function forwarding(pool: Pool, proxy: URL, authorization: string | undefined): Dispatcher {
  return pool.compose((dispatch) => (request, handler) => {
    const origin = String(request.origin);
    const headers = {
      ...(request.headers as Record<string, string>),
      host: new URL(origin).host,
      ...(authorization === undefined ? {} : { 'proxy-authorization': authorization }),
    };
    const path = `${origin}${request.path}`;
    return dispatch({ ...request, origin: proxy.origin, path, headers }, handler);
  });
}

/** The options of a pool behind a proxy, which makes its connections itself. */
function pacedPool(own: object, pace: StorePace | undefined): Pool.Options {
  const options: Pool.Options = own;
  const { connect } = options;
  return typeof connect === 'function'
    ? { ...options, connect: pacedConnector(connect, pace) }
    : options;
}

/** The address without its user and password, and what they are to a proxy. */
export function splitProxy(proxy: string): {
  readonly address: URL;
  readonly authorization: string | undefined;
} {
  const address = new URL(proxy.replace(/^socks(5h?)?:/i, 'socks5:'));
  const { username, password } = address;
  address.username = '';
  address.password = '';
  if (username === '' && password === '') return { address, authorization: undefined };
  const pair = Buffer.from(`${decoded(username)}:${decoded(password)}`, 'utf8');
  return { address, authorization: `Basic ${pair.toString('base64')}` };
}

/** A `%` that begins no escape stands for itself. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
