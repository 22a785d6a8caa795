/** How many units a worker takes: few, so that the others find work too, and more behind units that take long. */
import type { ActivitySlotInfo, CustomSlotSupplier, SlotPermit } from '@temporalio/worker';

/** What bounds them. */
export interface UnitSlotsOptions {
  /** Units at once; as many as fill a link, for each is parallel in itself. */
  readonly usual: number;
  /** So long nothing may end before one more is taken: no small pull waits for the large files of another. */
  readonly patienceMs: number;
  /** From so many on the patience is longer: what is taken here is not there for workers that come later. */
  readonly many: number;
  readonly longPatienceMs: number;
  /** Never more. */
  readonly most: number;
}

/** The right to one unit. */
interface UnitPermit extends SlotPermit {
  /** Since when it is worked on, by the monotonic clock. */
  usedSinceMs?: number;
}

/** A unit that is not taken here goes to another worker: what counts is that the units of a pull spread evenly. */
export class UnitSlots implements CustomSlotSupplier<ActivitySlotInfo> {
  readonly type = 'custom';
  private limit: number;
  private taken = 0;
  private used = 0;
  private readonly waiting: (() => void)[] = [];
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly options: UnitSlotsOptions) {
    this.limit = options.usual;
  }

  reserveSlot(_context: unknown, signal: AbortSignal): Promise<UnitPermit> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason as Error);
      const take = (): void => {
        signal.removeEventListener('abort', stop);
        this.taken += 1;
        resolve({});
      };
      const stop = (): void => {
        this.waiting.splice(this.waiting.indexOf(take), 1);
        reject(signal.reason as Error);
      };
      signal.addEventListener('abort', stop, { once: true });
      this.waiting.push(take);
      this.give();
    });
  }

  tryReserveSlot(): UnitPermit | null {
    if (this.taken >= this.limit) return null;
    this.taken += 1;
    return {};
  }

  markSlotUsed({ permit }: { readonly permit: UnitPermit }): void {
    permit.usedSinceMs = performance.now();
    this.used += 1;
    this.give();
  }

  releaseSlot({ permit }: { readonly permit: UnitPermit }): void {
    this.taken -= 1;
    if (permit.usedSinceMs !== undefined) {
      this.used -= 1;
      // What is quick leaves its place to the next of its kind: the steps and files of a small pull come one after another.
      const isLong = performance.now() - permit.usedSinceMs >= this.options.patienceMs;
      if (isLong) this.limit = Math.max(this.options.usual, this.limit - 1);
    }
    this.give();
  }

  private give(): void {
    while (this.taken < this.limit && this.waiting.length > 0) this.waiting.shift()?.();
    clearTimeout(this.timer);
    const isFull = this.used >= this.limit && this.waiting.length > 0;
    if (!isFull || this.limit >= this.options.most) return;
    const { patienceMs, many, longPatienceMs } = this.options;
    this.timer = setTimeout(
      () => {
        this.limit += 1;
        this.give();
      },
      this.limit < many ? patienceMs : longPatienceMs,
    );
    this.timer.unref();
  }
}
