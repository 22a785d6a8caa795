/** The FTP store's address and settings, read and checked. */
import { WaybillError } from '../../model/errors.js';
import { nameOfBytes, percentDecodeOnce } from '../lib/byte-names.js';
import { FTP_PASSWORD, FTP_USER } from '../lib/secret-variables.js';
import { FTP_SETTINGS } from '../lib/setting-variables.js';
import { refuseForbiddenHost } from '../lib/forbidden-address.js';
import { readTimeouts, type Timeouts } from '../lib/timeouts.js';
import { readTlsSettings, type TlsReading } from '../lib/tls.js';
import type { StoreAddress } from '../store.js';

/** `explicit`: AUTH TLS on the usual port. `implicit`: TLS from the first byte, port 990. */
export type FtpTls = 'none' | 'explicit' | 'implicit';

/** When a server is asked for a digest. */
export type ChecksumRule = 'auto' | 'always' | 'never';

/** Who asks. */
export interface FtpLogin {
  readonly user: string;
  readonly password: string;
  /** Where the two come from, for messages; never what they are. */
  readonly from: string;
  readonly isAnonymous: boolean;
}

/** What a URI names. */
export interface FtpPlace {
  readonly scheme: string;
  readonly host: string;
  readonly port: number;
  readonly tls: FtpTls;
  /** Decoded, without slashes at its ends; '' is the folder that the sign-in leads to. */
  readonly path: string;
  /** The path starts at the server's own root, not where the sign-in leads to. */
  readonly isAbsolute: boolean;
  /** The URI ended in a slash: the root is a folder. */
  readonly isFolder: boolean;
}

/** All that the store needs to know. */
export interface FtpConfig extends FtpPlace {
  /** `ftp://host:port/path`, as shown. */
  readonly root: string;
  /** `ftp://host:port`, for messages. */
  readonly service: string;
  readonly login: FtpLogin;
  /** When the server is asked for a SHA-256. */
  readonly checksum: ChecksumRule;
  readonly timeouts: Timeouts;
  readonly certificates: TlsReading;
}

/** Settings and secrets by their variables. */
export const SETTING_VARIABLES = [...FTP_SETTINGS, 'NETRC'] as const;

const BY_SCHEME: Readonly<Record<string, FtpTls>> = {
  ftp: 'none',
  ftpes: 'explicit',
  ftps: 'implicit',
};

function refused(code: 'WB_USAGE' | 'WB_CONFIG_INVALID', message: string): WaybillError {
  return new WaybillError(code, message, { operation: 'open', store: 'ftp' });
}

/** Reads `ftp://host[:port]/path`. Nothing in a path has a meaning but `%41` and a `;type=i` at its end. */
export function parseFtpUri(uri: string, wantedTls?: string): FtpPlace {
  const [, scheme = '', authority = '', rest = ''] =
    /^(ftp|ftps|ftpes):\/\/([^/?#]*)(.*)$/is.exec(uri) ?? [];
  const [, host = '', portText] = /^(\[[^\]]+\]|[^:@]*)(?::(\d{1,5}))?$/.exec(authority) ?? [];
  if (scheme === '' || host === '') {
    throw refused('WB_USAGE', `${uri} names no server: write ftp://host/path`);
  }
  const tls = tlsOf(scheme.toLowerCase(), portText, wantedTls);
  const port = portText === undefined ? (tls === 'implicit' ? 990 : 21) : Number(portText);
  if (port < 1 || port > 65_535) throw refused('WB_USAGE', `${uri} has a port that is none`);
  // RFC 1738 writes an absolute path %2F; curl and wget take a second slash as well.
  const decoded = percentDecodeOnce(rest.replace(/^\//, '').replace(/;type=[ai]$/i, ''));
  return {
    scheme: scheme.toLowerCase(),
    host: host.replace(/^\[|\]$/g, ''),
    port,
    tls,
    path: decoded.replace(/^\/+|\/+$/g, ''),
    isAbsolute: decoded.startsWith('/'),
    isFolder: decoded === '' || decoded.endsWith('/'),
  };
}

function tlsOf(scheme: string, port: string | undefined, wanted: string | undefined): FtpTls {
  const said = wanted === undefined || wanted === '' ? undefined : wanted.toLowerCase();
  if (said !== undefined && !['none', 'explicit', 'implicit'].includes(said)) {
    const message = `WAYBILL_FTP_TLS is ${said}: write explicit, implicit or none`;
    throw refused('WB_CONFIG_INVALID', message);
  }
  // An address that asks for TLS gets it, whatever a variable says.
  if (said !== undefined && (said !== 'none' || scheme === 'ftp')) return said as FtpTls;
  return scheme === 'ftps' && port === '21' ? 'explicit' : (BY_SCHEME[scheme] ?? 'none');
}

/** Reads all; a wrong setting is WB_CONFIG_INVALID. */
export function readFtpConfig({ uri, settings, secrets }: StoreAddress): FtpConfig {
  if ((settings['WAYBILL_ORIGINS'] ?? '') !== '') {
    throw refused(
      'WB_CONFIG_INVALID',
      'origins are of web servers: say what may be read over FTP as prefixes = ["ftp://host/folder"]',
    );
  }
  const place = parseFtpUri(uri, settings['WAYBILL_FTP_TLS']);
  refuseForbiddenHost(place.host);
  const shownHost = place.host.includes(':') ? `[${place.host}]` : place.host;
  const service = `${place.scheme}://${shownHost}:${place.port}`;
  const shownPath = place.path.toWellFormed();
  return {
    ...place,
    service,
    root: `${service}/${place.isAbsolute ? '/' : ''}${shownPath}`,
    login: readLogin(secrets),
    checksum: readChecksumRule(settings['WAYBILL_FTP_CHECKSUM']),
    timeouts: readTimeouts(settings),
    certificates: readTlsSettings(settings, secrets, 'http'),
  };
}

function readChecksumRule(text = ''): ChecksumRule {
  if (text === '') return 'auto';
  if (text === 'auto' || text === 'always' || text === 'never') return text;
  const message = `WAYBILL_FTP_CHECKSUM must be auto, always or never, not ${text}`;
  throw refused('WB_CONFIG_INVALID', message);
}

function readLogin(secrets: StoreAddress['secrets']): FtpLogin {
  const typedUser = decoded(secrets['username']);
  const typedPassword = decoded(secrets['password']);
  const user = typedUser ?? secrets[FTP_USER];
  if (user === undefined) {
    const from = `nobody (anonymous): write ftp://user@host, set ${FTP_USER} and ${FTP_PASSWORD}, or add the host to ~/.netrc`;
    return { user: 'anonymous', password: 'anonymous@', from, isAnonymous: true };
  }
  const password = typedPassword ?? secrets[FTP_PASSWORD];
  const userFrom = typedUser === undefined ? `${FTP_USER} or ~/.netrc` : 'the address';
  const passwordFrom =
    typedPassword !== undefined
      ? 'the address'
      : password !== undefined
        ? `${FTP_PASSWORD} or ~/.netrc`
        : `nowhere: set ${FTP_PASSWORD}, or add the host to ~/.netrc`;
  return {
    user,
    password: password ?? '',
    from: `the user from ${userFrom}, with the password from ${passwordFrom}`,
    isAnonymous: /^(anonymous|ftp)$/i.test(user),
  };
}

function decoded(text: string | undefined): string | undefined {
  return text === undefined ? undefined : nameOfBytes(Buffer.from(percentDecodeOnce(text)));
}
