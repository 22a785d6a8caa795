/** How one pull grows with its workers, each behind a link of its own. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Cluster } from './cluster.js';
import type { Host } from './host.js';
import { writeTree } from './trees.js';

export interface Scaling {
  readonly workers: number;
  readonly seconds: number;
  readonly megabitsPerSecond: number;
}

export interface ScalingOptions {
  readonly files: number;
  readonly fileBytes: number;
  readonly megabitsPerSecond: number;
  /** How many workers, one measurement each; ascending. */
  readonly workers: readonly number[];
  readonly onResult?: (result: Scaling) => void;
}

/** Pulls the same tree with more and more workers; every pull is verified by its command. */
export async function measureScaling(
  cluster: Cluster,
  options: ScalingOptions,
): Promise<readonly Scaling[]> {
  const { files, fileBytes, megabitsPerSecond } = options;
  const folder = join(cluster.dir, 'source', 'tree');
  const tree = writeTree(folder, files, fileBytes);
  const source = await cluster.serve(join(cluster.dir, 'source'));
  const hosts: Host[] = [];
  const results: Scaling[] = [];
  for (const workers of options.workers) {
    while (hosts.length < workers) {
      const host = await cluster.addHost(`host${hosts.length + 1}`, { megabitsPerSecond });
      hosts.push(host);
      await cluster.startWorker(host);
    }
    const destination = join(cluster.shared, `with-${workers}`);
    const started = performance.now();
    const pull = ['pull', `${source.url}/tree/`, `any:${destination}`, '--json'];
    const { exitCode, stderr } = await cluster.run(pull);
    const seconds = (performance.now() - started) / 1_000;
    if (exitCode !== 0) throw new Error(`the pull ended with ${exitCode}: ${stderr}`);
    const wrong = tree.wrongIn(destination);
    if (wrong.length > 0) throw new Error(`not as it should be: ${wrong.join(', ')}`);
    rmSync(destination, { recursive: true });
    const result = {
      workers,
      seconds,
      megabitsPerSecond: (files * fileBytes * 8) / 1e6 / seconds,
    };
    results.push(result);
    options.onResult?.(result);
  }
  return results;
}
