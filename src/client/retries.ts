/** The retries of calls to Temporal, and their end: a retry that fires on a closed channel is thrown at nobody. */
import { defaultGrpcRetryOptions, type GrpcRetryOptions } from '@temporalio/client';

/** Temporal's own rules for retries, with a memory of when the last scheduled one is due. */
export class Retries {
  readonly options: GrpcRetryOptions;
  private lastDueAt = 0;
  private isOver = false;

  constructor(rules: GrpcRetryOptions = defaultGrpcRetryOptions()) {
    this.options = {
      delayFunction: (attempt, status) => {
        const delayMs = rules.delayFunction(attempt, status);
        this.lastDueAt = Math.max(this.lastDueAt, performance.now() + delayMs);
        return delayMs;
      },
      retryableDecider: (attempt, status) =>
        !this.isOver && rules.retryableDecider(attempt, status),
    };
  }

  /** Schedules no more, and waits until every scheduled retry has been made. */
  async end(): Promise<void> {
    this.isOver = true;
    const leftMs = this.lastDueAt - performance.now();
    if (leftMs <= 0) return;
    // The timer of the retry was set before this one and for less: it fires first.
    await new Promise((resolve) => setTimeout(resolve, leftMs + 1));
  }
}
