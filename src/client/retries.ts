/** The retries of calls to Temporal, and their end: a retry that fires on a closed channel is thrown at nobody. */
import { setTimeout as sleep } from 'node:timers/promises';
import { defaultGrpcRetryOptions, type GrpcRetryOptions } from '@temporalio/client';

/** A query that has to wait for others of the same workflow: each of them takes milliseconds. */
const QUERIES_ARE_MANY = /query buffer is full/u;
const QUERY_AGAIN_MS = 50;

/** Temporal's own rules for retries, with a memory of when the last scheduled one is due. */
export class Retries {
  readonly options: GrpcRetryOptions;
  private lastDueAt = 0;
  private isOver = false;

  constructor(rules: GrpcRetryOptions = defaultGrpcRetryOptions()) {
    this.options = {
      delayFunction: (attempt, status) => {
        const delayMs = QUERIES_ARE_MANY.test(status.details)
          ? QUERY_AGAIN_MS * attempt
          : rules.delayFunction(attempt, status);
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
    if (this.lastDueAt === 0) return;
    for (;;) {
      const leftMs = this.lastDueAt - performance.now();
      if (leftMs < 0) break;
      await sleep(leftMs);
    }
    // What is due has not run yet where the process is busy. The first timer's turn comes after the loop has looked at the
    // clock again; the second one is set by that clock, so it comes after all that was due.
    await sleep(1);
    await sleep(1);
  }
}
