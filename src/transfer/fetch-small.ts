/** Small files of a unit: whole, several at a time, spread over the threads. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { fromPlainError } from '../model/errors.js';
import { LEVELS } from '../model/level.js';
import type { CallContext } from './api.js';
import { makeFolderInside } from './durable-file.js';
import { LongFlush } from './long-flush.js';
import type { PlanEntry } from './plan/page.js';
import type { Publishable } from './publish.js';
import type { PullContext } from './pull-context.js';
import { LARGE_FROM_BYTES } from './plan/units.js';
import { takePermits } from './take-permits.js';
import { Cell } from './thread/cell.js';
import type { FetchPackOutcome } from './thread/tasks.js';
import { watchCell } from './watch-cell.js';

/** Connections that one pack asks for before it starts. */
const CONNECTIONS = 16;

/** Files that it has under way at most, where more of the pull's connections are free: the last pack of a long way has them all. */
const LANES = 64;

/** One planned file, and its text in its page. */
export interface SmallFile {
  readonly plan: PlanEntry;
  readonly text: string;
}

/** How files went. */
export interface SmallResult {
  /** Those that are proven and flushed. */
  readonly ready: readonly Publishable[];
  /** Those that are not, each with its own outcome. */
  readonly others: readonly {
    readonly plan: PlanEntry;
    readonly outcome: FetchPackOutcome['others'][number]['outcome'];
  }[];
  readonly warnings: readonly string[];
}

/**
 * Fetches whole files into partials of their own, and proves them. Rejects with the signal's reason on an abort, after the
 * threads have ended.
 */
export async function fetchSmall(
  pull: PullContext,
  work: readonly SmallFile[],
  context: CallContext,
  options: { readonly takesLarge: boolean } = { takesLarge: false },
): Promise<SmallResult> {
  await makeFolderInside(pull.partialDir);
  const prefix = join(pull.partialDir, randomBytes(6).toString('hex'));
  const { requireLevel, acceptUnprovenLength } = pull.record.request;
  const permits = await takePermits(pull, Math.min(CONNECTIONS, work.length), context);
  // More lanes than permits: where more connections turn out to be worth having, this pack takes its part of them.
  const lanes = Math.min(LANES, work.length);
  const threads = Math.min(pull.pool.threads, lanes);
  const cell = new Cell();
  const uncount = pull.limits.watch(cell);
  const unwatch = watchCell(cell, context.signal);
  const { progress } = context;
  const base = { files: progress.filesDone, bytes: progress.bytesDone, heldMs: progress.heldMs };
  const fetchedBefore = progress.bytesFetched ?? 0;
  const flush = new LongFlush(progress);
  const count = (): void => {
    progress.filesDone = base.files + cell.files;
    progress.bytesDone = base.bytes + cell.bytes;
    progress.bytesFetched = fetchedBefore + cell.bytes;
    progress.heldMs = base.heldMs + cell.heldMs + pull.limits.heldMs;
    progress.awaitsSource = cell.isAwaiting;
    flush.show(cell.isFlushing);
  };
  const timer = setInterval(count, 200);
  try {
    const shares = Array.from({ length: threads }, (_, thread) =>
      work.filter((_file, index) => index % threads === thread),
    );
    const answers = await Promise.all(
      shares.map(async (share, thread) => {
        const partialPrefix = `${prefix}-${thread}`;
        const outcome = await pull.pool.fetchPack({
          address: pull.address,
          round: pull.round,
          cell: cell.memory,
          pace: pull.limits.pace,
          plans: share.map(({ text }) => text).join('\n'),
          partialPrefix,
          attempts: context.attempt,
          required: { requireLevel, acceptUnprovenLength },
          concurrency: Math.ceil(lanes / threads),
          largeFromBytes: options.takesLarge ? Number.MAX_SAFE_INTEGER : LARGE_FROM_BYTES,
        });
        noteAnswers(pull, outcome);
        return resultOf(share, partialPrefix, outcome);
      }),
    );
    return {
      ready: answers.flatMap(({ ready }) => ready),
      others: answers.flatMap(({ others }) => others),
      warnings: answers.flatMap(({ warnings }) => warnings),
    };
  } catch (error) {
    pull.limits.threadDied();
    throw error;
  } finally {
    clearInterval(timer);
    unwatch();
    uncount();
    pull.limits.permits.give(permits);
    count();
    // Of a thread that died in the middle of one the count still says so.
    flush.show(false);
  }
}

/** What the source makes of so many requests at once. */
function noteAnswers({ limits }: PullContext, { proven, others }: FetchPackOutcome): void {
  for (let count = 0; count < proven.length; count += 1) limits.noteAnswer();
  for (const { outcome } of others) {
    if (outcome.kind === 'failed') limits.noteAnswer(fromPlainError(outcome.error));
  }
}

/** The files of a share that are proven, and the others. */
function resultOf(
  share: readonly SmallFile[],
  prefix: string,
  pack: FetchPackOutcome,
): SmallResult {
  const { proven, sizes, levels, stamps } = pack;
  const heads = pack.heads.split('\n');
  const ready: Publishable[] = [];
  for (const [at, position] of proven.entries()) {
    const plan = share[position]?.plan;
    const sizeBytes = sizes[at] ?? 0;
    if (plan === undefined) continue;
    const { path, replaces } = plan;
    ready.push({
      partialPath: `${prefix}-${position}`,
      path,
      sizeBytes,
      level: LEVELS[levels[at] ?? 0] ?? 'none',
      head: heads[at] ?? '',
      stamp: {
        mtimeNs: String(stamps[at * 2]),
        inode: String(BigInt.asUintN(64, stamps[at * 2 + 1] ?? 0n)),
      },
      bytesFetched: sizeBytes,
      ...(replaces === undefined ? {} : { replaces }),
    });
  }
  const others = pack.others.flatMap(({ position, outcome }) => {
    const plan = share[position]?.plan;
    return plan === undefined ? [] : [{ plan, outcome }];
  });
  return { ready, others, warnings: pack.warnings };
}
