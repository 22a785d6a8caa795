/** The single steps of the root (resolve, claim, plan, seal), each tried for as long as it may help. */
import { CancellationScope, condition } from '@temporalio/workflow';
import { errorRow } from '../model/errors.js';
import { NO_WORKER_TAKES } from '../model/pull.js';
import type { Gate } from './gate.js';
import type { Probing } from '../activities/activities.js';
import type { Block, Tuning } from './messages.js';
import { ending, movedAtMs, readOutcome, verdictOf, type Outcome } from './outcomes.js';

/** What a step tells the pull. */
export interface StepHost {
  /** `movedAtMs`: when something last arrived, as far as that is known. */
  blocked(block: Block, movedAtMs: number | undefined): void;
  /** No worker takes the work, for so long that people should know; undefined: one does. */
  waiting(reason: string | undefined): void;
  moved(): void;
}

/** How a step fails. */
export interface StepOptions {
  /** A refused sign-in ends the pull at once: nothing is lost by asking the person now. */
  readonly failsOnRefusal: boolean;
}

function isRefusal(outcome: Extract<Outcome, { kind: 'failed' }>): boolean {
  return errorRow(outcome.code).exitCode === 5;
}

/** Runs steps behind the gate. */
export class Steps {
  constructor(
    private readonly gate: Gate,
    private readonly tuning: Tuning,
    private readonly host: StepHost,
  ) {}

  /** Runs one step until it has an answer; it is told whether it is a probe. Throws cancellation, or what ends the pull. */
  async run<T>(step: (probing: Probing) => Promise<T>, options: StepOptions): Promise<T> {
    const scope = CancellationScope.current();
    for (;;) {
      await condition(() => !this.gate.isPaused);
      const probing: Probing = this.gate.block === undefined ? {} : { isProbe: true };
      try {
        const answer = await this.gate.runStoppable(() => step(probing));
        this.gate.open();
        this.host.waiting(undefined);
        this.host.moved();
        return answer;
      } catch (error) {
        if (scope.consideredCancelled) throw error;
        await this.settle(readOutcome(error), options);
      }
    }
  }

  private async settle(outcome: Outcome, options: StepOptions): Promise<void> {
    // Paused: the same step again when it goes on.
    if (outcome.kind === 'cancelled') return;
    if (outcome.kind === 'lost') {
      if (outcome.hasNoWorker) this.host.waiting(NO_WORKER_TAKES);
      return;
    }
    const { code, message, facts } = outcome;
    const isFinal = verdictOf(outcome) !== 'block' || !facts.retryable;
    if (isFinal || (options.failsOnRefusal && isRefusal(outcome))) throw ending(code, message);
    this.gate.shut({ code, scope: facts.scope, message }, true, facts.retryAfterMs);
    const { block, wakes } = this.gate;
    if (block !== undefined) this.host.blocked(block, movedAtMs(facts));
    const waitMs = this.gate.nextProbeInMs(this.tuning.probeFirstMs, this.tuning.probeMaxMs);
    await condition(() => this.gate.wakes !== wakes, waitMs);
  }
}
