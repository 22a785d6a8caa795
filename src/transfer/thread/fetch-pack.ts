/** Fetches and proves the small files of a pack: what goes back is what the journal will say, not what led to it. */
import { unlinkSync } from 'node:fs';
import type { ManifestEntry } from '../../manifest/index.js';
import { headOfLine } from '../../manifest/plain-entry.js';
import { asWaybillError, toPlainError } from '../../model/errors.js';
import { LEVELS } from '../../model/level.js';
import type { Store } from '../../stores/store.js';
import type { PlanEntry } from '../plan/page.js';
import { prove } from '../prove.js';
import { fetchFiles } from './fetch-files.js';
import type { FetchPackOutcome, FetchPackTask, WholeFile, WholeFileOutcome } from './tasks.js';

/** Runs a FetchPackTask. Never rejects. */
export async function fetchPack(task: FetchPackTask, store: Store): Promise<FetchPackOutcome> {
  const { plans: text, partialPrefix, ...shared } = task;
  // Its page has proven the sum of each line, and whoever asks for the pack has read it.
  const plans = text.split('\n').map((line) => JSON.parse(line) as PlanEntry);
  const files = plans.map((plan, position) => wholeFileOf(plan, `${partialPrefix}-${position}`));
  const outcomes = await fetchFiles({ ...shared, files }, store);
  return columnsOf(task, plans, outcomes);
}

function columnsOf(
  task: FetchPackTask,
  plans: readonly PlanEntry[],
  outcomes: readonly WholeFileOutcome[],
): FetchPackOutcome {
  const proven: number[] = [];
  const heads: string[] = [];
  const sizes: number[] = [];
  const levels: number[] = [];
  const stamps: bigint[] = [];
  const warnings: string[] = [];
  const others: FetchPackOutcome['others'][number][] = [];
  for (const [position, plan] of plans.entries()) {
    const outcome = outcomes[position] ?? { kind: 'stopped' };
    if (outcome.kind !== 'fetched') {
      others.push({ position, outcome });
      continue;
    }
    try {
      const entry = proofOf(task, plan, outcome, warnings);
      heads.push(headOfLine(entry));
      proven.push(position);
      sizes.push(entry.sizeBytes);
      levels.push(LEVELS.indexOf(entry.level));
      stamps.push(BigInt(outcome.stamp.mtimeNs), BigInt(outcome.stamp.inode));
    } catch (error) {
      dropRefused(`${task.partialPrefix}-${position}`);
      const failed = { kind: 'failed' as const, error: toPlainError(asWaybillError(error)) };
      others.push({ position, outcome: failed });
    }
  }
  return {
    proven: Uint32Array.from(proven),
    heads: heads.join('\n'),
    sizes: Float64Array.from(sizes),
    levels: Uint8Array.from(levels),
    stamps: BigInt64Array.from(stamps),
    warnings,
    others,
  };
}

function proofOf(
  { attempts, required }: FetchPackTask,
  plan: PlanEntry,
  outcome: Extract<WholeFileOutcome, { kind: 'fetched' }>,
  warnings: string[],
): ManifestEntry {
  const proof = prove(plan, { ...outcome, attempts }, required);
  warnings.push(...proof.warnings);
  return proof.entry;
}

/** A file that is refused leaves nothing behind (rule 17); where even that fails, the refusal is what is told. */
function dropRefused(partialPath: string): void {
  try {
    unlinkSync(partialPath);
  } catch (error) {
    void error;
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
