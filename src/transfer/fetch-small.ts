/** Small files of a unit: whole, several at a time, spread over the threads. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { fromPlainError } from '../model/errors.js';
import type { CallContext } from './api.js';
import { makeFolderInside } from './durable-file.js';
import type { PlanEntry } from './plan/page.js';
import type { PullContext } from './pull-context.js';
import { LARGE_FROM_BYTES } from './plan/units.js';
import { takePermits } from './take-permits.js';
import { Cell } from './thread/cell.js';
import type { WholeFile, WholeFileOutcome } from './thread/tasks.js';
import { watchCell } from './watch-cell.js';

/** Connections that one pack may use. */
const CONNECTIONS = 16;

/** One planned file and where its bytes went. */
export interface SmallOutcome {
  readonly plan: PlanEntry;
  readonly partialPath: string;
  readonly outcome: WholeFileOutcome;
}

/**
 * Fetches whole files into partials of their own. Each gets its own outcome; rejects with the signal's reason on
 * an abort, after the threads have ended.
 */
export async function fetchSmall(
  pull: PullContext,
  plans: readonly PlanEntry[],
  context: CallContext,
  options: { readonly takesLarge: boolean } = { takesLarge: false },
): Promise<SmallOutcome[]> {
  await makeFolderInside(pull.partialDir);
  const prefix = randomBytes(6).toString('hex');
  const work = plans.map((plan, index) => ({
    plan,
    partialPath: join(pull.partialDir, `${prefix}-${index}`),
  }));
  const permits = await takePermits(pull, Math.min(CONNECTIONS, work.length), context);
  // More lanes than permits: where more connections turn out to be worth having, this pack takes its part of them.
  const lanes = Math.min(CONNECTIONS, work.length);
  const threads = Math.min(pull.pool.threads, lanes);
  const cell = new Cell();
  const uncount = pull.limits.watch(cell);
  const unwatch = watchCell(cell, context.signal);
  const { progress } = context;
  const base = { files: progress.filesDone, bytes: progress.bytesDone, heldMs: progress.heldMs };
  const fetchedBefore = progress.bytesFetched ?? 0;
  const count = (): void => {
    progress.filesDone = base.files + cell.files;
    progress.bytesDone = base.bytes + cell.bytes;
    progress.bytesFetched = fetchedBefore + cell.bytes;
    progress.heldMs = base.heldMs + cell.heldMs + pull.limits.heldMs;
  };
  const timer = setInterval(count, 200);
  try {
    const shares = Array.from({ length: threads }, (_, thread) =>
      work.filter((_file, index) => index % threads === thread),
    );
    const answers = await Promise.all(
      shares.map(async (share) => {
        const outcomes = await pull.pool.fetchFiles({
          address: pull.address,
          round: pull.round,
          cell: cell.memory,
          pace: pull.limits.pace,
          files: share.map(({ plan, partialPath }) => wholeFileOf(plan, partialPath)),
          concurrency: Math.ceil(lanes / threads),
          largeFromBytes: options.takesLarge ? Number.MAX_SAFE_INTEGER : LARGE_FROM_BYTES,
        });
        for (const outcome of outcomes) noteAnswer(pull, outcome);
        return share.map((file, index) => ({
          ...file,
          outcome: outcomes[index] ?? { kind: 'stopped' as const },
        }));
      }),
    );
    return answers.flat();
  } catch (error) {
    pull.limits.threadDied();
    throw error;
  } finally {
    clearInterval(timer);
    unwatch();
    uncount();
    pull.limits.permits.give(permits);
    count();
  }
}

/** What the source makes of so many requests at once. */
function noteAnswer({ limits }: PullContext, outcome: WholeFileOutcome): void {
  if (outcome.kind === 'fetched') limits.noteAnswer();
  else if (outcome.kind === 'failed') limits.noteAnswer(fromPlainError(outcome.error));
}

function wholeFileOf(plan: PlanEntry, partialPath: string): WholeFile {
  return {
    sourcePath: plan.sourcePath ?? plan.path,
    partialPath,
    ...(plan.sizeBytes === undefined ? {} : { sizeBytes: plan.sizeBytes }),
    ...(plan.pin === undefined ? {} : { pin: plan.pin }),
    ...(plan.digests === undefined ? {} : { digests: plan.digests }),
    ...(plan.modifiedAt === undefined ? {} : { modifiedAt: plan.modifiedAt }),
    ...(plan.isExecutable === undefined ? {} : { isExecutable: plan.isExecutable }),
  };
}
