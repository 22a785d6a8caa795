/**
 * The limits of a pull as they are now: what was asked for, and what `waybill tune` has changed since. The change lies
 * beside the request, so that every worker of the pull sees it, and a restarted one too.
 */
import { join } from 'node:path';
import { z } from 'zod';
import type { PullLimits, PullRequest } from '../model/pull.js';
import type { StorePace } from '../stores/store.js';
import { readJson, writeFileDurably } from './durable-file.js';
import { RECORD_NAMES } from './layout.js';
import { Permits } from './permits.js';
import { Pace, type TaskPace } from './thread/pace.js';

/** Connections of one pull where the user gave no --concurrency. */
const DEFAULT_CONNECTIONS = 16;

/** How soon another worker follows a change. */
const LOOK_MS = 2_000;

const limit = z.number().positive().nullable().exactOptional();
const tuningSchema = z.strictObject({
  v: z.literal(1),
  concurrency: z.int().positive().exactOptional(),
  maxBytesPerSecond: limit,
  maxRequestsPerSecond: limit,
});

/** One pull's limits in this process. Threads share `pace`; `permits` deals out connections between units. */
export class LiveLimits {
  readonly permits = new Permits(DEFAULT_CONNECTIONS);
  private readonly memory = new Pace();
  private readonly file: string;
  private applied = '';
  private users = 0;
  private timer: NodeJS.Timeout | undefined;

  /** @param asked the limits of the request */
  constructor(
    private readonly recordDir: string,
    private readonly asked: PullRequest,
  ) {
    this.file = join(recordDir, RECORD_NAMES.tuning);
    this.apply({});
  }

  /** For the threads. */
  get pace(): TaskPace {
    return { id: this.recordDir, memory: this.memory.memory };
  }

  /** For stores of this thread. */
  get storePace(): StorePace {
    return this.memory;
  }

  /** A thread has died: what it held is free. */
  threadDied(): void {
    this.memory.forgetConnections();
  }

  /** Milliseconds that bytes and requests were held back. */
  get heldMs(): number {
    return this.memory.heldMs;
  }

  /** Takes what the file says. One that cannot be read changes nothing: the work at hand meets the same error. */
  async refresh(): Promise<void> {
    const tuned = await readJson(this.file, tuningSchema).catch(() => undefined);
    if (tuned !== undefined) this.apply(tuned);
  }

  /** Changes limits: in this process at once, in the others when they look. */
  async change(limits: PullLimits): Promise<void> {
    const before = await readJson(this.file, tuningSchema);
    const tuned = tuningSchema.parse({ v: 1, ...before, ...limits });
    this.apply(tuned);
    await writeFileDurably(this.file, `${JSON.stringify(tuned)}\n`);
  }

  /** Looks for changes as long as some work runs. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    await this.refresh();
    this.users += 1;
    this.timer ??= setInterval(() => void this.refresh(), LOOK_MS);
    try {
      return await work();
    } finally {
      this.users -= 1;
      if (this.users === 0) {
        clearInterval(this.timer);
        this.timer = undefined;
      }
    }
  }

  private apply(tuned: PullLimits): void {
    const { asked } = this;
    const of = (value: number | null | undefined, otherwise: number | undefined) =>
      value === undefined ? otherwise : (value ?? undefined);
    const limits = {
      connections: tuned.concurrency ?? asked.concurrency ?? DEFAULT_CONNECTIONS,
      bytesPerSecond: of(tuned.maxBytesPerSecond, asked.maxBytesPerSecond),
      requestsPerSecond: of(tuned.maxRequestsPerSecond, asked.maxRequestsPerSecond),
    };
    const text = JSON.stringify(limits);
    if (text === this.applied) return;
    this.applied = text;
    this.permits.resize(limits.connections);
    this.memory.set(limits);
  }
}
