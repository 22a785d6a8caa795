/**
 * The limits of a pull as they are now: what was asked for, what `waybill tune` has changed since, and what the source is
 * worth. The change lies beside the request, so that every worker of the pull sees it, and a restarted one too.
 */
import { join } from 'node:path';
import * as z from 'zod';
import type { PullLimits, PullRequest } from '../model/pull.js';
import type { StorePace } from '../stores/store.js';
import { readJson, writeFileDurably } from './durable-file.js';
import { RECORD_NAMES } from './layout.js';
import { wholePart, type WorkerShare } from './concurrency/shares.js';
import type { ConcurrencyNote, HostUser, SourceHost } from './concurrency/source-host.js';
import { Permits } from './permits.js';
import type { Cell } from './thread/cell.js';
import { Pace, storePaceOf, type TaskPace } from './thread/pace.js';

/** How soon another worker follows a change. */
const LOOK_MS = 2_000;

const limit = z.number().positive().nullable().exactOptional();
const tuningSchema = z.strictObject({
  v: z.literal(1),
  concurrency: z.int().positive().exactOptional(),
  maxBytesPerSecond: limit,
  maxRequestsPerSecond: limit,
});

/** What a pull's limits are made of, beside what was asked for. */
export interface LimitsAround {
  /** The host that the bytes come from. */
  readonly host: SourceHost;
  /** Connections that its store has declared as polite. */
  readonly declared: number;
  /** This worker among those that share the pull. */
  readonly share: () => WorkerShare;
  /** What all pulls of this process keep to together; absent: nothing. */
  readonly common?: Pace;
}

/** One pull's limits in this process. Threads share `pace`; `permits` deals out connections between units. */
export class LiveLimits implements HostUser {
  readonly permits = new Permits(0);
  readonly declared: number;
  private readonly memory = new Pace();
  private readonly file: string;
  private asksFor: number | undefined;
  private counted = 0;
  private applied = '';
  private users = 0;
  private isLooking = false;
  private timer: NodeJS.Timeout | undefined;

  /** @param asked the limits of the request */
  constructor(
    private readonly recordDir: string,
    private readonly asked: PullRequest,
    private readonly around: LimitsAround,
  ) {
    this.file = join(recordDir, RECORD_NAMES.tuning);
    this.declared = around.declared;
    this.allow(1);
    this.apply({});
  }

  /** For the threads. */
  get pace(): TaskPace {
    const { common } = this.around;
    return {
      id: this.recordDir,
      memory: this.memory.memory,
      ...(common === undefined ? {} : { common: common.memory }),
    };
  }

  /** For stores of this thread. */
  get storePace(): StorePace {
    return storePaceOf(this.pace);
  }

  /** Connections that it may have in this process at most: its part of what was asked for, and no more than is polite. */
  get cap(): number {
    const { asksFor, declared } = this;
    if (asksFor === undefined) return declared;
    return Math.min(declared, wholePart(asksFor, this.around.share()));
  }

  get isBusy(): boolean {
    return this.memory.isFull || this.permits.isEmpty;
  }

  /** What people get to see of the host. */
  get note(): ConcurrencyNote {
    return this.around.host.note;
  }

  /** Takes what the host gives it. */
  allow(connections: number): void {
    this.permits.resize(connections);
    this.memory.allow(connections);
  }

  /** Counts what comes into a cell until the answer is called. */
  watch(cell: Cell): () => void {
    return this.around.host.watch(cell);
  }

  /** Notes how a request to the source went: `error` undefined where it went well. */
  noteAnswer(error?: unknown): void {
    if (error === undefined) this.around.host.answered();
    else this.around.host.failed(error);
  }

  /** A thread has died: what it held is free. */
  threadDied(): void {
    this.memory.forgetConnections();
  }

  /** Milliseconds that bytes and requests were held back. */
  get heldMs(): number {
    return this.memory.heldMs + (this.around.common?.heldMs ?? 0);
  }

  /** Takes what the file says. One that cannot be read changes nothing: the work at hand meets the same error. */
  async refresh(): Promise<void> {
    const tuned = await readJson(this.file, tuningSchema).catch(() => undefined);
    if (tuned !== undefined) this.apply(tuned);
    this.recount();
  }

  /** Changes limits: in this process at once, in the others when they look. */
  async change(limits: PullLimits): Promise<void> {
    const before = await readJson(this.file, tuningSchema);
    const tuned = tuningSchema.parse({ v: 1, ...before, ...limits });
    this.apply(tuned);
    this.recount();
    await writeFileDurably(this.file, `${JSON.stringify(tuned)}\n`);
  }

  /** Looks for changes as long as some work runs. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    await this.refresh();
    if (this.users === 0) this.around.host.join(this);
    this.users += 1;
    this.timer ??= setInterval(() => this.lookAgain(), LOOK_MS);
    try {
      return await work();
    } finally {
      this.users -= 1;
      if (this.users === 0) {
        clearInterval(this.timer);
        this.timer = undefined;
        this.around.host.leave(this);
      }
    }
  }

  /** A share that hangs answers no look: one is enough. */
  private lookAgain(): void {
    if (this.isLooking) return;
    this.isLooking = true;
    void this.refresh().finally(() => (this.isLooking = false));
  }

  private apply(tuned: PullLimits): void {
    const { asked } = this;
    const of = (value: number | null | undefined, otherwise: number | undefined) =>
      value === undefined ? otherwise : (value ?? undefined);
    this.asksFor = tuned.concurrency ?? asked.concurrency;
    const limits = {
      bytesPerSecond: of(tuned.maxBytesPerSecond, asked.maxBytesPerSecond),
      requestsPerSecond: of(tuned.maxRequestsPerSecond, asked.maxRequestsPerSecond),
    };
    const text = JSON.stringify(limits);
    if (text === this.applied) return;
    this.applied = text;
    this.memory.set(limits);
  }

  /** Asked for anew, or shared with more or fewer workers. */
  private recount(): void {
    const { cap } = this;
    if (cap === this.counted) return;
    this.counted = cap;
    if (this.users > 0) this.around.host.recount();
  }
}
