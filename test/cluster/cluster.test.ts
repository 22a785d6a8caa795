/** Workers on several hosts of one cluster: a Temporal server on PostgreSQL, and a folder that all hosts see. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ensureRelease, FIRST_RELEASE } from '../helpers/releases.js';
import type { RunningWaybill } from '../helpers/waybill.js';
import { until } from '../workflows/lib/bench.js';
import { startCluster, type Cluster } from './cluster.js';
import type { Host } from './host.js';
import { writeTree, type Tree } from './trees.js';

const LONG_MS = 300_000;
const MiB = 1024 * 1024;
const MEGABITS = 100;
/** Slow enough to be met half-way. */
const SLOWLY = ['--max-bandwidth', '1MiB/s'] as const;
const UNLIMITED = { maxBytesPerSecond: null } as const;

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

/** Starts a pull and waits until it fetches. */
async function pullSlowly(
  from: string,
  to: string,
): Promise<{ readonly running: RunningWaybill; readonly pullId: string }> {
  const running = cluster.start(['pull', from, `any:${to}`, '--json', ...SLOWLY]);
  await running.untilOutput(/"type":"started"/u);
  const pullId = /"pullId":"([^"]+)"/u.exec(running.stdout())?.[1] ?? '';
  const hasBegun = async (): Promise<boolean> =>
    (await cluster.client.status(pullId)).progress.phase === 'fetching';
  await until('it fetches', hasBegun, 120_000);
  return { running, pullId };
}

describe('a folder that all hosts see', () => {
  it(
    'rule 7: is not written by the host that does not see it, which says so, and the others bring the files',
    async () => {
      await cluster.startWorker(hosts[0]);
      const { running, pullId } = await pullSlowly(url, destination);
      // The same path, another folder: what an unmounted share looks like.
      hosts[1].inside('mount', '-t', 'tmpfs', 'none', cluster.shared);
      try {
        await cluster.startWorker(hosts[1]);
        const isSaid = async (): Promise<boolean> => {
          const { inFlight } = await cluster.client.status(pullId);
          return inFlight.some(({ lastFailure }) => /on host2: .*mount/u.test(lastFailure ?? ''));
        };
        await until('host2 says so', isSaid, 120_000);
        await cluster.client.tune(pullId, UNLIMITED);
        expect(await running.done).toMatchObject({ exitCode: 0, result: { ok: true, files: 48 } });
        expect(hosts[1].inside('ls', '-A', cluster.shared)).toBe('');
      } finally {
        hosts[1].inside('umount', cluster.shared);
      }
      expect(tree.wrongIn(destination)).toEqual([]);
    },
    LONG_MS,
  );

  it(
    'rule 9: is filled by an older worker and a newer one together, or refused; nothing is damaged',
    async () => {
      const older = await ensureRelease(FIRST_RELEASE);
      await cluster.startWorker(hosts[0], { main: older });
      await cluster.startWorker(hosts[1]);
      const run = await cluster.run(['pull', url, `any:${destination}`, '--json']);
      if (run.exitCode !== 0) expect(run.result['code']).toBe('WB_VERSION_SKEW');
      await cluster.endWorkers('SIGKILL');
      await cluster.startWorker(hosts[1]);
      const again = await cluster.run(['pull', url, `any:${destination}`, '--json']);
      expect(again).toMatchObject({ exitCode: 0, result: { ok: true } });
      expect(tree.wrongIn(destination)).toEqual([]);
    },
    LONG_MS,
  );
});

describe('a folder of one host', () => {
  it(
    'is filled by that host alone, where the site says so',
    async () => {
      const root = join(cluster.dir, 'local');
      mkdirSync(root);
      hosts[1].inside('mount', '-t', 'tmpfs', 'none', root);
      try {
        await cluster.startWorker(hosts[0]);
        await cluster.startWorker(hosts[1], { site: 'gpu2', root });
        const run = await cluster.run(['pull', url, `gpu2:${root}/model`, '--json']);
        expect(run).toMatchObject({ exitCode: 0, result: { ok: true, files: 48 } });
        expect(readdirSync(root)).toEqual([]);
        expect(hosts[1].inside('ls', join(root, 'model')).split('\n')).toContain('part-00047.bin');
      } finally {
        hosts[1].inside('umount', '--lazy', root);
      }
    },
    LONG_MS,
  );

  it(
    'is filled by its own command with --here, from a host that is no worker',
    async () => {
      await cluster.startWorker(hosts[0]);
      const args = ['pull', url, destination, '--here', '--json'];
      const before = hosts[1].receivedBytes();
      const run = await cluster.run(args, { runner: hosts[1].runner });
      expect(run).toMatchObject({ exitCode: 0, result: { ok: true, files: 48 } });
      expect(hosts[1].receivedBytes() - before).toBeGreaterThan(48 * MiB);
      expect(tree.wrongIn(destination)).toEqual([]);
    },
    LONG_MS,
  );
});
