/** Workers on several hosts of one cluster: a Temporal server on PostgreSQL, and a folder that all hosts see. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { join } from 'node:path';
import { startCluster, type Cluster } from './cluster.js';
import type { Host } from './host.js';
import { writeTree, type Tree } from './trees.js';

const LONG_MS = 300_000;
const MiB = 1024 * 1024;
const MEGABITS = 100;

let cluster: Cluster;
let hosts: readonly [Host, Host];
let url: string;
let tree: Tree;
let count = 0;
let destination: string;

beforeAll(async () => {
  cluster = await startCluster();
  const addHost = (name: string): Promise<Host> =>
    cluster.addHost(name, { megabitsPerSecond: MEGABITS });
  hosts = [await addHost('host1'), await addHost('host2')];
  const source = join(cluster.dir, 'source');
  tree = writeTree(join(source, 'tree'), 48, MiB);
  const server = await cluster.serve(source);
  url = `${server.url}/tree/`;
}, LONG_MS);

afterAll(() => cluster.stop(), LONG_MS);

beforeEach(() => {
  count += 1;
  destination = join(cluster.shared, `tree-${count}`);
});

afterEach(() => cluster.endWorkers('SIGKILL'), LONG_MS);

describe('one pull and two hosts', () => {
  it(
    'is fetched by both, whoever came first',
    async () => {
      for (const host of hosts) await cluster.startWorker(host);
      const before = hosts.map((host) => host.receivedBytes());
      const run = await cluster.run(['pull', url, `any:${destination}`, '--json']);
      expect(run).toMatchObject({ exitCode: 0, result: { ok: true, files: 48 } });
      expect(tree.wrongIn(destination)).toEqual([]);
      const shares = hosts.map((host, index) => host.receivedBytes() - (before[index] ?? 0));
      // Neither had nothing to do while the other worked.
      expect(Math.min(...shares)).toBeGreaterThan(12 * MiB);
    },
    LONG_MS,
  );
});
