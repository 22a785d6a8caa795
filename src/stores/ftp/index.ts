/** How the FTP store enters the registry. */
import { join } from 'node:path';
import { percentDecodeOnce } from '../lib/byte-names.js';
import { FTP_PASSWORD, FTP_SECRETS, FTP_USER } from '../lib/secret-variables.js';
import { NETWORK_VARIABLES } from '../lib/network-variables.js';
import { patience } from '../lib/timeouts.js';
import type { Store, StoreAddress, StoreFactory } from '../store.js';
import { parseFtpUri, readFtpConfig, SETTING_VARIABLES } from './config.js';
import { findInNetrc } from './netrc.js';

async function open(address: StoreAddress): Promise<Store> {
  const config = readFtpConfig(address);
  // Loaded here: a thread that reads another store need not carry this one.
  const { FtpStore } = await import('./store.js');
  return new FtpStore(config, address);
}

function localName(uri: string): string | undefined {
  const { path, host } = parseFtpUri(uri);
  const last = path.split('/').at(-1) ?? '';
  const name = last === '' ? host : last;
  return name === '.' || name === '..' ? undefined : name;
}

/** Servers of FTP, with TLS and without. */
export const ftp: StoreFactory = {
  name: 'ftp',
  schemes: ['ftp', 'ftpes', 'ftps'],
  summary: 'a folder or a file of an FTP server, plain or over TLS',
  forms: ['ftp://[user@]host[:port]/path', 'ftpes://host/path', 'ftps://host/path'],
  facts: {
    auth: ['user and password', '~/.netrc', 'client certificate', 'anonymous'],
    ranges: 'yes',
    pin: 'weak: modification time (MDTM, MLSD) and size; else none',
    digests: ['sha256'],
    levels: ['none', 'provider'],
  },
  patience,
  environment: {
    settings: [...SETTING_VARIABLES, ...NETWORK_VARIABLES.settings],
    secrets: [...FTP_SECRETS, ...NETWORK_VARIABLES.secrets],
  },
  secretsGoAnywhere: 'configured',
  open,
  secretsAtHome: (homeDir, { uri, settings, secrets }) => {
    const place = settings['NETRC'] ?? '';
    const typed = secrets['username'];
    const user = typed === undefined ? secrets[FTP_USER] : percentDecodeOnce(typed);
    const isAsked = secrets['password'] === undefined && secrets[FTP_PASSWORD] === undefined;
    if (!isAsked) return {};
    const { host } = parseFtpUri(uri);
    const found = findInNetrc(place === '' ? join(homeDir, '.netrc') : place, host, user);
    if (found === undefined) return {};
    return { [FTP_USER]: found.login, [FTP_PASSWORD]: found.password };
  },
  localName,
};
