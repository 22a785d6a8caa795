/** Which proxy a request takes, as curl and Python's requests decide it. */
import { WaybillError } from '../../model/errors.js';
import type { ConnectionSecrets, ConnectionSettings } from '../store.js';
import { withScheme } from './network-variables.js';

/** The proxies of a connection; an absent one means a direct connection. */
export interface ProxyRules {
  readonly http?: string;
  readonly https?: string;
  readonly noProxy: readonly NoProxyRule[];
}

interface NoProxyRule {
  readonly host: string;
  readonly port: string;
}

/**
 * Reads HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY; lower case wins, as in curl. An address that is no URL is
 * WB_CONFIG_INVALID.
 */
export function readProxyRules(
  settings: ConnectionSettings,
  secrets: ConnectionSecrets,
): ProxyRules {
  const pick = (name: string): string | undefined => {
    for (const spelled of [name.toLowerCase(), name]) {
      const value = secrets[spelled] ?? settings[spelled];
      if (value !== undefined && value !== '') return checkedProxy(spelled, value);
    }
    return undefined;
  };
  const all = pick('ALL_PROXY');
  const http = pick('HTTP_PROXY') ?? all;
  const https = pick('HTTPS_PROXY') ?? all;
  const noProxy = settings['no_proxy'] ?? settings['NO_PROXY'] ?? '';
  return {
    ...(http === undefined ? {} : { http }),
    ...(https === undefined ? {} : { https }),
    noProxy: noProxy
      .split(/[,\s]+/)
      .filter((rule) => rule !== '')
      .map(parseNoProxyRule),
  };
}

/** The proxy's address for a URL; undefined: none. */
export function proxyFor(rules: ProxyRules, url: URL): string | undefined {
  const proxy = url.protocol === 'https:' ? rules.https : rules.http;
  if (proxy === undefined) return undefined;
  const host = url.hostname.toLowerCase();
  const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;
  const isExcluded = rules.noProxy.some(
    (rule) =>
      rule.host === '*' ||
      ((rule.port === '' || rule.port === port) &&
        (host === rule.host || host.endsWith(`.${rule.host}`))),
  );
  return isExcluded ? undefined : proxy;
}

function parseNoProxyRule(text: string): NoProxyRule {
  const match = /^(.*?)(?::(\d+))?$/.exec(text.toLowerCase());
  const isBareIpv6 = text.split(':').length > 2 && !text.startsWith('[');
  const host = isBareIpv6 ? `[${text.toLowerCase()}]` : (match?.[1] ?? text);
  return {
    host: host === '*' ? host : host.replace(/^\*?\./, ''),
    port: isBareIpv6 ? '' : (match?.[2] ?? ''),
  };
}

function checkedProxy(name: string, value: string): string {
  const address = withScheme(value);
  const scheme = URL.canParse(address) ? new URL(address).protocol : '';
  if (['http:', 'https:', 'socks5:', 'socks:'].includes(scheme)) return address;
  throw new WaybillError(
    'WB_CONFIG_INVALID',
    `${name} is not the address of a proxy: write http://host:port`,
    { operation: 'open' },
  );
}
