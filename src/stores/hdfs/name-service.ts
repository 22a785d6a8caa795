/** Where the name nodes of a file system answer over HTTP, out of its address and the configuration. */
import type { HdfsAddress } from './address.js';
import type { Site } from './site.js';
import { invalid } from './invalid.js';

/** The name nodes of one file system; with high availability one of them is active. */
export interface NameService {
  /** As messages name it: `hdfs://ns1`. */
  readonly name: string;
  /** `http://host:port`, without a slash at the end, in the order of the configuration. */
  readonly endpoints: readonly string[];
  /** What tokens for it are made out to, in any of the ways that Hadoop writes it. */
  readonly services: readonly string[];
}

const PORTS = { http: 9870, https: 9871 } as const;

/** Ports of WebHDFS that people write into hdfs:// although it means the RPC port. */
const WEB_PORTS: Readonly<Record<string, 'http' | 'https'>> = {
  9870: 'http',
  50070: 'http',
  9871: 'https',
  50470: 'https',
};

/** Finds the name nodes of an address with an authority. A name service without name nodes is WB_CONFIG_INVALID. */
export function findNameService(
  { scheme, authority }: Pick<HdfsAddress, 'scheme' | 'authority'>,
  site: Site,
): NameService {
  const [, host = '', port] = /^(.*?)(?::(\d+))?$/.exec(authority) ?? [];
  if (port !== undefined && Number(port) > 65_535)
    throw invalid(`${authority}: ${port} is no port`);
  const kind = kindOf(scheme, site);
  const name = `${scheme}://${authority}`;
  const isService = serviceNames(site).includes(host);
  const nodes = site.get(`dfs.ha.namenodes.${host}`);
  if (port === undefined && (nodes !== undefined || isService)) {
    return { name, ...serviceOf(host, nodes, kind, site), services: servicesOf(host) };
  }
  if (scheme !== 'hdfs') {
    const at = `${host}:${port ?? PORTS[kind]}`;
    return { name, endpoints: [`${kind}://${at}`], services: [at] };
  }
  const service = `${host}:${port ?? '8020'}`;
  const web = WEB_PORTS[port ?? ''];
  const found = web === undefined ? byRpcAddress(service, kind, site) : `${web}://${authority}`;
  return {
    name,
    endpoints: [found ?? `${kind}://${host}:${PORTS[kind]}`],
    services: [service, ...(found === undefined ? [] : [new URL(found).host])],
  };
}

/** The names of the name services that the configuration has. */
export function serviceNames(site: Site): string[] {
  const text = site.get('dfs.nameservices') ?? site.get('dfs.internal.nameservices') ?? '';
  return wordsOf(text);
}

/** Hadoop itself reads hdfs:// without TLS unless its policy is TLS only. */
function kindOf(scheme: HdfsAddress['scheme'], site: Site): 'http' | 'https' {
  if (scheme === 'swebhdfs') return 'https';
  if (scheme === 'webhdfs') return 'http';
  return /^HTTPS_ONLY$/i.test(site.get('dfs.http.policy') ?? '') ? 'https' : 'http';
}

function serviceOf(
  service: string,
  nodes: string | undefined,
  kind: 'http' | 'https',
  site: Site,
): Pick<NameService, 'endpoints'> {
  const suffixes =
    nodes === undefined ? [`.${service}`] : wordsOf(nodes).map((node) => `.${service}.${node}`);
  const endpoints = suffixes.flatMap((suffix) => {
    const web = webAddress(suffix, kind, site);
    if (web !== undefined) return [web];
    const rpc = site.get(`dfs.namenode.rpc-address${suffix}`)?.replace(/:\d+$/, '');
    return rpc === undefined ? [] : [`${kind}://${rpc}:${PORTS[kind]}`];
  });
  if (endpoints.length > 0) return { endpoints };
  throw invalid(
    `the name service ${service} has no name nodes: ${site.source ?? 'the configuration'} has neither dfs.namenode.${kind}-address${suffixes[0] ?? ''} nor dfs.namenode.rpc-address${suffixes[0] ?? ''}`,
  );
}

/** The web address of the name node whose RPC address it is. */
function byRpcAddress(service: string, kind: 'http' | 'https', site: Site): string | undefined {
  const prefix = 'dfs.namenode.rpc-address';
  for (const name of site.names()) {
    if (!name.startsWith(prefix) || site.get(name) !== service) continue;
    const found = webAddress(name.slice(prefix.length), kind, site, service);
    if (found !== undefined) return found;
  }
  // A cluster of one name node often has its RPC address in fs.defaultFS alone.
  const isDefault = [`hdfs://${service}`, `hdfs://${service.replace(/:8020$/, '')}`].includes(
    site.get('fs.defaultFS')?.replace(/\/+$/, '') ?? '',
  );
  return isDefault ? webAddress('', kind, site, service) : undefined;
}

function webAddress(
  suffix: string,
  kind: 'http' | 'https',
  site: Site,
  service?: string,
): string | undefined {
  const text = site.get(`dfs.namenode.${kind}-address${suffix}`);
  const [, host, port] = /^(.*):(\d+)$/.exec(text ?? '') ?? [];
  if (host === undefined || port === undefined) return undefined;
  // A server that listens everywhere is where its RPC address says.
  const isAny = host === '0.0.0.0' || host === '[::]' || host === '';
  const rpc = service ?? site.get(`dfs.namenode.rpc-address${suffix}`);
  const real = isAny ? rpc?.replace(/:\d+$/, '') : host;
  return real === undefined ? undefined : `${kind}://${real}:${port}`;
}

function servicesOf(service: string): string[] {
  return [`ha-hdfs:${service}`, `webhdfs:${service}`, `swebhdfs:${service}`, service];
}

function wordsOf(text: string): string[] {
  return text.split(/[\s,]+/).filter((word) => word !== '');
}
