/** One pull and more and more workers: hosts of their own behind shaped links, on a Temporal server with PostgreSQL. */
import { join } from 'node:path';
import type { BenchCase, Contender } from '../lib/case.js';
import { startCluster, type Cluster } from '../../test/cluster/cluster.js';
import type { Host } from '../../test/cluster/host.js';
import { writeTree } from '../../test/cluster/trees.js';

const MiB = 1024 * 1024;
const MEGABITS = 200;
// Starting and sealing take a second or two, with one worker as with four: so that it is the links that are measured.
const FILES = 160;

/** Starts what is missing, ends what is too much: so many hosts serve afterwards. */
async function serveWith(cluster: Cluster, hosts: Host[], count: number): Promise<void> {
  while (hosts.length < count) {
    const options = { megabitsPerSecond: MEGABITS };
    hosts.push(await cluster.addHost(`host${hosts.length + 1}`, options));
  }
  await cluster.endWorkers();
  for (const host of hosts.slice(0, count)) await cluster.startWorker(host, { root: '/' });
}

export const cluster: BenchCase = {
  name: 'cluster',
  what: `${FILES} files of 16 MiB with 1, 2 and 4 workers, each behind a link of ${MEGABITS} Mbit/s.`,
  places: ['tmpfs'],
  prepare: async (world) => {
    if (process.getuid?.() !== 0) throw new Error('network namespaces are made by root alone');
    const bed = await startCluster();
    world.onEnd(() => bed.stop());
    const [side] = await world.sides();
    if (side === undefined) throw new Error('there is no Waybill to measure');
    const source = await world.folder('source');
    const files = world.scaled(FILES);
    writeTree(join(source, 'tree'), files, 16 * MiB);
    const { url } = await bed.serve(source);
    const hosts: Host[] = [];
    const brings = { files, bytes: files * 16 * MiB };
    const withWorkers = (count: number): Contender => ({
      name: `${count} worker${count === 1 ? '' : 's'}`,
      before: () => serveWith(bed, hosts, count),
      command: ({ folder }) =>
        side.command(['pull', '-q', `${url}/tree/`, `any:${folder}/`], bed.env),
      brings,
    });
    return { contenders: [1, 2, 4].map(withWorkers) };
  },
};
