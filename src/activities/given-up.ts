/**
 * Work that cannot be ended: a call to a file system that hangs comes back when its server does, or never, and no signal ends
 * it. Such work is left behind, so that its attempt ends and everything else goes on; nothing else is begun in its place
 * before it has ended (rules 13 and 27).
 */
import { WaybillError } from '../model/errors.js';
import { describeMount, type Mount } from '../model/mount-table.js';
import { settled, within } from '../model/within.js';
import type { About, ShareWatch } from '../transfer/api.js';

/** How long what waits. Only tests shorten these. */
export interface Patience {
  /** Work that is asked to end may take so long before anybody asks whether a share hangs. */
  readonly endsMs: number;
  /** Work that ends slowly for no reason that is known: a flush to a slow disk takes a while. */
  readonly longestMs: number;
  /** A new attempt waits so long for what was left behind. */
  readonly beforeMs: number;
}

const PATIENCE: Patience = { endsMs: 3_000, longestMs: 60_000, beforeMs: 3_000 };

/** Which side of a pull. */
type Side = 'source' | 'destination';

interface Hanging {
  readonly side: Side;
  readonly share: Mount;
}

interface Left {
  /** The share that hangs; absent: it is not known what does. */
  readonly hanging: Hanging | undefined;
  /** The record folder of the pull, where it has one. */
  readonly recordDir: string | undefined;
  readonly sinceMs: number;
  /** Resolves with its end, however that is. */
  readonly over: Promise<true>;
}

/** What is done, and what of a pull it touches. */
export interface Work extends About {
  /** Nothing is read from the source. */
  readonly onlyDestination?: true;
}

/** Keeps count of what was left behind. */
export class GivenUp {
  private readonly left = new Set<Left>();

  constructor(
    private readonly shares: ShareWatch,
    private readonly patience: Patience = PATIENCE,
  ) {}

  /**
   * Throws where work would wait for the same share, or where an earlier attempt at the same pull may still come back: WB_TIMEOUT
   * about the source, WB_DESTINATION_FAILED about the destination.
   */
  async refuse(work: Work): Promise<void> {
    if (this.left.size === 0) return;
    const { source, destination } = await this.shares.of(work);
    for (const one of [...this.left]) {
      const { hanging } = one;
      const concerns =
        hanging === undefined
          ? work.ref !== undefined && one.recordDir === work.ref.recordDir
          : hanging.share.point === destination?.point ||
            (work.onlyDestination !== true && hanging.share.point === source?.point);
      if (!concerns || (await within(one.over, this.patience.beforeMs))) continue;
      // A call that was lost may never come back although the share does; what only reads need not wait for it.
      if (hanging?.side === 'source' && (await this.shares.answers(hanging.share))) continue;
      throw errorOf(hanging, performance.now() - one.sinceMs);
    }
  }

  /**
   * Settles as the work does. Once the signal has aborted, the work has a while to end; then it is left behind, `onLeft` is
   * called, and this rejects with what hangs.
   */
  async follow<T>(
    running: Promise<T>,
    work: Work,
    signal: AbortSignal,
    onLeft: () => void,
  ): Promise<T> {
    const over = settled(running);
    const abort = abortOf(signal);
    const sinceMs = performance.now();
    if (await Promise.race([over, abort.happens])) return running.finally(abort.forget);
    if (await within(over, this.patience.endsMs)) return running;
    const hanging = await this.whatHangs(work);
    const { endsMs, longestMs } = this.patience;
    if (hanging === undefined && (await within(over, longestMs - endsMs))) return running;
    const left: Left = { hanging, recordDir: work.ref?.recordDir, sinceMs, over };
    this.left.add(left);
    void over.then(() => this.left.delete(left));
    onLeft();
    throw errorOf(hanging, performance.now() - sinceMs);
  }

  private async whatHangs(work: Work): Promise<Hanging | undefined> {
    const { source, destination } = await this.shares.of(work);
    const ask = async (side: Side, share: Mount | undefined): Promise<Hanging[]> =>
      share === undefined || (await this.shares.answers(share)) ? [] : [{ side, share }];
    const found = await Promise.all([ask('destination', destination), ask('source', source)]);
    return found.flat()[0];
  }
}

function errorOf(hanging: Hanging | undefined, forMs: number): WaybillError {
  const seconds = Math.round(forMs / 1_000);
  if (hanging === undefined) {
    return new WaybillError(
      'WB_DESTINATION_FAILED',
      `a call to the file system has not come back for ${seconds} s; this pull waits for it`,
      { operation: 'wait' },
    );
  }
  const { side, share } = hanging;
  return new WaybillError(
    side === 'source' ? 'WB_TIMEOUT' : 'WB_DESTINATION_FAILED',
    `${describeMount(share)} does not answer (for ${seconds} s): see that its server is there, or mount it again`,
    {
      operation: 'wait',
      store: 'local',
      advice: `Try \`ls ${share.point}\`; once it answers, the pull goes on by itself.`,
    },
  );
}

function abortOf(signal: AbortSignal): {
  readonly happens: Promise<false>;
  readonly forget: () => void;
} {
  let forget = (): void => undefined;
  const happens = new Promise<false>((resolve) => {
    const tell = (): void => resolve(false);
    if (signal.aborted) tell();
    else signal.addEventListener('abort', tell, { once: true });
    forget = () => signal.removeEventListener('abort', tell);
  });
  return { happens, forget };
}
