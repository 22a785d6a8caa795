/** The HDFS store's address, its settings and the configuration of Hadoop, read and checked. */
import type { ConnectionSettings, StoreAddress } from '../store.js';
import { parseHdfsUri, type HdfsAddress } from './address.js';
import { readIdentity, type HdfsIdentity } from './identity.js';
import { Mounts, readMountTable } from './mounts.js';
import { findNameService, type NameService } from './name-service.js';
import { readSite, type Site } from './site.js';
import { invalid } from './invalid.js';

/** All that the store needs to know; free of secrets but for those of `identity`. */
export interface HdfsConfig {
  readonly mounts: Mounts;
  /** Absolute at the file system, without a slash at its end. */
  readonly rootPath: string;
  readonly isFolder: boolean;
  /** `hdfs://nn:8020/path`, as shown. */
  readonly root: string;
  readonly identity: HdfsIdentity;
  readonly checksums: ChecksumRule;
  /** The servers of the cluster ask each caller for a client certificate, the data nodes too. */
  readonly dataNodesWantCertificate: boolean;
  /** The setting that says where requests go, for messages. */
  readonly placedBy: string;
}

/** What switches it on at name nodes, and at data nodes. */
const WANT_CERTIFICATE = ['dfs.client.https.need-auth', 'hadoop.ssl.require.client.cert'];

/** Whether name nodes are asked for the checksums of files. */
export type ChecksumRule = 'always' | 'never';

/**
 * Reads an address with the configuration of the machine. A malformed URI is WB_USAGE, a setting that cannot be right
 * WB_CONFIG_INVALID naming it. No request is made.
 */
export async function readHdfsConfig(address: StoreAddress): Promise<HdfsConfig> {
  const { uri, settings } = address;
  const typed = parseHdfsUri(uri);
  const gateway = gatewayOf(settings);
  const site = await readSite(settings);
  const checksums = settings['WAYBILL_HDFS_CHECKSUM'] ?? 'always';
  if (checksums !== 'always' && checksums !== 'never') {
    throw invalid(`WAYBILL_HDFS_CHECKSUM must be always or never, not ${checksums}`);
  }
  const { scheme, authority } = gateway === undefined ? withDefault(typed, site) : typed;
  const mounts =
    gateway === undefined
      ? mountsOf({ ...typed, scheme, authority }, site)
      : new Mounts([{ at: '/', service: gateway, target: '/' }]);
  return {
    mounts,
    rootPath: typed.path,
    isFolder: typed.isFolder,
    root: `${scheme}://${authority}${typed.path}`,
    identity: await readIdentity(address, mounts.services()),
    checksums,
    dataNodesWantCertificate: WANT_CERTIFICATE.some((name) => /^true$/i.test(site.get(name) ?? '')),
    placedBy:
      gateway === undefined
        ? (site.source ?? 'the address, or HADOOP_CONF_DIR')
        : 'WAYBILL_HDFS_URL',
  };
}

function mountsOf(address: HdfsAddress, site: Site): Mounts {
  if (address.scheme === 'viewfs') return readMountTable(address.authority || 'default', site);
  return new Mounts([{ at: '/', service: findNameService(address, site), target: '/' }]);
}

/** The file system of an address that names none: that of `fs.defaultFS`. */
function withDefault(
  { scheme, authority }: HdfsAddress,
  site: Site,
): Pick<HdfsAddress, 'scheme' | 'authority'> {
  if (authority !== '') return { scheme, authority };
  const setting = ['fs.defaultFS', 'fs.default.name'].find((name) => site.get(name) !== undefined);
  const text = setting === undefined ? undefined : site.get(setting);
  if (scheme === 'viewfs') {
    const table = /^viewfs:\/\/([^/]+)/i.exec(text ?? '')?.[1];
    return { scheme, authority: table ?? 'default' };
  }
  if (text === undefined) {
    throw invalid(
      `${scheme}:/// is the default file system, and none is set: ` +
        `${site.source === undefined ? 'set HADOOP_CONF_DIR to the folder of your core-site.xml' : `${site.source} has no fs.defaultFS`}, or write ${scheme}://host:port/path`,
    );
  }
  if (!/^(hdfs|webhdfs|swebhdfs|viewfs):\/\/[^/]/i.test(text)) {
    throw invalid(
      `fs.defaultFS in ${site.source ?? ''} is ${text}, which is no HDFS: write hdfs://host:port/path`,
    );
  }
  const found = parseHdfsUri(text);
  // webhdfs:/// keeps to HTTP, whatever the default is written with.
  const isWeb = scheme !== 'hdfs' && found.scheme === 'hdfs';
  if (!isWeb) return found;
  const { endpoints } = findNameService(found, site);
  const isService = endpoints.length > 1;
  return {
    scheme,
    authority: isService ? found.authority : new URL(endpoints[0] ?? '').host,
  };
}

/** A gateway (Knox) or an HttpFS, which stands for the whole file system. */
function gatewayOf(settings: ConnectionSettings): NameService | undefined {
  const text = settings['WAYBILL_HDFS_URL']?.trim() ?? '';
  if (text === '') return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.search !== '' || url.username !== '') {
    throw invalid(
      'WAYBILL_HDFS_URL is not the address of a gateway: write https://host:8443/gateway/default, and nothing secret in it',
    );
  }
  const path = url.pathname.replace(/\/+$/, '').replace(/\/webhdfs(\/v1)?$/, '');
  const endpoint = url.origin + path;
  return { name: endpoint, endpoints: [endpoint], services: [url.host] };
}
