/** How fast a store is read beside rclone, in one run. */
import type { BenchCase } from '../lib/case.js';
import { figuresOf } from '../lib/report.js';
import { runCase } from '../lib/run-case.js';
import { createWorld, type World, type WorldOptions } from '../lib/world.js';
import { contentOf } from '../../test/helpers/tree.js';
import type { Served, StoreRow } from './served.js';

const MiB = 1024 * 1024;
const PUTS_AT_ONCE = 16;
const MANY = { count: 1_000, sizeBytes: 16 * 1024 };

export interface RaceOptions extends WorldOptions {
  readonly rounds: number;
  readonly largeMiB: number;
}

/** `1.2 s, 0.8 x rclone`, of 1,000 files of 16 KiB and of one large file. */
export async function raceRclone(
  row: StoreRow,
  options: RaceOptions,
): Promise<{ readonly many: string; readonly large: string }> {
  const many = await race(row, options, 'many/', MANY);
  const large = await race(row, options, 'large/', {
    count: 1,
    sizeBytes: options.largeMiB * MiB,
  });
  return { many, large };
}

async function race(
  row: StoreRow,
  options: RaceOptions,
  folder: string,
  shape: { readonly count: number; readonly sizeBytes: number },
): Promise<string> {
  const one: BenchCase = {
    name: `${row.store} ${folder}`,
    what: '',
    prepare: async (world) => {
      const served = await row.serve(world);
      await putAll(served, folder, shape);
      return { contenders: await contendersOf(world, served, folder, shape) };
    },
  };
  const { rounds } = options;
  const result = await runCase(one, createWorld(options), { rounds, places: ['tmpfs'] });
  const [own, peer] = figuresOf(result);
  if (own?.seconds === undefined) return `**${result.rows[0]?.problem ?? 'did not run'}**`;
  const took = `${own.seconds.toFixed(2)} s`;
  if (peer?.seconds === undefined) return took;
  return `${took}, ${(own.seconds / peer.seconds).toFixed(2)} x`;
}

async function contendersOf(
  world: World,
  { uri, env, rclone }: Served,
  folder: string,
  { count, sizeBytes }: { readonly count: number; readonly sizeBytes: number },
) {
  const brings = { files: count, bytes: count * sizeBytes };
  const [side] = await world.sides();
  const own = side === undefined ? [] : [side.puller(uri(folder), { env, brings })];
  if (rclone === undefined) return own;
  const peer = await world.peers.rclone({
    suffix: '--transfers 32',
    args: ({ folder: to }) => ['copy', '--transfers', '32', rclone.remote(folder), to],
    ...(rclone.env === undefined ? {} : { env: rclone.env }),
    brings,
  });
  return [...own, peer];
}

async function putAll(
  served: Served,
  folder: string,
  { count, sizeBytes }: { readonly count: number; readonly sizeBytes: number },
): Promise<void> {
  const next = Array.from({ length: count }, (_, index) => `${folder}f${index}.bin`).values();
  const lane = async (): Promise<void> => {
    for (const path of next) await served.put(path, contentOf({ path, sizeBytes }));
  };
  await Promise.all(Array.from({ length: PUTS_AT_ONCE }, lane));
}
