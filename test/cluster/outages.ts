/** What a cluster loses while a pull runs on it: a worker, the network of a host, Temporal, its database. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../workflows/lib/bench.js';
import type { Cluster, ClusterWorker } from './cluster.js';
import { pullSlowly } from './slow-pull.js';
import { writeTree } from './trees.js';

/** More than what heartbeats and questions for work make. */
const FLOW_BYTES = 256 * 1024;

export interface OutagesOptions {
  readonly cluster: Cluster;
  /** The first is killed and comes again; the host of the second loses its network. They share the pull. */
  readonly workers: readonly [ClusterWorker, ClusterWorker];
  /** How long each outage lasts. */
  readonly outageMs: number;
  readonly say?: (line: string) => void;
}

/** Lets everything fail, one after another; what fails next does so once bytes flow again. */
export async function loseEverything(options: OutagesOptions): Promise<void> {
  const { cluster, workers, outageMs, say = (): void => undefined } = options;
  const [killed, cutOff] = workers;
  const received = (): number => workers.reduce((sum, { host }) => sum + host.receivedBytes(), 0);
  const outage = async (
    what: string,
    lose: () => void | Promise<void>,
    mend: () => void | Promise<unknown>,
  ): Promise<void> => {
    say(`without ${what} for ${outageMs / 1_000} s`);
    await lose();
    await sleep(outageMs);
    await mend();
    const [before, since] = [received(), performance.now()];
    await until(`bytes flow after ${what}`, () => received() - before > FLOW_BYTES, 300_000);
    say(
      `bytes flow ${Math.round((performance.now() - since) / 100) / 10} s after ${what} was back`,
    );
  };
  await outage(
    'a worker',
    async () => {
      killed.signal('SIGKILL');
      await killed.done;
    },
    () => cluster.startWorker(killed.host),
  );
  await outage('the network of a host', cutOff.host.unplug, cutOff.host.plugIn);
  for (const [what, server] of [
    ['Temporal', cluster.temporal],
    ['PostgreSQL', cluster.postgres],
  ] as const) {
    await outage(what, server.kill, server.restart);
  }
}

/** A pull of 500 MiB from beginning to end through all of that. Answers the exit code of its command, or 1 for a wrong tree. */
export async function pullThroughOutages(options: {
  readonly cluster: Cluster;
  readonly workers: readonly ClusterWorker[];
  readonly outageSeconds: number;
  readonly say: (line: string) => void;
}): Promise<number> {
  const { cluster, outageSeconds, say } = options;
  const [first, second] = options.workers;
  if (first === undefined || second === undefined) throw new Error('that takes two hosts');
  const source = join(cluster.dir, 'source');
  const tree = writeTree(join(source, 'tree'), 500, 1024 * 1024);
  const { url } = await cluster.serve(source);
  const destination = join(cluster.shared, 'tree');
  const pull = await pullSlowly(cluster, { url: `${url}/tree/`, destination, rate: '1MiB/s' });
  const outageMs = outageSeconds * 1_000;
  await loseEverything({ cluster, workers: [first, second], outageMs, say });
  const { exitCode, stdout } = await pull.hurry();
  const wrong = exitCode === 0 ? tree.wrongIn(destination) : [];
  say(stdout.trim().split('\n').at(-1) ?? '');
  say(`exit ${exitCode}, ${wrong.length} files wrong: ${wrong.slice(0, 5).join(' ')}`);
  return wrong.length > 0 ? 1 : exitCode;
}
