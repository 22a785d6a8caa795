/**
 * Folders of a destination, held open (rule 21): a name is taken under the folder that was checked, whatever somebody
 * puts in the place of its path meanwhile.
 */
import { constants, type BigIntStats } from 'node:fs';
import { access, mkdir, open, readlink, realpath, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { WaybillError } from '../model/errors.js';
import { isInside } from '../model/is-inside.js';
import { RECORD_FOLDER } from '../model/object-path.js';
import { errnoOf } from './destination-error.js';
import { lookAt } from './take-name.js';

/** A folder inside the destination. */
export class HeldFolder {
  private constructor(
    private readonly handle: FileHandle,
    /** A path that names this very folder as long as it is held. */
    readonly path: string,
  ) {}

  /**
   * Walks down from `filesRoot` to `below` ('' or a relative path), one folder at a time, never through a link unless it leads
   * to a place inside. A folder that is missing is made, or answered with undefined where `makes` is false. `beforeMaking` runs
   * when the root is held and one is about to be made: it rejects where the root is not the claimed place (rule 7).
   * Throws WB_UNSAFE_PATH for a link that leads out and for the record folder, by whatever name, WB_CONFLICT for a folder that
   * vanishes when it is made, and what the file system throws.
   */
  static async open(
    filesRoot: string,
    below: string,
    options: { readonly makes: boolean; readonly beforeMaking?: () => Promise<void> },
  ): Promise<HeldFolder | undefined> {
    const realRoot = await realpath(filesRoot);
    let held = await hold(realRoot);
    const making = options.makes ? (options.beforeMaking ?? nothing) : undefined;
    try {
      const record = below === '' ? undefined : await recordOf(realRoot);
      for (const segment of below === '' ? [] : below.split('/')) {
        const next = await step(realRoot, held, segment, making);
        await held.close();
        if (next === undefined) return undefined;
        held = next;
        if (record !== undefined && isSame(await held.stat(), record)) throw recordError(below);
      }
      return held;
    } catch (error) {
      await held.close();
      throw error;
    }
  }

  static of(handle: FileHandle, path: string): HeldFolder {
    return new HeldFolder(handle, path);
  }

  /** The path of a name in it. */
  pathOf(name: string): string {
    return join(this.path, name);
  }

  stat(): Promise<BigIntStats> {
    return this.handle.stat({ bigint: true });
  }

  /** Flushes the names in it. */
  sync(): Promise<void> {
    return this.handle.sync();
  }

  close(): Promise<void> {
    return this.handle.close();
  }
}

const nothing = (): Promise<void> => Promise.resolve();

/** The record folder itself: a link, or a short name of the file system, may lead there too (rule 23). */
export async function recordOf(filesRoot: string): Promise<BigIntStats | undefined> {
  return lookAt(join(filesRoot, RECORD_FOLDER));
}

export function isSame(one: BigIntStats, other: BigIntStats): boolean {
  return one.dev === other.dev && one.ino === other.ino;
}

export function recordError(path: string): WaybillError {
  const message = `${path.slice(0, 200)} would be written into ${RECORD_FOLDER}, the folder of Waybill's own records`;
  return new WaybillError('WB_UNSAFE_PATH', message, { operation: 'publish', path });
}

const AS_FOLDER = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

async function hold(path: string): Promise<HeldFolder> {
  const handle = await open(path, AS_FOLDER);
  const own = `/proc/self/fd/${handle.fd}`;
  // Where there is no /proc, the path has to do: it was checked, and is used at once.
  const isNamed = await access(own).then(
    () => true,
    () => false,
  );
  return HeldFolder.of(handle, isNamed ? own : path);
}

async function step(
  realRoot: string,
  parent: HeldFolder,
  segment: string,
  making: (() => Promise<void>) | undefined,
): Promise<HeldFolder | undefined> {
  const path = parent.pathOf(segment);
  try {
    return await hold(path);
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'ENOENT') return making && made(realRoot, parent, segment, making);
    // A link answers ELOOP or ENOTDIR, after the kind of file system; so does a file.
    if (code !== 'ELOOP' && code !== 'ENOTDIR') throw error;
    const target = await targetOf(path);
    if (!isInside(realRoot, target)) throw leadsOut(await shown(path));
    const held = await hold(target);
    if (isInside(realRoot, await shown(held.path))) return held;
    await held.close();
    throw leadsOut(target);
  }
}

async function targetOf(link: string): Promise<string> {
  try {
    return await realpath(link);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    const message = `${await shown(link)} is a link that leads nowhere, where a folder should be`;
    throw new WaybillError('WB_CONFLICT', message, { operation: 'publish' });
  }
}

async function made(
  realRoot: string,
  parent: HeldFolder,
  segment: string,
  beforeMaking: () => Promise<void>,
): Promise<HeldFolder> {
  await beforeMaking();
  await mkdir(parent.pathOf(segment)).catch((error: unknown) => {
    if (errnoOf(error) !== 'EEXIST') throw error;
  });
  await parent.sync();
  const held = await step(realRoot, parent, segment, undefined);
  if (held !== undefined) return held;
  const where = await shown(parent.pathOf(segment));
  const message = `${where} is moved or removed by somebody else while the pull runs`;
  throw new WaybillError('WB_CONFLICT', message, { operation: 'publish' });
}

/** The real path behind a path that may go through `/proc/self/fd`. */
async function shown(path: string): Promise<string> {
  const [, fd, rest = ''] = /^\/proc\/self\/fd\/(\d+)(\/.*)?$/.exec(path) ?? [];
  return fd === undefined ? path : `${await readlink(`/proc/self/fd/${fd}`)}${rest}`;
}

function leadsOut(link: string): WaybillError {
  const message = `${link} is a link that leads out of the destination: remove it, or pull elsewhere`;
  return new WaybillError('WB_UNSAFE_PATH', message, { operation: 'publish' });
}
