/** A pull that is met half-way: slow until it is told otherwise. */
import type { RunningWaybill, WaybillRun } from '../helpers/waybill.js';
import { until } from '../workflows/lib/bench.js';
import type { Cluster } from './cluster.js';

export interface SlowPull {
  readonly running: RunningWaybill;
  readonly pullId: string;
  /** From now on as fast as it can; resolves when its command has ended. */
  hurry(): Promise<WaybillRun>;
}

export interface SlowPullOptions {
  readonly url: string;
  readonly destination: string;
  /** `1MiB/s`. */
  readonly rate: string;
}

/** Starts a pull and waits until it fetches. */
export async function pullSlowly(
  { client, start }: Cluster,
  { url, destination, rate }: SlowPullOptions,
): Promise<SlowPull> {
  const args = ['pull', url, `any:${destination}`, '--json', '--max-bandwidth', rate];
  const running = start(args, { timeoutMs: 3_600_000 });
  await running.untilOutput(/"type":"started"/u);
  const pullId = /"pullId":"([^"]+)"/u.exec(running.stdout())?.[1] ?? '';
  const hasBegun = async (): Promise<boolean> =>
    (await client.status(pullId)).progress.phase === 'fetching';
  await until('it fetches', hasBegun, 120_000);
  const hurry = async (): Promise<WaybillRun> => {
    await client.tune(pullId, { maxBytesPerSecond: null });
    return running.done;
  };
  return { running, pullId, hurry };
}
