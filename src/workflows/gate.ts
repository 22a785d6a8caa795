/** Decides when lanes may start work: paused, held by the root, or blocked with a probe now and then. */
import { CancellationScope } from '@temporalio/workflow';
import type { Block, Blocked } from './messages.js';

/** About so many probes come while the time that a pull is blocked for doubles. */
const PROBES_OF_A_SPAN = 60;

/** The gate of one workflow. It only keeps state; lanes wait for `mayStart` with `condition`. */
export class Gate {
  isPaused = false;
  isHeld = false;
  block: Block | undefined;
  /** When the source asked to be left alone until, in workflow time. */
  quietUntilMs = 0;
  /** Rises with every `retryNow` and `resume`. */
  wakes = 0;
  /** Rises when a probe has come back, however it ended. */
  probesOver = 0;
  private blockedAtMs = 0;
  private isProbeFree = false;
  private readonly running = new Set<CancellationScope>();

  /** How it is blocked, for the next run of its workflow: that one has to say when it goes on. */
  get blocked(): Blocked | undefined {
    const { block, blockedAtMs, quietUntilMs } = this;
    return block === undefined ? undefined : { block, sinceMs: blockedAtMs, quietUntilMs };
  }

  /** Goes on as the run before has ended. */
  takeOver({ block, sinceMs, quietUntilMs }: Blocked): void {
    this.block = block;
    this.blockedAtMs = sinceMs;
    this.quietUntilMs = quietUntilMs;
  }

  /** Whether a lane may take a unit now. Blocked, only one may at a time, as a probe. */
  mayStart(): boolean {
    if (this.isPaused) return false;
    return this.block === undefined ? !this.isHeld : this.isProbeFree;
  }

  /** Takes the right to start; true if what starts is a probe. */
  take(): boolean {
    if (this.block === undefined) return false;
    this.isProbeFree = false;
    return true;
  }

  /** Lets one unit through although blocked. */
  letOneThrough(): void {
    this.isProbeFree = true;
  }

  /** Stops all lanes with a reason; again for a probe that failed. */
  shut(block: Omit<Block, 'probes'>, isProbe: boolean, retryAfterMs = 0): void {
    if (this.block === undefined) this.blockedAtMs = Date.now();
    const probes = this.block?.probes ?? 0;
    // A destination that says when to look again is not full: other pulls were promised its room (rule 18).
    const isVain = isProbe && (block.scope !== 'destination' || retryAfterMs === 0);
    this.block = { ...block, probes: isVain ? probes + 1 : probes };
    this.quietUntilMs = Math.max(this.quietUntilMs, Date.now() + retryAfterMs);
  }

  /** Lets all lanes go on. */
  open(): void {
    this.block = undefined;
    this.quietUntilMs = 0;
    this.isProbeFree = false;
  }

  /** Cancels what runs; it is queued again by whoever ran it. */
  pause(): void {
    this.isPaused = true;
    for (const scope of this.running) scope.cancel();
  }

  resume(): void {
    this.isPaused = false;
    this.wakes += 1;
    // Whoever resumes a blocked pull has likely mended the cause.
    if (this.block !== undefined) this.isProbeFree = true;
  }

  /** Runs something that `pause` stops. */
  async runStoppable<T>(run: () => Promise<T>): Promise<T> {
    const scope = new CancellationScope();
    this.running.add(scope);
    try {
      return await scope.run(run);
    } finally {
      this.running.delete(scope);
    }
  }

  /**
   * How long until the next probe, growing with each that failed, and from an hour on with the time that it lasts: a pull that
   * never gives up stays a short history (rule 29).
   */
  nextProbeInMs(firstMs: number, maxMs: number): number {
    const now = Date.now();
    const grown = Math.min(maxMs, firstMs * 2 ** Math.min(this.block?.probes ?? 0, 16));
    const lasting = (now - this.blockedAtMs) / PROBES_OF_A_SPAN;
    return Math.max(grown, lasting, this.quietUntilMs - now);
  }
}
