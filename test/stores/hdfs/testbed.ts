/** A real Hadoop as the conformance suite and the tests of this folder use it. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { hdfs } from '../../../src/stores/hdfs/index.js';
import type { ConnectionSettings, Store } from '../../../src/stores/store.js';
import type { Hadoop } from '../../helpers/hadoop.js';
import { scratchFolder } from '../../helpers/processes.js';
import type { OpenOptions, Seed, Testbed } from '../conformance/testbed.js';
import type { Gateway } from './gateway.js';

/** Who runs the servers, and may read everything. */
export const SUPER_USER = userInfo().username;

/** What a store of a test is opened with. */
export interface OpenHdfsOptions {
  readonly settings?: ConnectionSettings;
  readonly secrets?: Readonly<Record<string, string>>;
}

/** Opens a store with nothing but what is given; as the super user where nothing says otherwise. */
export function openHdfs(uri: string, options: OpenHdfsOptions = {}): Promise<Store> {
  const settings = { HADOOP_USER_NAME: SUPER_USER, ...options.settings };
  return hdfs.open({ uri, settings, secrets: options.secrets ?? {} });
}

/** Opens one for as long as it is used. */
export async function withHdfs<T>(
  uri: string,
  use: (store: Store) => Promise<T>,
  options: OpenHdfsOptions = {},
): Promise<T> {
  const store = await openHdfs(uri, options);
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

/** A new folder of a cluster as the root of a testbed, behind a gateway of its own: one address for all its servers. */
export async function hdfsTestbed(
  hadoop: Hadoop,
  root: string,
  gateway: Pick<Gateway, 'url' | 'port' | 'stop'>,
): Promise<Testbed> {
  await hadoop.dfs(['-mkdir', '-p', root]);
  await hadoop.dfs(['-chmod', '700', root]);
  return {
    address: { host: '127.0.0.1', port: gateway.port },
    open: ({ at = '', via, wrongCredentials = false }: OpenOptions = {}) =>
      openHdfs(`hdfs://${at === '' ? root : `${root}/${at}`}`, {
        settings: {
          WAYBILL_HDFS_URL: via ? `http://${via.host}:${via.port}` : gateway.url,
          ...(wrongCredentials ? { HADOOP_USER_NAME: 'mallory' } : {}),
        },
      }),
    seed: (seeds) => putSeeds(hadoop, root, seeds),
    stop: () => gateway.stop(),
  };
}

/** Puts files below a folder; one that is there is replaced. */
export async function putSeeds(
  hadoop: Hadoop,
  root: string,
  seeds: readonly Seed[],
): Promise<void> {
  const folder = scratchFolder('hdfs-seeds');
  for (const seed of seeds) {
    const target = join(folder, seed.path);
    await mkdir('folder' in seed ? target : dirname(target), { recursive: true });
    if (!('folder' in seed)) await writeFile(target, seed.bytes);
  }
  const names = new Set(seeds.map(({ path }) => path.split('/')[0] ?? ''));
  await hadoop.dfs([
    '-put',
    '-f',
    '-d',
    '-t',
    '8',
    ...[...names].map((name) => join(folder, name)),
    root,
  ]);
  await rm(folder, { recursive: true, force: true });
}
