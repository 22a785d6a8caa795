/**
 * The flush of a large file: minutes where the kernel holds many GiB for a slow disk. No byte moves meanwhile, and nothing
 * stands still (rule 27).
 */
import type { UnitProgress } from './api.js';

/**
 * Files from this size on may take so long. The flush of a smaller one is short wherever the disk answers at all: a share
 * that hangs is found out by it as soon as by a byte that does not come.
 */
export const LONG_FLUSH_FROM_BYTES = 256 * 1024 * 1024;

/** Phases that a long flush is a part of; any other was set by somebody who is not done with it. */
const FLUSHES_AT_THE_END: readonly UnitProgress['phase'][] = ['fetching', 'hashing'];

/** Makes 'flushing' the phase of a unit while one of its files is flushed that takes long. */
export class LongFlush {
  private before: UnitProgress['phase'] | undefined;

  constructor(private readonly progress: UnitProgress) {}

  /** Told as often as counters are copied: a flush that is over between two looks was short. */
  show(isFlushing: boolean): void {
    const { progress } = this;
    if (isFlushing && FLUSHES_AT_THE_END.includes(progress.phase)) {
      this.before = progress.phase;
      progress.phase = 'flushing';
    } else if (!isFlushing && this.before !== undefined) {
      if (progress.phase === 'flushing') progress.phase = this.before;
      this.before = undefined;
    }
  }
}
