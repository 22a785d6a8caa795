/** `--reread`: what was written is read back past the page cache before it gets its name (design 4). */
import { fromPlainError, WaybillError } from '../model/errors.js';
import type { ManifestEntry } from '../manifest/index.js';
import type { CallContext } from './api.js';
import type { PullContext } from './pull-context.js';
import { Cell } from './thread/cell.js';
import type { ReadBackOutcome } from './thread/read-back.js';
import { watchCell } from './watch-cell.js';

/** A file on disk and what was written to it. */
export interface Written {
  readonly absolutePath: string;
  readonly entry: ManifestEntry;
}

/** What the disk said: the entry with that fact in it, or why the file must come again. */
export type ReadBackResult = { readonly entry: ManifestEntry } | { readonly error: WaybillError };

const COUNT_MS = 200;

/** Reads files back, one result for each, in order. Rejects with the signal's reason, or a failing disk's error. */
export async function readFilesBack(
  pull: PullContext,
  files: readonly Written[],
  context: CallContext,
): Promise<ReadBackResult[]> {
  if (files.length === 0) return [];
  const { progress, signal } = context;
  const { phase } = progress;
  progress.phase = 're-checking';
  const cell = new Cell();
  const unwatch = watchCell(cell, signal);
  const timer = setInterval(() => {
    progress.bytesChecked = cell.checkedBytes;
  }, COUNT_MS);
  try {
    const outcomes = await spread(pull, files, cell);
    signal.throwIfAborted();
    const results: ReadBackResult[] = [];
    for (const [index, { entry }] of files.entries()) {
      results.push(await judge(pull, entry, outcomes[index]));
    }
    return results;
  } finally {
    clearInterval(timer);
    unwatch();
    progress.phase = phase;
  }
}

async function spread(
  pull: PullContext,
  files: readonly Written[],
  cell: Cell,
): Promise<readonly (ReadBackOutcome | undefined)[]> {
  const threads = Math.min(pull.pool.threads, files.length);
  const outcomes: (ReadBackOutcome | undefined)[] = [];
  const shares = Array.from({ length: threads }, async (_, thread) => {
    const indices = [...files.keys()].filter((index) => index % threads === thread);
    const paths = indices.map((index) => files[index]?.absolutePath ?? '');
    const answers = await pull.pool.readBack({ cell: cell.memory, paths });
    for (const [position, index] of indices.entries()) outcomes[index] = answers[position];
  });
  await Promise.all(shares);
  return outcomes;
}

async function judge(
  pull: PullContext,
  entry: ManifestEntry,
  outcome: ReadBackOutcome | undefined,
): Promise<ReadBackResult> {
  if (outcome?.kind === 'failed') throw fromPlainError(outcome.error);
  if (outcome?.kind !== 'read') {
    throw new WaybillError('WB_UNEXPECTED', 'reading back was stopped', { path: entry.path });
  }
  if (outcome.sha256 !== entry.sha256) {
    const message =
      `sha256 ${entry.sha256} written, ${outcome.sha256} read back from the disk: ${entry.path}; ` +
      'the disk does not keep what it is given';
    const error = new WaybillError('WB_DIGEST_MISMATCH', message, {
      operation: 'read back',
      path: entry.path,
    });
    return { error };
  }
  if (outcome.why !== undefined) {
    const warning = `--reread could not pass the page cache by (${outcome.why}): memory may have answered`;
    await pull.journal.addWarning(pull.planId, warning);
  }
  return { entry: { ...entry, readBack: outcome.why === undefined ? 'disk' : 'cache' } };
}
