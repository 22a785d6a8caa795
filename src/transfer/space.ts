/** Bytes that the pulls of this process still want of a file system: what is promised to one is not another's (rule 18). */
import { readdir, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { WaybillError } from '../model/errors.js';
import { toDestinationError } from './destination-error.js';
import { plannedBytes, planDirOf, type PlannedSoFar } from './plan/page.js';
import type { PullContext } from './pull-context.js';

/** A pull that waits for room of another's asks again after so long. */
const ASK_AGAIN_MS = 5_000;

/** Blocks of `st_blocks`, whatever the file system's own are. */
export const BLOCK_BYTES = 512;

/** The other pulls that are open here. */
export type OpenOthers = (than: PullContext) => Promise<readonly PullContext[]>;

/** Deals out free space. One question at a time: two pulls that plan at once must not both get the last bytes. */
export class Space {
  private last: Promise<unknown> = Promise.resolve();
  /** What other pulls have planned, as far as it was read: a sealed page never changes. */
  private readonly planned = new WeakMap<PullContext, PlannedSoFar>();

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
    const others = await this.others(pull);
    const free = await freeOf(pull);
    // What lies in partials only makes it less: where there is room without, nobody need look at thousands of them.
    const most = await this.demand(pull, others, bytesToFetch, free.device, () => 0);
    if (most.needBytes + most.promisedBytes <= free.freeBytes) return;
    const { needBytes, promisedBytes, owners } = await this.demand(
      pull,
      others,
      bytesToFetch,
      free.device,
      (one) => allocatedIn(one.partialDir),
    );
    const { filesRoot } = pull.layout;
    if (needBytes > free.freeBytes) {
      const message = `${filesRoot} has ${free.freeBytes} bytes free, the pull needs ${needBytes} so far`;
      throw new WaybillError('WB_NO_SPACE', message, { operation: 'plan' });
    }
    if (needBytes + promisedBytes <= free.freeBytes) return;
    throw new WaybillError(
      'WB_NO_SPACE',
      `${filesRoot} has ${free.freeBytes} bytes free, ${promisedBytes} of them promised to the pull into ` +
        `${owners.join(' and ')}; this one needs ${needBytes} so far`,
      { operation: 'plan', retryAfterMs: ASK_AGAIN_MS },
    );
  }

  private async demand(
    pull: PullContext,
    others: readonly PullContext[],
    bytesToFetch: number,
    device: number,
    partialBytesOf: (pull: PullContext) => number | Promise<number>,
  ): Promise<Demand> {
    const landed = pull.journal.bytesOfPlan + (await partialBytesOf(pull));
    let promisedBytes = 0;
    const owners: string[] = [];
    for (const other of others) {
      const wanted = await this.wantedOf(other, device, partialBytesOf);
      promisedBytes += wanted;
      if (wanted > 0) owners.push(other.layout.destination);
    }
    return { needBytes: Math.max(0, bytesToFetch - landed), promisedBytes, owners };
  }

  /** What another pull still wants of a file system; nothing where it lies on another, or cannot be asked now. */
  private async wantedOf(
    pull: PullContext,
    device: number,
    partialBytesOf: (pull: PullContext) => number | Promise<number>,
  ): Promise<number> {
    try {
      if ((await stat(pull.ref.recordDir)).dev !== device) return 0;
      const planDir = planDirOf(pull.ref.recordDir, pull.planId);
      const planned = await plannedBytes(planDir, this.planned.get(pull));
      this.planned.set(pull, planned);
      const landed = pull.journal.bytesOfPlan + (await partialBytesOf(pull));
      return Math.max(0, planned.bytes - landed);
    } catch {
      return 0;
    }
  }
}

interface Demand {
  readonly needBytes: number;
  readonly promisedBytes: number;
  /** The destinations of the pulls that were promised something. */
  readonly owners: readonly string[];
}

async function freeOf({
  ref,
  layout,
}: PullContext): Promise<{ device: number; freeBytes: number }> {
  try {
    const [{ dev }, { bavail, bsize }] = await Promise.all([
      stat(ref.recordDir),
      statfs(ref.recordDir),
    ]);
    return { device: dev, freeBytes: bavail * bsize };
  } catch (error) {
    throw toDestinationError(error, 'measure the free space of', layout.filesRoot);
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
