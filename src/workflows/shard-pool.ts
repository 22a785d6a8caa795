/** The open shards of a pull: starts them, passes signals on, and adds up what they brought. */
import {
  ChildWorkflowCancellationType,
  ParentClosePolicy,
  sleep,
  startChild,
  workflowInfo,
  type ChildWorkflowHandle,
} from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import type { PullRef } from '../transfer/api.js';
import type { Gate } from './gate.js';
import {
  SIGNALS,
  type PageUnits,
  type ShardBlocked,
  type Tuning,
  type UnitTotals,
} from './messages.js';
import { ending, readOutcome } from './outcomes.js';
import { SHARD_TASK_TIMEOUT } from './policies.js';
import { shard } from './shard.js';
import { addTotals, NO_TOTALS } from './totals.js';

type ShardHandle = ChildWorkflowHandle<typeof shard>;

/** A shard of an earlier run of this pull that still stops is waited for. */
const EARLIER_SHARD_WAIT = '2s';

/** What a pool is made of. */
export interface ShardPoolOptions {
  readonly ref: PullRef;
  readonly transferQueue: string;
  readonly tuning: Tuning;
}

/** Runs shards; the root bounds how many at once. */
export class ShardPool {
  totals: UnitTotals = NO_TOTALS;
  private readonly open = new Map<string, ShardHandle>();
  private readonly blocked = new Map<string, ShardBlocked>();

  constructor(
    private readonly options: ShardPoolOptions,
    private readonly gate: Gate,
  ) {}

  get openIds(): readonly string[] {
    return [...this.open.keys()];
  }

  /** Why shards are blocked; undefined: none is. */
  get block(): ShardBlocked['block'] {
    const reports = [...this.blocked.values()];
    return reports[0]?.block;
  }

  /** Runs one shard to its end. Throws what ends the pull. */
  async run(pages: readonly PageUnits[]): Promise<void> {
    const before = { isPaused: this.gate.isPaused, isHeld: this.blocked.size > 0 };
    const handle = await this.start(pages, before);
    this.open.set(handle.workflowId, handle);
    if (this.gate.isPaused !== before.isPaused) {
      this.tell(handle, this.gate.isPaused ? SIGNALS.pause : SIGNALS.resume);
    }
    if (this.blocked.size > 0 !== before.isHeld) {
      this.tell(handle, SIGNALS.hold, this.blocked.size > 0);
    }
    try {
      const totals = await handle.result();
      // Only now: other shards have ended meanwhile.
      this.totals = addTotals(this.totals, totals);
    } catch (error) {
      const outcome = readOutcome(error);
      if (outcome.kind === 'failed') throw ending(outcome.code, outcome.message);
      if (outcome.kind === 'cancelled') throw error;
      throw ending('WB_UNEXPECTED', `a part of the pull was ended: ${outcome.message}`);
    } finally {
      this.open.delete(handle.workflowId);
      this.noteBlocked({ shardId: handle.workflowId, hasProgressed: false });
    }
  }

  /** Takes a report of a shard; holds the others while one is blocked. */
  noteBlocked(report: ShardBlocked): void {
    const wasBlocked = this.blocked.size > 0;
    if (report.block === undefined) this.blocked.delete(report.shardId);
    else this.blocked.set(report.shardId, report);
    const isBlocked = this.blocked.size > 0;
    if (wasBlocked === isBlocked) return;
    for (const [id, handle] of this.open) {
      if (!this.blocked.has(id)) this.tell(handle, SIGNALS.hold, isBlocked);
    }
  }

  /** Passes a signal on to every open shard. */
  tellAll(signal: string): void {
    for (const handle of this.open.values()) this.tell(handle, signal);
  }

  private tell(handle: ShardHandle, signal: string, ...args: unknown[]): void {
    // A shard that ends in this moment needs no word.
    handle.signal(signal, ...args).catch(() => undefined);
  }

  private async start(
    pages: readonly PageUnits[],
    flags: { isPaused: boolean; isHeld: boolean },
  ): Promise<ShardHandle> {
    const { workflowId } = workflowInfo();
    const first = pages[0]?.page ?? 0;
    const units = pages.reduce((sum, page) => sum + page.units, 0);
    for (;;) {
      try {
        return await startChild(shard, {
          workflowId: `${workflowId}/${first}`,
          args: [{ ...this.options, rootId: workflowId, pages, keepsMemo: true, ...flags }],
          // The root waits until nothing writes any more before it lets go of the destination.
          cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
          parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
          workflowTaskTimeout: SHARD_TASK_TIMEOUT,
          // Before its first unit has ended, too.
          memo: { totals: NO_TOTALS, failures: [] },
          staticSummary: `pages from ${first} on: ${units} units`,
        });
      } catch (error) {
        if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
        await sleep(EARLIER_SHARD_WAIT);
      }
    }
  }
}
