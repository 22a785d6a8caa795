/**
 * A whole cluster on one machine, as root: PostgreSQL, a Temporal server on it, a source, and hosts with addresses of their
 * own behind shaped links. In a test:
 *
 *     const cluster = await startCluster();
 *     const source = await cluster.serve(folder);
 *     const host = await cluster.addHost('host1', { megabitsPerSecond: 200 });
 *     const worker = await cluster.startWorker(host);
 *     const run = await cluster.run(['pull', `${source.url}/tree/`, `any:${cluster.shared}/tree`, '--json']);
 *     await cluster.stop();
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { WaybillClient } from '../../src/client.js';
import { startNginx, type Nginx } from '../helpers/nginx.js';
import { scratchFolder } from '../helpers/processes.js';
import {
  startWaybill,
  type RunningWaybill,
  type RunOptions,
  type WaybillRun,
} from '../helpers/waybill.js';
import { until } from '../workflows/lib/bench.js';
import { startNetwork, type Host, type HostOptions, type Network } from './host.js';
import { startPostgres, type Postgres } from './postgres.js';
import { startTemporalServer, type TemporalServer } from './temporal-server.js';

const DAY_MS = 24 * 3_600_000;

export interface WorkerOptions {
  readonly site?: string;
  /** The folder that it may write below; the shared one by default. */
  readonly root?: string;
  /** The script of another Waybill's command (releases.ts). */
  readonly main?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Of another namespace than the usual one, where the worker is in it. */
  readonly client?: WaybillClient;
}

/** A worker on a host. */
export interface ClusterWorker extends RunningWaybill {
  readonly host: Host;
  /** The words that stand between its host and its role in Temporal's lists. */
  readonly identity: string;
}

export interface Cluster {
  readonly network: Network;
  readonly postgres: Postgres;
  readonly temporal: TemporalServer;
  /** Sends a command to this cluster. */
  readonly env: Readonly<Record<string, string>>;
  readonly client: WaybillClient;
  /** A folder that every host sees. */
  readonly shared: string;
  /** For everything else; removed at the end. */
  readonly dir: string;
  /** Serves a folder to all hosts. */
  serve(folder: string): Promise<Nginx>;
  addHost(name: string, options?: HostOptions): Promise<Host>;
  /** Starts a worker and waits until it asks for work. */
  startWorker(host: Host, options?: WorkerOptions): Promise<ClusterWorker>;
  /** Runs a command on this machine, or on a host with its `runner`. */
  start(args: readonly string[], options?: RunOptions): RunningWaybill;
  run(args: readonly string[], options?: RunOptions): Promise<WaybillRun>;
  /** Ends the workers, which may take their grace time, or at once. */
  endWorkers(how?: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  stop(): Promise<void>;
}

export async function startCluster(): Promise<Cluster> {
  const dir = scratchFolder('cluster');
  const shared = join(dir, 'shared');
  mkdirSync(shared);
  const network = await startNetwork();
  const { address, runner } = network;
  const postgres = await startPostgres(runner);
  const temporal = await startTemporalServer({ postgres, address, runner });
  const env = { TEMPORAL_ADDRESS: temporal.address };
  const client = await WaybillClient.connect({ address: temporal.address });
  const workers: ClusterWorker[] = [];
  const servers: Nginx[] = [];
  const stateDir = join(dir, 'state');
  const start: Cluster['start'] = (args, options = {}) =>
    startWaybill(args, { stateDir, cwd: dir, ...options, env: { ...env, ...options.env } });
  const endWorkers: Cluster['endWorkers'] = async (how = 'SIGTERM') => {
    const all = workers.splice(0);
    for (const worker of all) worker.signal(how);
    await Promise.all(all.map((worker) => worker.done));
  };
  return {
    network,
    postgres,
    temporal,
    env,
    client,
    shared,
    dir,
    serve: async (root) => {
      const server = await startNginx({ root, host: address, port: 8080 + servers.length, runner });
      servers.push(server);
      return server;
    },
    addHost: (name, options) => network.addHost(name, options),
    startWorker: async (host, options = {}) => {
      const { site, root = shared, main, client: asked = client } = options;
      const running = start(['worker', ...(site === undefined ? [] : ['--site', site])], {
        runner: host.runner,
        env: { WAYBILL_ROOTS: root, WAYBILL_SOURCE_ROOTS: dir, ...options.env },
        ...(main === undefined ? {} : { main }),
        timeoutMs: DAY_MS,
      });
      const worker = {
        ...running,
        host,
        identity: `${host.name}/${running.pid}/worker${site === undefined ? '' : `/${site}`}`,
      };
      workers.push(worker);
      const { transfer } = client.queues(site);
      await until(
        `${host.name} polls`,
        async () => (await asked.pollersOf(transfer)).includes(worker.identity),
        120_000,
      );
      return worker;
    },
    start,
    run: (args, options) => start(args, options).done,
    endWorkers,
    stop: async () => {
      await endWorkers('SIGKILL');
      await client.close();
      for (const server of servers) await server.stop();
      await temporal.stop();
      await postgres.stop();
      await network.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
