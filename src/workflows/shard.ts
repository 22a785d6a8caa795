/** A part of a large pull: some pages of its plan, in a history of its own. */
import {
  continueAsNew,
  defineQuery,
  defineSignal,
  getExternalWorkflowHandle,
  setCurrentDetails,
  setHandler,
  upsertMemo,
  workflowInfo,
} from '@temporalio/workflow';
import { Gate } from './gate.js';
import {
  QUERIES,
  SIGNALS,
  type Block,
  type ShardBlocked,
  type ShardInput,
  type ShardMemo,
  type UnitTotals,
} from './messages.js';
import { UnitRunner } from './unit-runner.js';

const pauseSignal = defineSignal(SIGNALS.pause);
const resumeSignal = defineSignal(SIGNALS.resume);
const retryNowSignal = defineSignal(SIGNALS.retryNow);
const holdSignal = defineSignal<[boolean]>(SIGNALS.hold);
const shardBlockedSignal = defineSignal<[ShardBlocked]>(SIGNALS.shardBlocked);
const totalsQuery = defineQuery<UnitTotals>(QUERIES.shardTotals);

/** Tells the root why the lanes stand, or that they go on. A root that has ended needs no word. */
function tellRoot(rootId: string, said: Omit<ShardBlocked, 'shardId'>): void {
  const report: ShardBlocked = { shardId: workflowInfo().workflowId, ...said };
  getExternalWorkflowHandle(rootId)
    .signal(shardBlockedSignal, report)
    .catch(() => undefined);
}

/** Fetches the units of its pages; after about a thousand it goes on in a new run. */
export async function shard(input: ShardInput): Promise<UnitTotals> {
  const gate = new Gate();
  gate.isPaused = input.isPaused;
  gate.isHeld = input.isHeld;
  if (input.carried?.blocked !== undefined) gate.takeOver(input.carried.blocked);
  const kept = { failures: 0 };
  let lastMovedAtMs = Date.now();
  const host = {
    moved: (): void => {
      lastMovedAtMs = Date.now();
      if (input.keepsMemo !== true) return;
      const { failures, ...totals } = runner.totals;
      const isNews = failures.length !== kept.failures;
      kept.failures = failures.length;
      const memo: ShardMemo = { totals, ...(isNews ? { failures } : {}) };
      upsertMemo({ ...memo });
    },
    blocked: (block: Block, movedAtMs = 0): void => {
      lastMovedAtMs = Math.max(lastMovedAtMs, movedAtMs);
      tellRoot(input.rootId, { block, hasProgressed: false, movedAtMs: lastMovedAtMs });
    },
    unblocked: (): void => tellRoot(input.rootId, { hasProgressed: true }),
  };
  const isFull = (started: number): boolean =>
    started >= input.tuning.unitsPerRun || workflowInfo().continueAsNewSuggested;
  const runner: UnitRunner = new UnitRunner({ ...input, isFull }, gate, host);
  setHandler(pauseSignal, () => gate.pause());
  setHandler(resumeSignal, () => gate.resume());
  setHandler(retryNowSignal, () => void (gate.wakes += 1));
  setHandler(holdSignal, (isHeld) => void (gate.isHeld = isHeld));
  setHandler(totalsQuery, () => runner.totals);
  const first = input.pages[0]?.page ?? 0;
  const last = input.pages[input.pages.length - 1]?.page ?? first;
  setCurrentDetails(`Pages ${first} to ${last} of ${input.rootId}`);
  await runner.run();
  const carried = runner.left;
  if (carried === undefined) return runner.totals;
  return continueAsNew<typeof shard>({
    ...input,
    isPaused: gate.isPaused,
    isHeld: gate.isHeld,
    carried,
  });
}
