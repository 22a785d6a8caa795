/** Small files of a unit: whole, several at a time, spread over the threads. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
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
  const threads = Math.min(pull.pool.threads, permits, work.length);
  const cell = new Cell();
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
          concurrency: Math.max(1, Math.floor(permits / threads)),
          largeFromBytes: options.takesLarge ? Number.MAX_SAFE_INTEGER : LARGE_FROM_BYTES,
        });
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
    pull.limits.permits.give(permits);
    count();
  }
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
