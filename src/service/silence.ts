/** Notices a child that runs and says nothing more: its event loop hangs, or somebody has stopped it. */

/** A machine that slept, or a service that was held up itself, is no reason: a look counts for no more than this. */
const MOST_OF_A_LOOK = 3;

/** Counts the time without a word, look by look. */
export class Silence {
  private silentMs = 0;
  private lookedAtMs: number | undefined;

  constructor(
    private readonly limitMs: number,
    private readonly everyMs: number,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** It said something, or is another one now. */
  heard(): void {
    this.silentMs = 0;
  }

  /** Called at every look, before it is asked again: whether it has been silent for too long. */
  look(): boolean {
    const now = this.now();
    const sinceMs = now - (this.lookedAtMs ?? now);
    this.lookedAtMs = now;
    this.silentMs += Math.min(sinceMs, MOST_OF_A_LOOK * this.everyMs);
    return this.silentMs > this.limitMs;
  }
}
