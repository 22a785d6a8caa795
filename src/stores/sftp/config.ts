/** Where an SFTP server is, who is asking and what it is known by: the address, the settings and `~/.ssh`. */
import { homedir, userInfo } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { WaybillError } from '../../model/errors.js';
import { shellQuote } from '../../model/shell-quote.js';
import type { ConnectionSecrets, ConnectionSettings, StoreAddress } from '../store.js';
import { SFTP_SETTINGS } from '../lib/setting-variables.js';
import { readTimeouts, type Timeouts } from '../lib/timeouts.js';
import { parseSftpUri, type SftpAddress } from './address.js';
import { connectError } from './errors.js';
import { knownName } from './known-hosts.js';
import type { ChecksumRule } from './shell.js';
import { readHostConfig } from './ssh-config.js';

/** Settings that travel with the request. */
export const SETTING_VARIABLES = [
  ...SFTP_SETTINGS,
  'WAYBILL_CONNECT_TIMEOUT',
  'WAYBILL_STALL_TIMEOUT',
  'WAYBILL_PREFIXES',
] as const;

/** All that the address and the settings say. */
export interface SftpConfig {
  readonly address: SftpAddress;
  /** `sftp://user@host:port`, as it was typed. */
  readonly shown: string;
  readonly settings: ConnectionSettings;
  readonly secrets: ConnectionSecrets;
  /** When the server is asked for a SHA-256. */
  readonly checksum: ChecksumRule;
  /** Nothing of this machine says who is asking. */
  readonly isAnonymous: boolean;
  readonly timeouts: Timeouts;
}

/** A server, found. */
export interface SftpTarget {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** The name in `known_hosts`: that of the host with its port, or an alias as it is, as `ssh` takes it. */
  readonly hostKeyName: string;
  readonly knownHostsFiles: readonly string[];
  readonly keyFiles: readonly string[];
  /** The files were named, and are not just those that are usual. */
  readonly areKeysNamed: boolean;
  /** Keys of the agent that are no such file are not tried. */
  readonly identitiesOnly: boolean;
  /** The socket of an agent. */
  readonly agent?: string;
}

const USUAL_KEYS = ['id_rsa', 'id_ecdsa', 'id_ecdsa_sk', 'id_ed25519', 'id_ed25519_sk'];

/** Reads an address. Makes no request and reads no file. */
export function readSftpConfig({ uri, settings, secrets }: StoreAddress): SftpConfig {
  const address = parseSftpUri(uri);
  if (secrets['password'] !== undefined) {
    throw invalid(
      'a password in an SFTP address is not taken: set WAYBILL_SFTP_PASSWORD, or use a key',
    );
  }
  if (secrets['query'] !== undefined) throw invalid('an SFTP address has no query: write ? as %3F');
  const checksum = settings['WAYBILL_SFTP_CHECKSUM'] ?? 'auto';
  if (checksum !== 'auto' && checksum !== 'always' && checksum !== 'never') {
    throw invalid(`WAYBILL_SFTP_CHECKSUM must be auto, always or never, not ${checksum}`);
  }
  const identity = settings['WAYBILL_SFTP_IDENTITY'] ?? 'own';
  if (identity !== 'own' && identity !== 'none') {
    throw invalid(`WAYBILL_SFTP_IDENTITY must be own or none, not ${identity}`);
  }
  const { user, host, port } = address;
  const name = host.includes(':') ? `[${host}]` : host;
  return {
    address,
    shown: `sftp://${user === undefined ? '' : `${user}@`}${name}${port === undefined ? '' : `:${port}`}`,
    settings,
    secrets,
    checksum,
    isAnonymous: identity === 'none',
    timeouts: readTimeouts(settings),
  };
}

/** Finds the server: what is typed counts before what `~/.ssh/config` says. */
export async function findTarget(config: SftpConfig): Promise<SftpTarget> {
  const { address, settings, isAnonymous } = config;
  const home = homedir();
  const own = settings['WAYBILL_SFTP_CONFIG_FILE'] ?? join(home, '.ssh', 'config');
  const files = isAnonymous ? [] : [own, '/etc/ssh/ssh_config'];
  const { words, keyFiles } = await readHostConfig(files, address.host, home);
  const host = (words.get('hostname') ?? address.host)
    .replaceAll('%h', address.host)
    .replaceAll('%%', '%');
  const port = address.port ?? portOf(words.get('port'));
  const hostKeyName = words.get('hostkeyalias')?.toLowerCase() ?? knownName(host, port);
  refuseProxies(words, address.host, hostKeyName);
  const user = address.user ?? words.get('user') ?? userInfo().username;
  const full = (path: string): string => expanded(path, { home, host, user });
  const key = settings['WAYBILL_SFTP_KEY_FILE'];
  const named =
    key !== undefined && key !== ''
      ? [key]
      : keyFiles.filter((one) => !/^none$/i.test(one)).map(full);
  const agent = isAnonymous ? undefined : agentOf(words.get('identityagent'), settings, full);
  const known = settings['WAYBILL_SFTP_KNOWN_HOSTS_FILE'];
  return {
    host,
    port,
    user,
    hostKeyName,
    knownHostsFiles:
      known !== undefined && known !== ''
        ? [known]
        : [
            ...pathsOf(words.get('userknownhostsfile'), '~/.ssh/known_hosts ~/.ssh/known_hosts2'),
            ...pathsOf(
              words.get('globalknownhostsfile'),
              '/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2',
            ),
          ].map(full),
    keyFiles: isAnonymous
      ? []
      : named.length > 0
        ? named
        : USUAL_KEYS.map((name) => join(home, '.ssh', name)),
    areKeysNamed: named.length > 0,
    identitiesOnly: /^yes$/i.test(words.get('identitiesonly') ?? '') || (key ?? '') !== '',
    ...(agent === undefined ? {} : { agent }),
  };
}

function refuseProxies(
  words: ReadonlyMap<string, string>,
  host: string,
  hostKeyName: string,
): void {
  for (const [key, name] of [
    ['proxyjump', 'ProxyJump'],
    ['proxycommand', 'ProxyCommand'],
  ] as const) {
    const value = words.get(key);
    if (value === undefined || /^none$/i.test(value)) continue;
    throw connectError(
      'WB_UNSUPPORTED',
      `~/.ssh/config reaches ${host} through ${name} ${value}, which Waybill does not do yet: open a tunnel ` +
        `(ssh -N -L 2222:localhost:22 ${shellQuote(host)}) and pull from sftp://tunnel/..., with "Host tunnel", ` +
        `"HostName 127.0.0.1", "Port 2222" and "HostKeyAlias ${hostKeyName}" in ~/.ssh/config`,
      { scope: 'source' },
    );
  }
}

function portOf(text: string | undefined): number {
  if (text === undefined) return 22;
  const port = Number(text);
  if (Number.isInteger(port) && port > 0 && port <= 65_535) return port;
  throw connectError('WB_CONFIG_INVALID', `~/.ssh/config: ${text} is no port`);
}

function agentOf(
  word: string | undefined,
  settings: ConnectionSettings,
  full: (path: string) => string,
): string | undefined {
  const fromShell = settings['SSH_AUTH_SOCK'];
  const shell = fromShell === '' ? undefined : fromShell;
  if (word === undefined || word === 'SSH_AUTH_SOCK' || word.startsWith('$')) return shell;
  return /^none$/i.test(word) ? undefined : full(word);
}

function pathsOf(value: string | undefined, usual: string): string[] {
  return (value ?? usual).split(/\s+/).filter((path) => path !== '' && !/^none$/i.test(path));
}

function expanded(
  path: string,
  { home, host, user }: { readonly home: string; readonly host: string; readonly user: string },
): string {
  const words: Readonly<Record<string, string>> = {
    '%': '%',
    d: home,
    h: host,
    r: user,
    u: userInfo().username,
  };
  const plain = path
    .replace(/^~(?=\/|$)/, home)
    .replace(/%([%dhru])/g, (whole, letter: string) => words[letter] ?? whole);
  return isAbsolute(plain) ? plain : join(home, '.ssh', plain);
}

function invalid(message: string): WaybillError {
  return new WaybillError('WB_CONFIG_INVALID', message, { operation: 'open', store: 'sftp' });
}
