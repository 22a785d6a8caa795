/** Runs the units of some pages in a bounded number of lanes. The root and the shards both use it. */
import { CancellationScope, condition, proxyActivities } from '@temporalio/workflow';
import type { Activities, Probing } from '../activities/activities.js';
import type { PullRef, UnitLabel } from '../transfer/api.js';
import type { Gate } from './gate.js';
import { Labels, summaryOf } from './labels.js';
import type { Block, Job, PageUnits, ShardInput, Tuning, UnitTotals } from './messages.js';
import { ending, movedAtMs, readOutcome, verdictOf, type Outcome } from './outcomes.js';
import { POLICIES } from './policies.js';
import { addTotals, failedTotals, NO_TOTALS } from './totals.js';
import { UnitQueue } from './unit-queue.js';

/** What a runner tells the workflow that it runs in. */
export interface RunnerHost {
  /** Something arrived. */
  moved(): void;
  /** The gate was shut, or a probe failed. `movedAtMs`: when something last arrived, as far as that is known. */
  blocked(block: Block, movedAtMs: number | undefined): void;
  /** The gate is open again. */
  unblocked(): void;
}

/** What a runner is made of. */
export interface RunnerOptions {
  readonly ref: PullRef;
  readonly transferQueue: string;
  readonly tuning: Tuning;
  readonly pages: readonly PageUnits[];
  readonly labels?: readonly UnitLabel[];
  readonly carried?: NonNullable<ShardInput['carried']>;
  /** Asked before each unit: no more may be started in this run. */
  readonly isFull?: (started: number) => boolean;
}

/** Fetches units until none is left, or until the run is full. */
export class UnitRunner {
  totals: UnitTotals;
  private readonly queue: UnitQueue;
  private readonly labels: Labels;
  private readonly scope = CancellationScope.current();
  private running = 0;
  private started = 0;

  constructor(
    private readonly options: RunnerOptions,
    private readonly gate: Gate,
    private readonly host: RunnerHost,
  ) {
    const { ref, pages, carried, labels, transferQueue } = options;
    this.totals = carried?.totals ?? NO_TOTALS;
    this.queue = new UnitQueue(pages, carried);
    this.labels = new Labels(ref, transferQueue);
    const [first] = pages;
    if (labels !== undefined && first !== undefined) this.labels.know(first.page, 0, labels);
  }

  /** Where the next run goes on, if units are left; undefined: all are done. */
  get left(): NonNullable<ShardInput['carried']> | undefined {
    if (this.queue.isEmpty) return undefined;
    const { blocked } = this.gate;
    const carried = { ...this.queue.carry(), totals: this.totals };
    return blocked === undefined ? carried : { ...carried, blocked };
  }

  /** Runs to the end. Cancelled, it waits for what runs and throws the cancellation. */
  async run(): Promise<void> {
    const probing = new CancellationScope();
    const lanes = Array.from({ length: this.options.tuning.window }, () => this.lane());
    const prober = probing.run(() => this.probe()).catch(() => undefined);
    const ends = await Promise.allSettled(lanes);
    probing.cancel();
    await prober;
    const failed = ends.find((end) => end.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  private get isFull(): boolean {
    return this.options.isFull?.(this.started) ?? false;
  }

  private get isOver(): boolean {
    return this.isFull || (this.queue.isEmpty && this.running === 0);
  }

  private get canStart(): boolean {
    return !this.queue.isEmpty && this.gate.mayStart();
  }

  private async lane(): Promise<void> {
    for (;;) {
      await condition(() => this.isOver || this.canStart);
      if (this.isOver) return;
      // All lanes wake at once; what woke them may be taken when it is this one's turn.
      const job = this.canStart ? this.queue.take() : undefined;
      if (job === undefined) continue;
      const isProbe = this.gate.take();
      this.running += 1;
      this.started += 1;
      try {
        await this.runJob(job, isProbe);
      } finally {
        this.running -= 1;
        if (isProbe) this.gate.probesOver += 1;
      }
    }
  }

  private async runJob(job: Job, isProbe: boolean): Promise<void> {
    let label: UnitLabel | undefined;
    try {
      await this.gate.runStoppable(async () => {
        label = await this.labels.of(job);
        await this.fetch(job, label, isProbe);
      });
      if (isProbe) this.reopen();
      this.host.moved();
    } catch (error) {
      await this.settle(job, label, readOutcome(error), error, isProbe);
    }
  }

  private async fetch(job: Job, label: UnitLabel, isProbe: boolean): Promise<void> {
    const activities = proxyActivities<Activities>({
      ...POLICIES.fetch,
      taskQueue: this.options.transferQueue,
      summary: summaryOf(job, label),
    });
    const probing: Probing = isProbe ? { isProbe: true } : {};
    const input = { ref: this.options.ref, ...job, ...probing };
    const isFile = label.kind === 'file' || job.entry !== undefined;
    const done = isFile ? await activities.fetchFile(input) : await activities.fetchPack(input);
    this.totals = addTotals(this.totals, {
      ...NO_TOTALS,
      filesDone: done.files,
      bytesDone: done.bytes,
      bytesFetched: done.bytesFetched,
      retries: done.retries,
    });
    for (const entry of done.expelled) {
      this.queue.add({ page: job.page, unit: job.unit, entry });
    }
  }

  private async settle(
    job: Job,
    label: UnitLabel | undefined,
    outcome: Outcome,
    error: unknown,
    isProbe: boolean,
  ): Promise<void> {
    if (outcome.kind === 'cancelled') {
      if (this.scope.consideredCancelled) throw error;
      this.queue.putBack(job);
      return;
    }
    if (outcome.kind === 'lost') {
      this.queue.putBack(job);
      return;
    }
    const verdict = verdictOf(outcome);
    if (verdict === 'fatal') throw ending(outcome.code, outcome.message);
    if (verdict === 'block') {
      this.queue.putBack(job);
      if (outcome.facts.hasAnswered === true) return this.reopen();
      this.shut(outcome, isProbe);
      return;
    }
    await this.recordFailed(job, label, outcome, isProbe);
  }

  private async recordFailed(
    job: Job,
    label: UnitLabel | undefined,
    outcome: Extract<Outcome, { kind: 'failed' }>,
    isProbe: boolean,
  ): Promise<void> {
    const { code, message, facts } = outcome;
    const path = facts.path ?? label?.label ?? `page ${job.page}, unit ${job.unit}`;
    const failure = { path, code, message };
    const { recordFailure } = proxyActivities<Activities>({
      ...POLICIES.recordFailure,
      taskQueue: this.options.transferQueue,
      summary: `failed: ${path}`.slice(0, 100),
    });
    let files: number;
    try {
      ({ files } = await recordFailure({ ref: this.options.ref, ...job, failure }));
    } catch (thrown) {
      const recorded = readOutcome(thrown);
      // Not written down is not settled: the unit comes again, fails again, and is then recorded.
      if (recorded.kind !== 'failed') return this.settle(job, label, recorded, thrown, isProbe);
      if (verdictOf(recorded) === 'fatal') throw ending(recorded.code, recorded.message);
      this.queue.putBack(job);
      return this.shut(recorded, isProbe);
    }
    if (isProbe) this.reopen();
    this.totals = addTotals(this.totals, failedTotals(files, failure));
    this.host.moved();
  }

  private shut(outcome: Extract<Outcome, { kind: 'failed' }>, isProbe: boolean): void {
    const { code, message, facts } = outcome;
    const isNews = isProbe || this.gate.block === undefined || facts.hasProgressed;
    this.gate.shut({ code, scope: facts.scope, message }, isProbe, facts.retryAfterMs);
    // The other lanes fail of the same cause: one event, not one each (rule 18).
    if (isNews && this.gate.block) this.host.blocked(this.gate.block, movedAtMs(facts));
  }

  private reopen(): void {
    if (this.gate.block === undefined) return;
    this.gate.open();
    this.host.unblocked();
  }

  /** While blocked, lets one unit through after a growing wait, sooner when somebody asks for it. */
  private async probe(): Promise<void> {
    const { gate } = this;
    const { probeFirstMs, probeMaxMs } = this.options.tuning;
    for (;;) {
      await condition(() => gate.block !== undefined && !gate.isPaused);
      const wakes = gate.wakes;
      const waitMs = gate.nextProbeInMs(probeFirstMs, probeMaxMs);
      await condition(() => gate.wakes !== wakes || gate.block === undefined, waitMs);
      if (gate.block === undefined) continue;
      const before = gate.probesOver;
      gate.letOneThrough();
      await condition(() => gate.probesOver !== before || gate.block === undefined);
    }
  }
}
