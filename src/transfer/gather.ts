/** What a pull has brought: plan and journal held together, and what an earlier pull left that is in neither. */
import { join } from 'node:path';
import type { ManifestEntry } from '../manifest/index.js';
import type { Failure } from '../model/pull.js';
import type { CallContext } from './api.js';
import { isOfPlan } from './journal.js';
import { lastManifest, type LastManifest } from './last-manifest.js';
import { filterOf, isFiltered } from './plan/filters.js';
import { AS_RECORDED, planDirOf, readPages, type PlanEntry } from './plan/page.js';
import { hashFile } from './plan-pull.js';
import { pruneFile, type PruneContext } from './prune.js';
import type { PullContext } from './pull-context.js';
import { fileOf, lookAt } from './take-name.js';

/** What the plan and the journal say together. */
export interface Outcome {
  /** Files in place, in the order of the plan. */
  readonly entries: ManifestEntry[];
  readonly failures: Failure[];
  readonly filesFetched: number;
  readonly bytesFetched: number;
  readonly filesKept: number;
  /** Files that were left alone (`--if-exists skip`). */
  readonly skipped: readonly string[];
  /** Planned, and not come to; only of a pull that was ended. */
  readonly filesLeft: number;
  readonly planned: ReadonlySet<string>;
  /** What the pull before this one left. */
  readonly last: LastManifest;
}

/** Files looked at at once; more only queue up in Node's four file system threads. */
const BATCH = 64;

/**
 * Joins plan and journal. Whatever is planned and neither in place nor failed is a failure too, unless the pull was ended
 * before it was through: then the plan may be incomplete as well.
 */
export async function gather(
  pull: PullContext,
  context: CallContext,
  { isEnded }: { readonly isEnded: boolean } = { isEnded: false },
): Promise<Outcome> {
  const entries: ManifestEntry[] = [];
  const failures: Failure[] = [];
  const planned = new Set<string>();
  const skipped: string[] = [];
  const counts = { filesFetched: 0, bytesFetched: 0, filesKept: 0, filesLeft: 0 };
  const planDir = planDirOf(pull.ref.recordDir, pull.planId);
  const last = await lastManifest(pull.ref.recordDir, pull.last);
  for await (const page of readPages(planDir, { mayBeCut: isEnded })) {
    const files = page.entries.filter(({ kind }) => kind === 'file');
    for (let from = 0; from < files.length; from += BATCH) {
      const batch = files.slice(from, from + BATCH);
      context.progress.name = batch[0]?.path ?? '';
      const found = await Promise.all(batch.map((entry) => settle(pull, last, entry)));
      for (const [index, one] of found.entries()) {
        const { path, action } = batch[index] ?? { path: '', action: 'fetch' };
        planned.add(path);
        if (action === 'skip') skipped.push(path);
        if (isEnded && one?.isMissing === true) counts.filesLeft += 1;
        else if (one?.failure !== undefined) failures.push(one.failure);
        if (one?.entry === undefined) continue;
        entries.push(one.entry);
        if (action === 'keep') counts.filesKept += 1;
        else {
          counts.filesFetched += 1;
          counts.bytesFetched += one.bytesFetched ?? 0;
        }
      }
    }
  }
  for (const { path, code, message } of pull.journal.failures(pull.planId)) {
    failures.push({ path, code, message });
  }
  return { entries, failures, ...counts, skipped, planned, last };
}

interface Settled {
  readonly entry?: ManifestEntry;
  readonly bytesFetched?: number;
  readonly failure?: Failure;
  /** It was never fetched. */
  readonly isMissing?: true;
}

async function settle(
  pull: PullContext,
  last: LastManifest,
  entry: PlanEntry,
): Promise<Settled | undefined> {
  if (pull.journal.failed(entry.path)?.planId === pull.planId) return undefined;
  if (entry.action === 'keep' && entry.kept !== undefined) {
    const kept = entry.kept === AS_RECORDED ? last.entries.get(entry.path) : entry.kept;
    if (kept !== undefined) return inPlace(pull, kept, 0);
    const message = `the record of ${entry.path} was removed while the pull ran`;
    return { failure: { path: entry.path, code: 'WB_LOCAL_DAMAGE', message } };
  }
  if (entry.action !== 'fetch') return undefined;
  const line = pull.journal.fetched(entry.path);
  if (line === undefined || !isOfPlan(line, { ...entry, planId: pull.planId })) {
    const message = 'it was never fetched';
    return { failure: { path: entry.path, code: 'WB_UNEXPECTED', message }, isMissing: true };
  }
  return inPlace(pull, line.entry, line.bytesFetched);
}

/** The record claims only what is there: somebody may have been at it since. */
async function inPlace(
  pull: PullContext,
  entry: ManifestEntry,
  bytesFetched: number,
): Promise<Settled> {
  if ((await pull.inPlace(entry)) !== undefined) return { entry, bytesFetched };
  const message = `${entry.path} was changed or removed while the pull ran`;
  return { failure: { path: entry.path, code: 'WB_LOCAL_DAMAGE', message } };
}

/** What is left of earlier pulls. */
export interface Leftovers {
  /** Lines for the manifest, marked: Waybill wrote these files, and this pull has not brought them. */
  readonly lines: ManifestEntry[];
  /** Those that the source no longer has. */
  readonly stale: string[];
  readonly pruned: string[];
}

/**
 * Files that an earlier pull wrote and that this one has not brought. Those that the source no longer has are stale, and
 * `--prune` removes them after a complete, unfiltered listing.
 */
export async function leftoversOf(
  pull: PullContext,
  outcome: Outcome,
  context: CallContext,
  { isEnded }: { readonly isEnded: boolean } = { isEnded: false },
): Promise<Leftovers> {
  const { request } = pull.record;
  const mayPrune =
    !isEnded && request.prune && !isFiltered(request.filters) && outcome.failures.length === 0;
  const pruning: PruneContext = {
    filesRoot: pull.layout.filesRoot,
    partialDir: pull.partialDir,
    hashFile: (path, sizeBytes) => hashFile(pull, path, sizeBytes),
  };
  const isWanted = filterOf(request.filters);
  const brought = new Set(outcome.entries.map(({ path }) => path));
  const lines: ManifestEntry[] = [];
  const stale: string[] = [];
  const pruned: string[] = [];
  for (const entry of writtenBefore(pull, outcome.last)) {
    const { path } = entry;
    if (brought.has(path)) continue;
    // Neither a listing that was cut nor one that was filtered tells what the source no longer has.
    const isStale = !isEnded && !outcome.planned.has(path) && isWanted(path);
    if (mayPrune && isStale) {
      context.signal.throwIfAborted();
      context.progress.name = path;
      if (await pruneFile(pruning, entry)) {
        pruned.push(path);
        continue;
      }
    }
    const isThere = await lookAt(join(pull.layout.filesRoot, path)).catch(() => undefined);
    if (fileOf(isThere) === undefined) continue;
    lines.push(markedLine(entry, isStale));
    if (isStale) stale.push(path);
  }
  return { lines, stale, pruned };
}

/** The line of a file that is in no count; the very one that was there, where it says so already. */
function markedLine(entry: ManifestEntry, isStale: boolean): ManifestEntry {
  if (entry.isStale === true && (entry.isLeft === true) === !isStale) return entry;
  const { isLeft: _, ...rest } = entry;
  return { ...rest, isStale: true, ...(isStale ? {} : { isLeft: true as const }) };
}

/** The last manifest, and what interrupted pulls since have brought. */
function writtenBefore(pull: PullContext, last: LastManifest): Iterable<ManifestEntry> {
  const written = new Map(last.entries);
  for (const { entry } of pull.journal.allFetched()) written.set(entry.path, entry);
  return written.values();
}
