/** What a cluster loses while a pull runs on it: a worker, the network of a host, Temporal, its database. */
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../workflows/lib/bench.js';
import type { Cluster, ClusterWorker } from './cluster.js';

export interface OutagesOptions {
  readonly cluster: Cluster;
  readonly pullId: string;
  /** The first is killed and comes again; the host of the second loses its network. */
  readonly workers: readonly [ClusterWorker, ClusterWorker];
  /** How long each outage lasts. */
  readonly outageMs: number;
  readonly say?: (line: string) => void;
}

/** Lets everything fail, one after another; each fails while files are still missing. */
export async function loseEverything(options: OutagesOptions): Promise<void> {
  const { cluster, pullId, workers, outageMs, say = (): void => undefined } = options;
  const [killed, cutOff] = workers;
  const filesDone = async (): Promise<number> => {
    const { state, progress } = await cluster.client.status(pullId);
    if (state !== 'running') throw new Error(`the pull is ${state} before all has been lost`);
    return progress.filesDone;
  };
  /** What is lost was in use: files have come since the last loss. */
  const untilMoves = async (what: string): Promise<void> => {
    let before: number | undefined;
    const moved = async (): Promise<boolean> => {
      const now = await filesDone();
      before ??= now;
      return now > before;
    };
    await until(`files come before ${what} is lost`, moved, 300_000);
    say(`${what} is lost for ${outageMs / 1_000} s`);
  };
  await untilMoves('a worker');
  killed.signal('SIGKILL');
  await killed.done;
  await untilMoves('the network of a host');
  cutOff.host.unplug();
  await sleep(outageMs);
  cutOff.host.plugIn();
  await cluster.startWorker(killed.host);
  await untilMoves('Temporal');
  await cluster.temporal.kill();
  await sleep(outageMs);
  await cluster.temporal.restart();
  await untilMoves('the database');
  await cluster.postgres.kill();
  await sleep(outageMs);
  await cluster.postgres.restart();
  await untilMoves('nothing more');
}
