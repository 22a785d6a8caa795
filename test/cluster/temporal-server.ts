/** A real Temporal server on PostgreSQL, as a platform team runs it: not the dev server of the CLI. */
import { Connection } from '@temporalio/client';
import type { ConnectionOptions } from '@temporalio/client';
import { execFileSync } from 'node:child_process';
import { access, mkdir } from 'node:fs/promises';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { goInstall } from '../../src/service/go-install.js';
import { withInstallLock } from '../../src/service/install-lock.js';
import { cacheFolder } from '../helpers/cache.js';
import type { Issued } from '../helpers/certificates.js';
import {
  scratchFolder,
  scrubbedEnv,
  startProcess,
  startRestartable,
} from '../helpers/processes.js';
import type { Restartable, ServerProcess } from '../helpers/processes.js';
import type { Postgres } from './postgres.js';

/** The newest that the Go of Debian's and CI's images builds. */
const VERSION = 'v1.31.0';

const PROGRAMS = [
  { name: 'Temporal server', file: 'temporal-server', package: 'cmd/server', packageCount: 1_900 },
  {
    name: "Temporal's SQL tool",
    file: 'temporal-sql',
    package: 'cmd/tools/sql',
    packageCount: 600,
  },
] as const;

const pathOf = (file: string): string => join(cacheFolder(), 'bin', `${file}-${VERSION}`);

/** Whether both are in the cache. */
export async function hasTemporalServer(): Promise<boolean> {
  const there = await Promise.all(PROGRAMS.map(({ file }) => exists(pathOf(file))));
  return there.every(Boolean);
}

/** Server and SQL tool in the cache, built with Go when they are not there: about 3 minutes, once. */
export async function ensureTemporalServer(onProgress: (line: string) => void): Promise<string> {
  await mkdir(join(cacheFolder(), 'bin'), { recursive: true });
  for (const program of PROGRAMS) {
    const target = pathOf(program.file);
    if (await exists(target)) continue;
    const onWait = (pid: number): void => onProgress(`${program.name}: waiting for process ${pid}`);
    await withInstallLock({ path: `${target}.lock`, onWait }, async () => {
      if (await exists(target)) return;
      onProgress(`${program.name}: building it from Go's module proxy, 3 minutes, once`);
      const wanted = `go.temporal.io/server/${program.package}@${VERSION}`;
      const { name, packageCount } = program;
      await goInstall({ package: wanted, target, name, packageCount, onProgress });
    });
  }
  return pathOf('temporal-server');
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** How callers prove who they are. */
export interface Security {
  /** Of the server, valid for its address. */
  readonly server: Issued;
  /** The authority of the clients; without a certificate of it nobody is heard. */
  readonly clientCaFile: string;
  /** Where the keys are that sign API keys (JWTs); absent: a certificate is enough. */
  readonly jwksUri?: string;
}

export interface TemporalServerOptions {
  readonly postgres: Postgres;
  /** The address that it listens on. */
  readonly address: string;
  readonly runner?: readonly string[];
  /** Reaches it while it starts; needed with `security`. */
  readonly connection?: Pick<ConnectionOptions, 'tls' | 'apiKey'>;
  readonly security?: Security;
  /** The name of its database in that PostgreSQL. */
  readonly database?: string;
  /** Of the ten that it uses; where it listens is a namespace of ours, so that they are free. The database takes none above 32,767. */
  readonly firstPort?: number;
}

export interface TemporalServer extends Restartable {
  /** `HOST:PORT`. */
  readonly address: string;
  createNamespace(namespace: string): Promise<void>;
}

const DYNAMIC = {
  // The keys that a pull sets count: nobody waits behind whoever came first with more.
  'matching.enableFairness': true,
  // A queue of a test serves few workers; each partition would hold tasks back from some of them.
  'matching.numTaskqueueReadPartitions': 1,
  'matching.numTaskqueueWritePartitions': 1,
};

/** Makes the databases, starts the four services in one process and the namespace `default`. */
export async function startTemporalServer(options: TemporalServerOptions): Promise<TemporalServer> {
  const binary = await ensureTemporalServer((line) => process.stderr.write(`${line}\n`));
  const { runner = [], database = 'temporal' } = options;
  const dir = scratchFolder('temporal-server');
  for (const kind of ['temporal', 'visibility'] as const) makeDatabase(options, database, kind);
  const dynamic = Object.entries(DYNAMIC).map(([name, value]) => [name, [{ value }]]);
  writeFileSync(join(dir, 'dynamic.yaml'), stringify(Object.fromEntries(dynamic)));
  const port = options.firstPort ?? 7233;
  const config = configOf(options, database, port, join(dir, 'dynamic.yaml'));
  writeFileSync(join(dir, 'config.yaml'), stringify(config));
  const address = `${options.address}:${port}`;
  const [command = '', ...args] = [
    ...[...runner, binary, '--config-file', join(dir, 'config.yaml'), '--allow-no-auth', 'start'],
    ...(options.security?.jwksUri === undefined ? [] : ['--service', 'internal-frontend']),
    ...['frontend', 'history', 'matching', 'worker'].flatMap((one) => ['--service', one]),
  ];
  const start = (): Promise<ServerProcess> =>
    startProcess({
      name: 'TemporalServer',
      command,
      args,
      dir,
      readyTimeoutMs: 120_000,
      isReady: () => withConnection(address, options, () => Promise.resolve(true)),
    });
  const server = await startRestartable(start);
  const createNamespace = (namespace: string): Promise<void> =>
    withConnection(address, options, (connection) => register(connection, namespace));
  await createNamespace('default');
  return {
    address,
    createNamespace,
    ...server,
  };
}

async function withConnection<T>(
  address: string,
  { connection: own = {} }: TemporalServerOptions,
  use: (connection: Connection) => Promise<T>,
): Promise<T> {
  const connection = await Connection.connect({ address, ...own, connectTimeout: 5_000 });
  try {
    return await use(connection);
  } finally {
    await connection.close();
  }
}

/** A namespace is usable once every part of the server has heard of it. */
async function register({ workflowService }: Connection, namespace: string): Promise<void> {
  const seconds = 24 * 3600;
  const until = performance.now() + 60_000;
  for (;;) {
    try {
      await workflowService.registerNamespace({
        namespace,
        workflowExecutionRetentionPeriod: { seconds: seconds as never },
      });
    } catch (error) {
      if (!/already/i.test(String(error)) && performance.now() > until) throw error;
    }
    try {
      await workflowService.listWorkflowExecutions({ namespace, pageSize: 1 });
      return;
    } catch (error) {
      if (performance.now() > until) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

const databaseOf = (name: string, kind: 'temporal' | 'visibility'): string =>
  kind === 'temporal' ? name : `${name}_visibility`;

function makeDatabase(
  { postgres, runner = [] }: TemporalServerOptions,
  name: string,
  kind: 'temporal' | 'visibility',
): void {
  const tool = (...args: readonly string[]): void => {
    const [command = '', ...rest] = [
      ...[...runner, pathOf('temporal-sql'), '--pl', 'postgres12', '--db', databaseOf(name, kind)],
      ...['--ep', postgres.host, '-p', String(postgres.port), '-u', postgres.user],
      ...args,
    ];
    const env = scrubbedEnv({ SQL_PASSWORD: postgres.password });
    execFileSync(command, rest, { env, stdio: 'pipe' });
  };
  tool('create');
  tool('setup-schema', '-v', '0.0');
  tool('update-schema', '-s', `postgresql/v12/${kind}`);
}

type Tree = { readonly [name: string]: unknown };

function configOf(
  options: TemporalServerOptions,
  database: string,
  port: number,
  dynamicFile: string,
): Tree {
  const { postgres, address, security } = options;
  const store = (kind: 'temporal' | 'visibility', maxConns: number): Tree => ({
    sql: {
      pluginName: 'postgres12',
      databaseName: databaseOf(database, kind),
      connectAddr: `${postgres.host}:${postgres.port}`,
      connectProtocol: 'tcp',
      user: postgres.user,
      password: postgres.password,
      maxConns,
      maxIdleConns: maxConns,
      maxConnLifetime: '1h',
    },
  });
  const rpc = (index: number): Tree => ({
    rpc: { grpcPort: port + 2 * index, membershipPort: port + 2 * index + 1, bindOnIP: address },
  });
  return {
    log: { stdout: true, level: 'warn' },
    persistence: {
      defaultStore: 'default',
      visibilityStore: 'visibility',
      numHistoryShards: 4,
      datastores: { default: store('temporal', 20), visibility: store('visibility', 5) },
    },
    global: {
      membership: { maxJoinDuration: '30s', broadcastAddress: address },
      ...(security === undefined ? {} : securityOf(security)),
    },
    services: {
      frontend: rpc(0),
      matching: rpc(1),
      history: rpc(2),
      worker: rpc(3),
      ...(security?.jwksUri === undefined ? {} : { 'internal-frontend': rpc(4) }),
    },
    clusterMetadata: {
      enableGlobalNamespace: false,
      failoverVersionIncrement: 10,
      masterClusterName: 'active',
      currentClusterName: 'active',
      clusterInformation: {
        active: {
          enabled: true,
          initialFailoverVersion: 1,
          rpcName: 'frontend',
          rpcAddress: `${address}:${port}`,
        },
      },
    },
    dynamicConfigClient: { filepath: dynamicFile, pollInterval: '10s' },
  };
}

function securityOf({ server, clientCaFile, jwksUri }: Security): Tree {
  const own = { certFile: server.certFile, keyFile: server.keyFile };
  const peer = { serverName: 'localhost', rootCaFiles: [clientCaFile] };
  const side = {
    server: { ...own, requireClientAuth: true, clientCaFiles: [clientCaFile] },
    client: peer,
  };
  return {
    tls: { internode: side, frontend: side, systemWorker: { ...own, client: peer } },
    ...(jwksUri === undefined
      ? {}
      : {
          authorization: {
            jwtKeyProvider: { keySourceURIs: [jwksUri], refreshInterval: '1h' },
            permissionsClaimName: 'permissions',
            authorizer: 'default',
            claimMapper: 'default',
          },
        }),
  };
}
