/** How fast a store is read beside rclone and the store's own tools, in one run. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { BenchCase } from '../lib/case.js';
import { figuresOf, type Figures } from '../lib/report.js';
import { runCase } from '../lib/run-case.js';
import { createWorld, type World, type WorldOptions } from '../lib/world.js';
import { contentOf } from '../../test/helpers/tree.js';
import { putBelow } from './put-below.js';
import type { Served, StoreRow } from './served.js';

const MiB = 1024 * 1024;
const PUTS_AT_ONCE = 16;
const MANY = { count: 1_000, sizeBytes: 16 * 1024 };

export interface RaceOptions extends WorldOptions {
  readonly rounds: number;
  readonly largeMiB: number;
}

/** `1.2 s, 0.8 x sftp` beside the fastest of the others, of 1,000 files of 16 KiB and of one large file. */
export async function racePeers(
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
      await putAll(world, served, folder, shape);
      return { contenders: await contendersOf(world, served, folder, shape) };
    },
  };
  const { rounds } = options;
  const result = await runCase(one, createWorld(options), { rounds, places: ['tmpfs'] });
  return raceCell(figuresOf(result), options.say);
}

/** What a race says in its cell; what each peer took, and why one took nothing, goes to whoever watches. */
export function raceCell(figures: readonly Figures[], say: (line: string) => void): string {
  const [own, ...others] = figures;
  if (own?.seconds === undefined) return `**${own?.problem ?? 'did not run'}**`;
  // Who only copies is not asked to hash as well.
  const peers = others.filter(({ contender }) => !contender.endsWith(' + openssl'));
  for (const { contender, seconds, problem } of [own, ...peers]) {
    say(
      `  ${contender}: ${problem ?? ''}${seconds === undefined ? '' : ` ${seconds.toFixed(2)} s`}`,
    );
  }
  const took = `${own.seconds.toFixed(2)} s`;
  const there = peers.flatMap(({ contender, seconds, problem }) =>
    seconds === undefined || problem !== undefined ? [] : [{ contender, seconds }],
  );
  const best = there.sort((one, other) => one.seconds - other.seconds)[0];
  const ratio =
    best && `${(own.seconds / best.seconds).toFixed(2)} x ${best.contender.split(' ')[0] ?? ''}`;
  const absent = peers
    .filter(({ problem }) => problem !== undefined)
    .map(({ contender }) => `${contender} did not run`);
  return [took, ratio, ...absent].filter((part) => part !== undefined).join(', ');
}

async function contendersOf(
  world: World,
  { uri, env, rclone, tools }: Served,
  folder: string,
  { count, sizeBytes }: { readonly count: number; readonly sizeBytes: number },
) {
  const brings = { files: count, bytes: count * sizeBytes };
  const [side] = await world.sides();
  const own = side === undefined ? [] : [side.puller(uri(folder), { env, brings })];
  const others = (await tools?.(folder, brings)) ?? [];
  if (rclone === undefined) return [...own, ...others];
  const peer = await world.peers.rclone({
    suffix: '--transfers 32',
    args: ({ folder: to }) => ['copy', '--transfers', '32', rclone.remote(folder), to],
    ...(rclone.env === undefined ? {} : { env: rclone.env }),
    brings,
  });
  return [...own, peer, ...others];
}

async function putAll(
  world: World,
  served: Served,
  folder: string,
  { count, sizeBytes }: { readonly count: number; readonly sizeBytes: number },
): Promise<void> {
  const paths = Array.from({ length: count }, (_, index) => `${folder}f${index}.bin`);
  const { putFolder } = served;
  if (putFolder !== undefined) {
    const dir = await world.folder('to-put');
    const put = putBelow(dir);
    for (const path of paths) await put(path, contentOf({ path, sizeBytes }));
    await putFolder(folder, join(dir, folder));
    rmSync(dir, { recursive: true });
    return;
  }
  const next = paths.values();
  const lane = async (): Promise<void> => {
    for (const path of next) await served.put(path, contentOf({ path, sizeBytes }));
  };
  await Promise.all(Array.from({ length: PUTS_AT_ONCE }, lane));
}
