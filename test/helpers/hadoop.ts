/**
 * A real HDFS: name nodes and data nodes of Hadoop in one JVM, about 5 s to start. In a test:
 *
 *     const hadoop = await startHadoop();
 *     await hadoop.putTree('/models/churn', folder);
 *     ... webhdfs://127.0.0.1:${hadoop.port}/models/churn, or hdfs:///models/churn with hadoop.env ...
 *     await hadoop.stop();
 *
 * Whoever asks is the super user where its name is that of whoever runs the tests, else everybody's rights hold.
 */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  kerberosOfServers,
  proxyUser,
  writeHttpFsConf,
  writeServerTls,
  writeUserConf,
} from './hadoop-conf.js';
import type { Conf, HttpFsOptions, NameNode, ServerTls, UserConf } from './hadoop-conf.js';
import { ensureHadoop } from './hadoop-install.js';
import type { Kerberos } from './kerberos.js';
import { freePort } from './ports.js';
import { scratchFolder, startProcess } from './processes.js';
import type { ServerProcess } from './processes.js';

export interface HadoopOptions {
  /** Configuration of the servers: `{ 'dfs.checksum.combine.mode': 'COMPOSITE_CRC' }`. */
  readonly conf?: Conf;
  /** Default 1. */
  readonly dataNodes?: number;
  /** A name service of this name with two name nodes, the first one active. */
  readonly nameService?: string;
  /** Who asks has to have a ticket of this realm. Needs `tls`; the servers are `localhost` then. */
  readonly kerberos?: Kerberos;
  /** WebHDFS speaks TLS only, here and at the data nodes. */
  readonly tls?: ServerTls;
}

/** The ports of a data node on 127.0.0.1; 0 where it does not listen. */
export interface DataNode {
  readonly http: number;
  readonly https: number;
  readonly ipc: number;
}

/** How a file is cut up. Sizes in bytes. */
export interface HdfsFileOptions {
  /** Default 1 MiB. */
  readonly block?: number;
  /** How many bytes one checksum covers; default 512. */
  readonly bytesPerChecksum?: number;
  readonly checksum?: 'CRC32' | 'CRC32C';
}

export interface Hadoop extends ServerProcess {
  /** Of WebHDFS at the first name node: HTTP, or HTTPS where it only has that. */
  readonly port: number;
  readonly rpcPort: number;
  readonly nameNodes: readonly NameNode[];
  readonly dataNodes: readonly DataNode[];
  /** core-site.xml and hdfs-site.xml as a user of this cluster has them. */
  readonly confDir: string;
  /** What such a user has in the environment. */
  readonly env: Conf;
  /** Another such folder, with more in it: a `viewfs` mount table, say. */
  userConf(more: UserConf): string;
  /** `hdfs dfs WORDS`: `['-chmod', '600', '/models/a']`; as the super user, or as another. Answers what it said. */
  dfs(words: readonly string[], user?: string): Promise<string>;
  putFile(path: string, body: Buffer | string, options?: HdfsFileOptions): Promise<void>;
  /** Every file and folder of `dir`, to a path that is not there yet. */
  putTree(path: string, dir: string): Promise<void>;
  /** The files that are made in a folder from now on: `XOR-2-1-1024k` wants three data nodes. */
  erasureCode(folder: string, policy: string): Promise<void>;
  /** Makes a folder an encryption zone. */
  encrypt(folder: string): Promise<void>;
  /** Starts an HttpFS before a cluster that has no realm, or starts it anew in another way. Answers its address. */
  startHttpFs(options?: HttpFsOptions): Promise<string>;
  stopHttpFs(): Promise<void>;
  setActive(nameNode: number): Promise<void>;
  setStandby(nameNode: number): Promise<void>;
  stopNameNode(nameNode: number): Promise<void>;
  startNameNode(nameNode: number): Promise<void>;
  stopDataNode(dataNode: number): Promise<void>;
  /** Starts the one that was stopped last, at the ports it had. */
  startDataNode(): Promise<void>;
}

/** Starts an empty cluster. */
export async function startHadoop(options: HadoopOptions = {}): Promise<Hadoop> {
  const classPath = await ensureHadoop((line) => process.stderr.write(`${line}\n`));
  const dir = scratchFolder('hadoop');
  const control = `http://127.0.0.1:${await freePort()}`;
  const file = join(dir, 'cluster.properties');
  const servers = join(dir, 'servers');
  mkdirSync(servers);
  const temporary = join(dir, 'tmp');
  mkdirSync(temporary);
  const { tls, kerberos } = options;
  const secure: Conf = {
    ...(tls && writeServerTls(servers, tls)),
    ...(kerberos && (await kerberosOfServers(kerberos))),
    'waybill.port': new URL(control).port,
    'waybill.dir': join(dir, 'data'),
    'hadoop.security.key.provider.path': `jceks://file${join(dir, 'keys.jceks')}`,
  };
  writeFileSync(file, propertiesOf(options, secure));
  const tell = async (...words: readonly string[]): Promise<string> => {
    const answer = await fetch(control, { method: 'POST', body: words.join('\0') });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`Hadoop: ${words.join(' ')}: ${text}`);
    return text;
  };
  const server = await startProcess({
    name: 'Hadoop',
    command: 'java',
    args: [
      // HttpFS wants it, as bin/hadoop gives it.
      '--add-opens=java.base/java.lang=ALL-UNNAMED',
      // Its web servers leave what they unpack in the folder for temporary files.
      `-Djava.io.tmpdir=${temporary}`,
      ...['-Xmx384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'],
      ...['-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'],
      ...(kerberos ? [`-Djava.security.krb5.conf=${kerberos.confFile}`] : []),
      ...['-cp', `${servers}:${classPath}`, 'Cluster', file],
    ],
    dir,
    readyTimeoutMs: 180_000,
    isReady: async () => (await tell('status')) !== '',
  });
  const { nameNodes, dataNodes } = JSON.parse(await tell('status')) as Ports;
  const [first] = nameNodes;
  if (first === undefined) throw new Error('Hadoop has no name node');
  const cluster = { nameService: options.nameService, nameNodes, kerberos };
  const userConf = (more: UserConf = {}): string =>
    writeUserConf(mkdtempSync(join(dir, 'conf-')), cluster, more);
  const confDir = userConf();
  return {
    ...server,
    port: first.http === 0 ? first.https : first.http,
    rpcPort: first.rpc,
    nameNodes,
    dataNodes,
    confDir,
    env: { HADOOP_CONF_DIR: confDir },
    userConf,
    startHttpFs: async (httpFs = {}) => {
      const folder = writeHttpFsConf(mkdtempSync(join(dir, 'httpfs-')), first.rpc, httpFs);
      return `http://127.0.0.1:${await tell('start-httpfs', folder)}`;
    },
    stop: async () => {
      await server.stop();
      await rm(dir, { recursive: true, force: true });
    },
    ...commandsOf(tell),
  };
}

interface Ports {
  readonly nameNodes: readonly NameNode[];
  readonly dataNodes: readonly DataNode[];
}

type Commands = Omit<
  Hadoop,
  | keyof ServerProcess
  | keyof Ports
  | 'port'
  | 'rpcPort'
  | 'confDir'
  | 'env'
  | 'userConf'
  | 'startHttpFs'
>;

function commandsOf(tell: (...words: readonly string[]) => Promise<string>): Commands {
  const told = async (...words: readonly string[]): Promise<void> => void (await tell(...words));
  const dfs: Hadoop['dfs'] = (words, user = '') => tell('fs', user, ...words);
  return {
    dfs,
    putFile: async (path, body, { block, bytesPerChecksum, checksum } = {}) => {
      const folder = await mkdtemp(join(tmpdir(), 'waybill-hadoop-put-'));
      const local = join(folder, 'file');
      await writeFile(local, body);
      const sizes = [String(block ?? 1024 * 1024), String(bytesPerChecksum ?? 512)];
      await told('create', path, ...sizes, checksum ?? 'CRC32C', local);
      await rm(folder, { recursive: true });
    },
    putTree: async (path, dir) => {
      const above = path.slice(0, path.lastIndexOf('/'));
      await dfs(['-mkdir', '-p', above === '' ? '/' : above]);
      await dfs(['-put', dir, path]);
    },
    erasureCode: (folder, policy) => told('erasure-code', folder, policy),
    encrypt: (folder) => told('encrypt', folder),
    stopHttpFs: () => told('stop-httpfs'),
    setActive: (index) => told('active', String(index)),
    setStandby: (index) => told('standby', String(index)),
    stopNameNode: (index) => told('stop-namenode', String(index)),
    startNameNode: (index) => told('start-namenode', String(index)),
    stopDataNode: (index) => told('stop-datanode', String(index)),
    startDataNode: () => told('start-datanode'),
  };
}

function propertiesOf(options: HadoopOptions, secure: Conf): string {
  const { conf = {}, dataNodes = 1, nameService } = options;
  const all: Conf = {
    'dfs.namenode.fs-limits.min-block-size': '1024',
    ...proxyUser('hadoop'),
    ...secure,
    ...conf,
    'waybill.dataNodes': String(dataNodes),
    ...(nameService === undefined ? {} : { 'waybill.ha': nameService }),
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}=${escaped(value)}\n`);
  return lines.join('');
}

/** A value in a file of Java properties. */
function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}
