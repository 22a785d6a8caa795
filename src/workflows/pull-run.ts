/** One run of a pull, from the question what the source is to the sealed tree. */
import {
  CancellationScope,
  condition,
  proxyActivities,
  setCurrentDetails,
  workflowInfo,
} from '@temporalio/workflow';
import type { Activities } from '../activities/activities.js';
import type { PlannedPages } from '../activities/plan-pages.js';
import { capFailure, cutText, MAX_SHOWN_FAILURES } from '../model/caps.js';
import type { Phase, PullProgress, PullResult } from '../model/pull.js';
import type { PullRef } from '../transfer/api.js';
import { progressMarkdown } from './details.js';
import { Gate } from './gate.js';
import { Limits } from './limits.js';
import {
  SIGNALS,
  type Block,
  type PageUnits,
  type PullInput,
  type ShardBlocked,
  type Tuning,
} from './messages.js';
import { DEFAULT_TUNING, MAX_PAGES_AT_ONCE, POLICIES } from './policies.js';
import { ShardPool } from './shard-pool.js';
import { Steps } from './steps.js';
import { addTotals, NO_TOTALS } from './totals.js';
import { UnitRunner } from './unit-runner.js';
import type { Watched } from './watchdog.js';

/** Batches of pages that are planned ahead of the shards; each is a few numbers in memory. */
const BATCHES_AHEAD = 200;

/** The state of a pull and its course. */
export class PullRun implements Watched {
  readonly gate = new Gate();
  readonly tuning: Tuning;
  readonly limits: Limits;
  ref: PullRef | undefined;
  destination: string;
  movedAtMs = Date.now();
  hasReached = false;
  private phase: Phase = 'resolving';
  private waitingFor: string | undefined;
  private planned = { files: 0, bytes: 0, keptFiles: 0, keptBytes: 0 };
  private plan = NO_TOTALS;
  private isPlanComplete = false;
  private readonly startedAt = new Date().toISOString();
  private runner: UnitRunner | undefined;
  private pool: ShardPool | undefined;

  constructor(private readonly input: PullInput) {
    this.tuning = { ...DEFAULT_TUNING, ...input.tuning };
    this.destination = input.request.destination.path;
    this.limits = new Limits(input.request, input.transferQueue);
  }

  get isPaused(): boolean {
    return this.gate.isPaused;
  }

  get block(): Block | undefined {
    return this.gate.block ?? this.pool?.block;
  }

  get openShards(): readonly string[] {
    return this.pool?.openIds ?? [];
  }

  /** How far it is, without what open shards have done. */
  get progress(): PullProgress {
    const done = [this.runner?.totals, this.pool?.totals, this.plan]
      .filter((totals) => totals !== undefined)
      .reduce(addTotals, NO_TOTALS);
    const { files, bytes, keptFiles, keptBytes } = this.planned;
    const reason = this.reason;
    const limits = this.limits.now;
    return {
      phase: this.shownPhase,
      ...(reason === undefined ? {} : { reason: cutText(reason, 400) }),
      filesPlanned: files + keptFiles + this.plan.filesFailed,
      bytesPlanned: bytes + keptBytes,
      isPlanComplete: this.isPlanComplete,
      filesDone: done.filesDone + keptFiles,
      bytesDone: done.bytesDone + keptBytes,
      filesKept: keptFiles,
      filesFailed: done.filesFailed,
      failures: done.failures,
      retries: done.retries,
      startedAt: this.startedAt,
      ...(limits === undefined ? {} : { limits }),
    };
  }

  /** The whole course. Throws cancellation, or what ends the pull. */
  async run(): Promise<PullResult> {
    const steps = new Steps(this.gate, this.tuning, this);
    const opening = { failsOnRefusal: true };
    const { request, pullId } = this.input;
    const resolved = await steps.run(
      (probing) => this.act('resolve').resolve({ request, ...probing }),
      opening,
    );
    const { runId } = workflowInfo();
    const claim = await steps.run(
      () => this.act('claim').claim({ pullId, runId, request, resolved }),
      opening,
    );
    this.ref = claim.ref;
    this.destination = claim.destination;
    this.limits.claimed(claim.ref);
    await this.transfer(steps, claim.ref, claim.needsWholePlan);
    await this.limits.settled();
    this.enter('sealing');
    const { ref } = claim;
    // From its first write on a seal is not cancelled (rule 20); waiting for a full disk to be mended is.
    const seal = (): Promise<PullResult> =>
      CancellationScope.nonCancellable(() => this.act('seal').seal({ ref }));
    const result = await steps.run(seal, { failsOnRefusal: false });
    this.enter('done');
    return result;
  }

  /** Stops the bytes, here and in the shards. */
  pause(): void {
    this.gate.pause();
    this.pool?.tellAll(SIGNALS.pause);
    this.show();
  }

  /** Goes on; the time that it was paused is no standstill. */
  resume(): void {
    this.movedAtMs = Date.now();
    this.gate.resume();
    this.pool?.tellAll(SIGNALS.resume);
    this.show();
  }

  retryNow(): void {
    this.gate.wakes += 1;
    this.pool?.tellAll(SIGNALS.retryNow);
  }

  shardBlocked(report: ShardBlocked): void {
    this.noteMoved(report.hasProgressed ? Date.now() : report.movedAtMs);
    this.pool?.noteBlocked(report);
    this.show();
  }

  moved(): void {
    this.movedAtMs = Date.now();
    this.show();
  }

  blocked(_block: Block, movedAtMs: number | undefined): void {
    this.noteMoved(movedAtMs);
    this.show();
  }

  unblocked(): void {
    this.moved();
  }

  waiting(reason: string | undefined): void {
    this.waitingFor = reason;
    this.show();
  }

  private noteMoved(atMs = 0): void {
    this.movedAtMs = Math.max(this.movedAtMs, atMs);
  }

  private get shownPhase(): Phase {
    if (this.isPaused) return 'paused';
    if (this.block !== undefined) return 'blocked';
    return this.waitingFor === undefined ? this.phase : 'waiting for a worker';
  }

  private get reason(): string | undefined {
    return this.isPaused ? undefined : (this.block?.message ?? this.waitingFor);
  }

  private enter(phase: Phase): void {
    this.phase = phase;
    this.show();
  }

  private show(): void {
    setCurrentDetails(progressMarkdown(this.progress));
  }

  private act(step: 'resolve' | 'claim' | 'planPages' | 'seal', summary?: string): Activities {
    return proxyActivities<Activities>({
      ...POLICIES[step],
      taskQueue: this.input.transferQueue,
      // These wait for nothing but a worker, so that its absence shows here.
      scheduleToStartTimeout: this.tuning.noWorkerMs,
      ...(summary === undefined ? {} : { summary }),
    });
  }

  private async transfer(steps: Steps, ref: PullRef, needsWholePlan: boolean): Promise<void> {
    this.enter('listing');
    const batches: PlannedPages[] = [];
    let next = 0;
    let count = 1;
    const planNext = async (): Promise<void> => {
      const from = next;
      const summary = count === 1 ? `page ${from}` : `pages ${from} to ${from + count - 1}`;
      const batch = await steps.run(
        (probing) => this.act('planPages', summary).planPages({ ref, from, count, ...probing }),
        { failsOnRefusal: !this.hasReached },
      );
      this.notePlanned(batch);
      batches.push(batch);
      next += batch.pages.length;
      if (next >= 2) count = Math.min(count * 2, MAX_PAGES_AT_ONCE);
    };
    do await planNext();
    while (needsWholePlan && !this.isPlanComplete);
    const units = batches
      .flatMap((batch) => batch.pages)
      .reduce((sum, page) => sum + page.units, 0);
    this.enter('fetching');
    if (this.isPlanComplete && units <= this.tuning.unitsInRoot) {
      await this.fetchHere(ref, batches);
    } else {
      await this.fetchInShards(ref, batches, planNext);
    }
  }

  private notePlanned(batch: PlannedPages): void {
    const { planned } = this;
    this.planned = {
      files: planned.files + batch.files,
      bytes: planned.bytes + batch.bytes,
      keptFiles: planned.keptFiles + batch.keptFiles,
      keptBytes: planned.keptBytes + batch.keptBytes,
    };
    this.plan = {
      ...this.plan,
      filesFailed: this.plan.filesFailed + batch.failedFiles,
      failures: [...this.plan.failures, ...batch.failures]
        .slice(0, MAX_SHOWN_FAILURES)
        .map(capFailure),
    };
    this.isPlanComplete = batch.isLast;
    this.hasReached = true;
    this.show();
  }

  private async fetchHere(ref: PullRef, batches: readonly PlannedPages[]): Promise<void> {
    const { transferQueue } = this.input;
    const pages = batches.flatMap((batch) => batch.pages);
    const labels = batches[0]?.labels ?? [];
    const options = { ref, transferQueue, tuning: this.tuning, pages, labels };
    this.runner = new UnitRunner(options, this.gate, this);
    await this.runner.run();
  }

  private async fetchInShards(
    ref: PullRef,
    batches: PlannedPages[],
    planNext: () => Promise<void>,
  ): Promise<void> {
    const { transferQueue } = this.input;
    const pool = new ShardPool({ ref, transferQueue, tuning: this.tuning }, this.gate);
    this.pool = pool;
    const plan = async (): Promise<void> => {
      while (!this.isPlanComplete) {
        await condition(() => batches.length < BATCHES_AHEAD);
        await planNext();
      }
    };
    const lane = async (): Promise<void> => {
      for (;;) {
        await condition(() => batches.length > 0 || this.isPlanComplete);
        const batch = batches.shift();
        // All lanes wake at once; what woke them may be taken when it is this one's turn.
        if (batch === undefined && !this.isPlanComplete) continue;
        if (batch === undefined) return;
        const pages: PageUnits[] = batch.pages.filter((page) => page.units > 0);
        if (pages.length > 0) await pool.run(pages);
        this.moved();
      }
    };
    await this.allOrNone([plan, ...Array.from({ length: this.tuning.openShards }, () => lane)]);
  }

  /** Runs all; when one fails the others are cancelled and waited for, so that nothing writes afterwards. */
  private async allOrNone(runs: readonly (() => Promise<void>)[]): Promise<void> {
    const scope = new CancellationScope();
    let first: { readonly error: unknown } | undefined;
    const guarded = runs.map((run) =>
      scope.run(run).catch((error: unknown) => {
        first ??= { error };
        scope.cancel();
      }),
    );
    await Promise.all(guarded);
    if (first !== undefined) throw first.error;
  }
}
