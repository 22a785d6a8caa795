/** The configuration files of Hadoop: those of a user, and those that make servers speak TLS. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import type { Issued } from './certificates.js';
import type { Kerberos } from './kerberos.js';

/** Names and values of Hadoop's configuration. */
export type Conf = Readonly<Record<string, string>>;

/** The ports of a name node on 127.0.0.1; 0 where it does not listen. */
export interface NameNode {
  readonly rpc: number;
  readonly http: number;
  readonly https: number;
}

/** More than the addresses of the cluster in the files that a user has. */
export interface UserConf {
  readonly coreSite?: Conf;
  readonly hdfsSite?: Conf;
}

/** A cluster as its users see it. */
export interface ClusterOfUser {
  readonly nameService: string | undefined;
  readonly nameNodes: readonly NameNode[];
  readonly kerberos: Kerberos | undefined;
}

/**
 * core-site.xml and hdfs-site.xml as a user of a cluster has them.
 * @returns the folder
 */
export function writeUserConf(
  folder: string,
  { nameService, nameNodes, kerberos }: ClusterOfUser,
  { coreSite = {}, hdfsSite = {} }: UserConf,
): string {
  const host = kerberos === undefined ? '127.0.0.1' : 'localhost';
  const service = nameService ?? `${host}:${nameNodes[0]?.rpc ?? 0}`;
  const isHa = nameService !== undefined;
  const places = nameNodes.flatMap(({ rpc, http, https }, index) => {
    const suffix = isHa ? `.${nameService}.nn${index + 1}` : '';
    return Object.entries({ rpc, http, https })
      .filter(([, port]) => port !== 0)
      .map(([kind, port]) => [`dfs.namenode.${kind}-address${suffix}`, `${host}:${port}`]);
  });
  const names = isHa
    ? { 'dfs.nameservices': nameService, [`dfs.ha.namenodes.${nameService}`]: 'nn1,nn2' }
    : {};
  const secure = kerberos && { 'hadoop.security.authentication': 'kerberos' };
  const core = { 'fs.defaultFS': `hdfs://${service}`, ...secure, ...coreSite };
  const hdfs = { ...names, ...(Object.fromEntries(places) as Conf), ...hdfsSite };
  writeFileSync(join(folder, 'core-site.xml'), siteXml(core));
  writeFileSync(join(folder, 'hdfs-site.xml'), siteXml(hdfs));
  return folder;
}

const STORE_PASSWORD = 'waybill';

/** A certificate of servers. */
export interface ServerTls extends Issued {
  /** Whoever asks has to show a certificate of this authority, at name nodes and data nodes. */
  readonly clientCaFile?: string;
}

/**
 * What servers need to speak TLS, and nothing else, at WebHDFS: a key store and an `ssl-server.xml` in a folder that has to be
 * in their class path.
 * @returns their configuration
 */
export function writeServerTls(
  folder: string,
  { certFile, keyFile, clientCaFile }: ServerTls,
): Conf {
  const store = join(folder, 'keys.p12');
  const pass = ['-passout', `pass:${STORE_PASSWORD}`];
  execFileSync(
    'openssl',
    ['pkcs12', '-export', '-in', certFile, '-inkey', keyFile, ...pass, '-out', store],
    { stdio: 'pipe' },
  );
  const server = {
    'ssl.server.keystore.location': store,
    'ssl.server.keystore.type': 'pkcs12',
    'ssl.server.keystore.password': STORE_PASSWORD,
    'ssl.server.keystore.keypassword': STORE_PASSWORD,
    ...(clientCaFile === undefined ? {} : trustOf(folder, clientCaFile)),
  };
  writeFileSync(join(folder, 'ssl-server.xml'), siteXml(server));
  const anyPort = '127.0.0.1:0';
  return {
    'dfs.http.policy': 'HTTPS_ONLY',
    'dfs.namenode.https-address': anyPort,
    'dfs.datanode.https.address': anyPort,
    ...(clientCaFile === undefined
      ? {}
      : { 'dfs.client.https.need-auth': 'true', 'hadoop.ssl.require.client.cert': 'true' }),
  };
}

/** Java trusts a certificate of openssl's only where its own tool has said so. */
function trustOf(folder: string, caFile: string): Conf {
  const store = join(folder, 'trust.p12');
  const into = ['-keystore', store, '-storetype', 'pkcs12', '-storepass', STORE_PASSWORD];
  const what = ['-importcert', '-noprompt', '-alias', 'ca', '-file', caFile];
  execFileSync('keytool', [...what, ...into], { stdio: 'pipe' });
  return {
    'ssl.server.truststore.location': store,
    'ssl.server.truststore.type': 'pkcs12',
    'ssl.server.truststore.password': STORE_PASSWORD,
  };
}

/** Lets whoever runs the servers ask for others, as a gateway does. */
export function proxyUser(prefix: 'hadoop' | 'httpfs'): Conf {
  const own = `${prefix}.proxyuser.${userInfo().username}`;
  return { [`${own}.hosts`]: '*', [`${own}.groups`]: '*' };
}

export interface HttpFsOptions {
  /** What it is told of the file system: `{ 'dfs.checksum.combine.mode': 'COMPOSITE_CRC' }`. */
  readonly hdfsSite?: Conf;
  /** Default true; else the name node lets it ask for nobody. */
  readonly mayAskForOthers?: boolean;
}

/**
 * What an HttpFS is told of itself and of the cluster that it stands for.
 * @returns the folder
 */
export function writeHttpFsConf(
  folder: string,
  rpcPort: number,
  { hdfsSite = {}, mayAskForOthers = true }: HttpFsOptions,
): string {
  // In one process with a name node the last that says who may ask for others is believed by both.
  const own = { 'httpfs.http.hostname': '127.0.0.1', 'httpfs.http.port': '0' };
  const core = { 'fs.defaultFS': `hdfs://127.0.0.1:${rpcPort}` };
  const deputy = mayAskForOthers ? proxyUser('httpfs') : {};
  const files = { httpfs: { ...own, ...deputy }, core, hdfs: hdfsSite };
  for (const [name, conf] of Object.entries(files)) {
    writeFileSync(join(folder, `${name}-site.xml`), siteXml(conf));
  }
  return folder;
}

/** Makes the servers members of a realm who ask everybody for a ticket. */
export async function kerberosOfServers({ realm, keytab }: Kerberos): Promise<Conf> {
  const [hdfs, http] = [`hdfs/localhost@${realm}`, `HTTP/localhost@${realm}`];
  const keys = await keytab('hadoop', [hdfs, http]);
  return {
    'hadoop.security.authentication': 'kerberos',
    'dfs.namenode.kerberos.principal': hdfs,
    'dfs.namenode.keytab.file': keys,
    'dfs.datanode.kerberos.principal': hdfs,
    'dfs.datanode.keytab.file': keys,
    'hadoop.http.authentication.type': 'kerberos',
    'hadoop.http.authentication.kerberos.principal': http,
    'hadoop.http.authentication.kerberos.keytab': keys,
    'dfs.namenode.kerberos.internal.spnego.principal': http,
    'dfs.web.authentication.kerberos.principal': http,
    'dfs.web.authentication.kerberos.keytab': keys,
    'hadoop.http.filter.initializers': 'org.apache.hadoop.hdfs.web.AuthFilterInitializer',
    'dfs.block.access.token.enable': 'true',
    'dfs.data.transfer.protection': 'authentication',
    'waybill.principal': hdfs,
    'waybill.keytab': keys,
  };
}

/** A configuration file of Hadoop. */
export function siteXml(conf: Conf): string {
  const text = (value: string): string =>
    value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  const properties = Object.entries(conf).map(
    ([name, value]) =>
      `  <property>\n    <name>${text(name)}</name>\n    <value>${text(value)}</value>\n  </property>\n`,
  );
  return `<?xml version="1.0"?>\n<configuration>\n${properties.join('')}</configuration>\n`;
}
