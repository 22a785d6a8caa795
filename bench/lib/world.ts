/** What a case is given: folders, sizes, Waybill's own service, the peers; all of it goes when the case ends. */
import { existsSync, mkdirSync, rmSync, statfsSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PlaceName } from './case.js';
import { openPeers, type Peers } from './peers.js';
import { openSide, type WaybillSide } from './waybill-side.js';

const TMPFS_MAGIC = 0x01021994;
const SHARED_MEMORY = '/dev/shm';

export interface WorldOptions {
  /** Sizes and counts of a case are multiplied by it. */
  readonly scale: number;
  /** Other checkouts of Waybill, built, to be measured beside this one. */
  readonly against: readonly string[];
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

export interface World extends WorldOptions {
  readonly peers: Peers;
  /** A new folder for servers' data: in memory where the system has a tmpfs. */
  folder(name: string): Promise<string>;
  /** Where the contenders of a place write. */
  destinations(place: PlaceName): Promise<string>;
  /** A count or a size of the case at this scale; at least one. */
  scaled(value: number): number;
  /** This Waybill, and those it is measured against, each with a service of its own that is warm. */
  sides(): Promise<readonly WaybillSide[]>;
  /** Called in the opposite order when the case ends, however it ends. */
  onEnd(undo: () => Promise<unknown> | unknown): void;
  close(): Promise<void>;
}

/** Whether there is a tmpfs to write to. */
export function hasSharedMemory(): boolean {
  return existsSync(SHARED_MEMORY) && statfsSync(SHARED_MEMORY).type === TMPFS_MAGIC;
}

/** Makes an empty world; nothing is started before a case asks for it. */
export function createWorld(options: WorldOptions): World {
  const undone: (() => Promise<unknown> | unknown)[] = [];
  const onEnd: World['onEnd'] = (undo) => void undone.push(undo);
  const newFolder = async (base: string): Promise<string> => {
    const folder = await mkdtemp(join(base, 'waybill-bench-'));
    onEnd(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
    return folder;
  };
  const memory = hasSharedMemory() ? SHARED_MEMORY : tmpdir();
  let roomy: Promise<string> | undefined;
  let sides: Promise<readonly WaybillSide[]> | undefined;
  return {
    ...options,
    peers: openPeers(options.say),
    scaled: (value) => Math.max(1, Math.round(value * options.scale)),
    folder: async (name) => {
      roomy ??= newFolder(memory);
      const folder = join(await roomy, name);
      mkdirSync(folder);
      return folder;
    },
    destinations: (place) => newFolder(place === 'tmpfs' ? memory : tmpdir()),
    sides: () => {
      sides ??= openSides(options, onEnd, newFolder);
      return sides;
    },
    onEnd,
    close: async () => {
      for (const undo of undone.splice(0).reverse()) {
        try {
          await undo();
        } catch (error) {
          options.say(`not cleaned up: ${String(error)}`);
        }
      }
    },
  };
}

async function openSides(
  { against }: WorldOptions,
  onEnd: World['onEnd'],
  newFolder: (base: string) => Promise<string>,
): Promise<readonly WaybillSide[]> {
  const sides: WaybillSide[] = [];
  for (const checkout of [undefined, ...against]) {
    // On a disk, as a user's: its database is flushed.
    const side = openSide(await newFolder(tmpdir()), checkout);
    onEnd(() => side.close());
    await side.warmUp();
    sides.push(side);
  }
  return sides;
}
