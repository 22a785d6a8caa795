/** Which proxy a request takes, as curl and Python's requests decide it. */
import { BlockList, isIP } from 'node:net';
import { WaybillError } from '../../model/errors.js';
import type { ConnectionSecrets, ConnectionSettings } from '../store.js';
import { withScheme } from './network-variables.js';

/** The proxies of a connection; an absent one means a direct connection. */
export interface ProxyRules {
  readonly http?: ProxyChoice;
  readonly https?: ProxyChoice;
  readonly noProxy: readonly NoProxyRule[];
}

/** A proxy and the variable that named it. */
export interface ProxyChoice {
  /** With the user and password that it may want. */
  readonly address: string;
  readonly variable: string;
}

/** Whether a host, as a URL has it, and its port are reached without a proxy. */
type NoProxyRule = (host: string, port: string) => boolean;

/**
 * Reads HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY; lower case wins, as in curl. An address that is no URL is
 * WB_CONFIG_INVALID.
 */
export function readProxyRules(
  settings: ConnectionSettings,
  secrets: ConnectionSecrets,
): ProxyRules {
  const pick = (name: string): ProxyChoice | undefined => {
    for (const variable of [name.toLowerCase(), name]) {
      const value = secrets[variable] ?? settings[variable];
      if (value !== undefined && value !== '') {
        return { variable, address: checkedProxy(variable, value) };
      }
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

/** The proxy for a URL; undefined: none. */
export function proxyFor(rules: ProxyRules, url: URL): ProxyChoice | undefined {
  const proxy = url.protocol === 'https:' ? rules.https : rules.http;
  if (proxy === undefined) return undefined;
  const host = url.hostname.toLowerCase();
  const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;
  return rules.noProxy.some((covers) => covers(host, port)) ? undefined : proxy;
}

/** `host` and all below it, `.suffix`, `*.suffix`, `host:port`, an address (IPv6 with or without brackets), `10.0.0.0/8`, `*`. */
function parseNoProxyRule(text: string): NoProxyRule {
  const rule = text.toLowerCase();
  if (rule === '*') return () => true;
  const range = parseRange(rule);
  if (range) return range;
  const isBareIpv6 = isIP(rule) === 6;
  const [, name = rule, port = ''] = isBareIpv6 ? [] : (/^(.*?)(?::(\d+))?$/.exec(rule) ?? []);
  const wanted = isBareIpv6 ? new URL(`http://[${rule}]`).hostname : name.replace(/^\*?\./, '');
  return (host, hostPort) =>
    (port === '' || port === hostPort) && (host === wanted || host.endsWith(`.${wanted}`));
}

/** A rule such as `10.0.0.0/8` or `fd00::/8` covers addresses, never names: those are the proxy's to look up. */
function parseRange(rule: string): NoProxyRule | undefined {
  const [, network = '', bits = ''] = /^\[?([0-9a-f.:]+)\]?\/(\d{1,3})$/.exec(rule) ?? [];
  const version = isIP(network);
  if (version === 0 || Number(bits) > (version === 4 ? 32 : 128)) return undefined;
  const range = new BlockList();
  range.addSubnet(network, Number(bits), version === 4 ? 'ipv4' : 'ipv6');
  return (host) => {
    const address = host.replace(/^\[|\]$/g, '');
    const family = isIP(address);
    return family !== 0 && range.check(address, family === 4 ? 'ipv4' : 'ipv6');
  };
}

function checkedProxy(name: string, value: string): string {
  const address = withScheme(value);
  const scheme = URL.canParse(address) ? new URL(address).protocol : '';
  if (['http:', 'https:', 'socks:', 'socks5:', 'socks5h:'].includes(scheme)) return address;
  throw new WaybillError(
    'WB_CONFIG_INVALID',
    `${name} is not the address of a proxy: write http://host:port`,
    { operation: 'open' },
  );
}
