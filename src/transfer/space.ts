/** Bytes that the pulls of this process still want of a file system: what is promised to one is not another's (rule 18). */
import { readdir, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { WaybillError } from '../model/errors.js';
import { toDestinationError } from './destination-error.js';
import { plannedBytes, planDirOf } from './plan/page.js';
import type { PullContext } from './pull-context.js';

/** A pull that waits for room of another's asks again after so long. */
const ASK_AGAIN_MS = 5_000;

/** Blocks of `st_blocks`, whatever the file system's own are. */
const BLOCK_BYTES = 512;

/** The other pulls that are open here. */
export type OpenOthers = (than: PullContext) => Promise<readonly PullContext[]>;

/** Deals out free space. One question at a time: two pulls that plan at once must not both get the last bytes. */
export class Space {
  private last: Promise<unknown> = Promise.resolve();

  constructor(private readonly others: OpenOthers) {}

  /**
   * Seals a page of a plan if there is room for what the plan fetches so far. Throws WB_NO_SPACE: with `retryAfterMs` where
   * there is room, and it is promised to others.
   */
  reserve(pull: PullContext, bytesToFetch: number, seal: () => Promise<void>): Promise<void> {
    const next = async (): Promise<void> => {
      await this.check(pull, bytesToFetch);
      await seal();
    };
    const done = this.last.then(next, next);
    this.last = done;
    return done;
  }

  private async check(pull: PullContext, bytesToFetch: number): Promise<void> {
    const { filesRoot } = pull.layout;
    const own = await stateOf(pull);
    const needBytes = Math.max(0, bytesToFetch - own.landedBytes);
    if (needBytes > own.freeBytes) {
      const message = `${filesRoot} has ${own.freeBytes} bytes free, the pull needs ${needBytes} so far`;
      throw new WaybillError('WB_NO_SPACE', message, { operation: 'plan' });
    }
    let promisedBytes = 0;
    const owners: string[] = [];
    for (const other of await this.others(pull)) {
      const wanted = await wantedOf(other, own.device);
      promisedBytes += wanted;
      if (wanted > 0) owners.push(other.layout.destination);
    }
    if (needBytes + promisedBytes <= own.freeBytes) return;
    throw new WaybillError(
      'WB_NO_SPACE',
      `${filesRoot} has ${own.freeBytes} bytes free, ${promisedBytes} of them promised to the pull into ` +
        `${owners.join(' and ')}; this one needs ${needBytes} so far`,
      { operation: 'plan', retryAfterMs: ASK_AGAIN_MS },
    );
  }
}

/** What another pull still wants of a file system; nothing where it lies on another, or cannot be asked now. */
async function wantedOf(pull: PullContext, device: number): Promise<number> {
  try {
    const { device: own, landedBytes } = await stateOf(pull);
    if (own !== device) return 0;
    const planned = await plannedBytes(planDirOf(pull.ref.recordDir, pull.planId));
    return Math.max(0, planned - landedBytes);
  } catch {
    return 0;
  }
}

async function stateOf(
  pull: PullContext,
): Promise<{ device: number; freeBytes: number; landedBytes: number }> {
  const { recordDir } = pull.ref;
  try {
    const [{ dev }, { bavail, bsize }, partials] = await Promise.all([
      stat(recordDir),
      statfs(recordDir),
      allocatedIn(pull.partialDir),
    ]);
    let landedBytes = partials;
    for (const { planId, entry } of pull.journal.allFetched()) {
      if (planId === pull.planId) landedBytes += entry.sizeBytes;
    }
    return { device: dev, freeBytes: bavail * bsize, landedBytes };
  } catch (error) {
    throw toDestinationError(error, 'measure the free space of', pull.layout.filesRoot);
  }
}

/** Bytes of partials that are on disk: they are long as their files, and have holes. */
async function allocatedIn(folder: string): Promise<number> {
  const names = await readdir(folder).catch(() => []);
  const sizes = await Promise.all(
    names.map((name) =>
      stat(join(folder, name)).then(
        ({ blocks }) => blocks * BLOCK_BYTES,
        // Published meanwhile, or dropped.
        () => 0,
      ),
    ),
  );
  return sizes.reduce((total, bytes) => total + bytes, 0);
}
