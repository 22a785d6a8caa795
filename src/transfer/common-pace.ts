/** What all pulls of a worker keep to together: the limits of its site, divided by the workers that serve it. */
import type { WorkerShare } from './concurrency/shares.js';
import { Pace } from './thread/pace.js';

/** How soon a worker that came or went is counted. */
const LOOK_MS = 1_000;

/** Limits over all pulls and all workers; absent: none. */
export interface CommonLimits {
  readonly maxBytesPerSecond?: number | undefined;
  readonly maxRequestsPerSecond?: number | undefined;
}

/** Keeps a pace at this worker's part until `end`. */
export class CommonPace {
  readonly pace = new Pace();
  private readonly timer: NodeJS.Timeout;
  private among = 0;

  constructor(
    private readonly limits: CommonLimits,
    private readonly share: () => WorkerShare,
  ) {
    this.divide();
    this.timer = setInterval(() => this.divide(), LOOK_MS);
    this.timer.unref();
  }

  end(): void {
    clearInterval(this.timer);
  }

  private divide(): void {
    const { of } = this.share();
    // To set it again would let what was booked go at once.
    if (of === this.among) return;
    this.among = of;
    const part = (limit: number | undefined): number | undefined =>
      limit === undefined ? undefined : limit / of;
    this.pace.set({
      bytesPerSecond: part(this.limits.maxBytesPerSecond),
      requestsPerSecond: part(this.limits.maxRequestsPerSecond),
    });
  }
}
