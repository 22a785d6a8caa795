/** What a pull has brought: plan and journal held together, and what an earlier pull left that is in neither. */
import { join } from 'node:path';
import { encodeManifestLine, LateFolders, type ManifestEntry } from '../manifest/index.js';
import type { Failure } from '../model/pull.js';
import type { CallContext } from './api.js';
import { Capped } from './capped.js';
import type { FetchedFacts } from './fetched-facts.js';
import { isOfPlan, type PublishedFile } from './line-fits.js';
import { lastManifest, type LastManifest } from './last-manifest.js';
import { RECORD_NAMES } from './layout.js';
import { SortedLines } from './lines/sorted-lines.js';
import { filterOf, isFiltered } from './plan/filters.js';
import { AS_RECORDED, planDirOf, readPages, type PlanEntry, type PlanPage } from './plan/page.js';
import { hashFile } from './hash-local-file.js';
import { pruneFile, type PruneContext } from './prune.js';
import type { PullContext } from './pull-context.js';
import { fileOf, lookAt } from './take-name.js';

/** In the place of a manifest line: the one of the last manifest stands as it is. */
export const UNCHANGED = '';

/** What the plan and the journal say together. The lines lie on disk where they are many. */
export interface Outcome {
  /** Manifest lines of the files in place, and of what is left of earlier pulls; `UNCHANGED` for those of the last manifest. */
  readonly lines: SortedLines;
  /** Of these lines, where they came in order. */
  readonly late: LateFolders;
  /** Files in place. */
  files: number;
  /** Of these, those of level `digest`. */
  digestFiles: number;
  /** Lines that are `UNCHANGED`, and all lines. */
  unchangedLines: number;
  allLines: number;
  readonly failures: Capped<Failure>;
  filesFetched: number;
  bytesFetched: number;
  filesKept: number;
  /** Files that were left alone (`--if-exists skip`). */
  readonly skipped: Capped<string>;
  /** Planned, and not come to; only of a pull that was ended. */
  filesLeft: number;
  /** Of the files in place, those that were read back. */
  readonly readBack: { disk: number; cache: number };
  /** What the pull before this one left. */
  readonly last: LastManifest;
}

/** Files settled at once: worth a message to the thread that looks at their names, and gone before a collection keeps them. */
const BATCH = 128;

function startOutcome(pull: PullContext, last: LastManifest): Outcome {
  return {
    lines: new SortedLines(join(pull.ref.recordDir, RECORD_NAMES.sorting)),
    late: new LateFolders(),
    failures: new Capped(),
    skipped: new Capped(),
    readBack: { disk: 0, cache: 0 },
    last,
    ...{ files: 0, digestFiles: 0, unchangedLines: 0, allLines: 0 },
    ...{ filesFetched: 0, bytesFetched: 0, filesKept: 0, filesLeft: 0 },
  };
}

/**
 * Joins plan and journal. Whatever is planned and neither in place nor failed is a failure too, unless the pull was ended
 * before it was through: then the plan may be incomplete as well. The caller drops `lines`, also after a failure.
 */
export async function gather(
  pull: PullContext,
  context: CallContext,
  { isEnded }: { readonly isEnded: boolean } = { isEnded: false },
): Promise<Outcome> {
  const last = await lastManifest(pull.ref.recordDir, pull.last);
  last.forgetNotes();
  const outcome = startOutcome(pull, last);
  const planDir = planDirOf(pull.ref.recordDir, pull.planId);
  for await (const page of readPages(planDir, { mayBeCut: isEnded })) {
    for await (const { batch, found } of settledOf(pull, last, page)) {
      context.progress.name = batch[0]?.path ?? '';
      for (const [position, entry] of batch.entries()) {
        const spilled = take(outcome, pull, entry, found[position], isEnded);
        if (spilled !== undefined) await spilled;
      }
    }
  }
  for await (const { path, code, message } of pull.journal.failures(pull.planId)) {
    outcome.failures.add({ path, code, message });
  }
  return outcome;
}

/** The files of a page, some at a time. */
function* batchesOf(page: PlanPage): Generator<readonly PlanEntry[]> {
  let batch: PlanEntry[] = [];
  for (const entry of page.entries()) {
    if (entry.kind === 'file') batch.push(entry);
    if (batch.length < BATCH) continue;
    yield batch;
    batch = [];
  }
  yield batch;
}

interface SettledBatch {
  readonly batch: readonly PlanEntry[];
  readonly found: readonly (Settled | undefined)[];
}

/** Each batch settled; the names of the next one are looked at while one is worked on. */
async function* settledOf(
  pull: PullContext,
  last: LastManifest,
  page: PlanPage,
): AsyncGenerator<SettledBatch> {
  let settling: Promise<SettledBatch> | undefined;
  for (const batch of batchesOf(page)) {
    const next = settle(pull, last, batch).then((found) => ({ batch, found }));
    // Its failure is thrown where its turn comes.
    next.catch(() => undefined);
    if (settling !== undefined) yield await settling;
    settling = next;
  }
  if (settling !== undefined) yield await settling;
}

/** A promise where some lines must be written first. */
function take(
  outcome: Outcome,
  pull: PullContext,
  { path, action }: PlanEntry,
  found: Settled | undefined,
  isEnded: boolean,
): Promise<void> | undefined {
  const entry = found?.entry;
  outcome.last.note(path, entry !== undefined);
  pull.journal.note(path, entry !== undefined);
  if (action === 'skip') outcome.skipped.add(path);
  if (isEnded && found?.isMissing === true) outcome.filesLeft += 1;
  else if (found?.failure !== undefined) outcome.failures.add(found.failure);
  if (entry === undefined) return undefined;
  outcome.files += 1;
  if (entry.level === 'digest') outcome.digestFiles += 1;
  if (entry.readBack !== undefined) outcome.readBack[entry.readBack] += 1;
  if (action === 'keep') outcome.filesKept += 1;
  else {
    outcome.filesFetched += 1;
    outcome.bytesFetched += found?.bytesFetched ?? 0;
  }
  return addLine(outcome, path, found?.line ?? UNCHANGED);
}

function addLine(outcome: Outcome, path: string, line: string): Promise<void> | undefined {
  outcome.allLines += 1;
  if (line === UNCHANGED) outcome.unchangedLines += 1;
  outcome.late.pass(path);
  return outcome.lines.add(path, line);
}

interface Settled {
  readonly entry?: PublishedFile & Pick<ManifestEntry, 'level' | 'readBack'>;
  /** Its manifest line; `UNCHANGED`: that of the last manifest. */
  readonly line?: string;
  readonly bytesFetched?: number;
  readonly failure?: Failure;
  /** It was never fetched. */
  readonly isMissing?: true;
}

/** What is known of each file, and whether that is there: the record claims no more, somebody may have been at it since. */
async function settle(
  pull: PullContext,
  last: LastManifest,
  entries: readonly PlanEntry[],
): Promise<(Settled | undefined)[]> {
  const { journal } = pull;
  const wanted = entries.filter(({ action }) => action === 'fetch');
  const lines = await journal.factsOf(wanted.map(({ path }) => path));
  const lineOf = new Map(wanted.map((entry, index) => [entry, lines[index]]));
  const settled: (Settled | undefined)[] = [];
  for (const entry of entries) {
    // Hardly any has failed, or needs an answer that has to be waited for.
    const hasFailed = journal.hasFailed(entry.path) && (await journal.failed(entry.path));
    const isFailed = hasFailed !== false && hasFailed?.planId === pull.planId;
    if (isFailed) settled.push(undefined);
    else if (entry.action === 'fetch') settled.push(ofLine(pull, entry, lineOf.get(entry)));
    else settled.push(await ofKept(last, entry));
  }
  const claimed = settled.flatMap((one) => (one?.entry === undefined ? [] : [one.entry]));
  const inPlace = await pull.areInPlace(claimed);
  let next = 0;
  return settled.map((one) => {
    if (one?.entry === undefined) return one;
    next += 1;
    if (inPlace[next - 1] === true) return one;
    const { path } = one.entry;
    const message = `${path} was changed or removed while the pull ran`;
    return { failure: { path, code: 'WB_LOCAL_DAMAGE', message } };
  });
}

async function ofKept(last: LastManifest, entry: PlanEntry): Promise<Settled | undefined> {
  if (entry.action === 'keep' && entry.kept !== undefined) {
    const isUnchanged = entry.kept === AS_RECORDED;
    const kept = entry.kept === AS_RECORDED ? await last.get(entry.path) : entry.kept;
    if (kept !== undefined) {
      const line = isUnchanged ? UNCHANGED : encodeManifestLine(kept).trimEnd();
      return { entry: kept, line, bytesFetched: 0 };
    }
    const message = `the record of ${entry.path} was removed while the pull ran`;
    return { failure: { path: entry.path, code: 'WB_LOCAL_DAMAGE', message } };
  }
  return undefined;
}

function ofLine(pull: PullContext, entry: PlanEntry, line: FetchedFacts | undefined): Settled {
  if (line === undefined || !isOfPlan(line, { ...entry, planId: pull.planId })) {
    const message = 'it was never fetched';
    return { failure: { path: entry.path, code: 'WB_UNEXPECTED', message }, isMissing: true };
  }
  return line;
}

/** What is left of earlier pulls. */
export interface Leftovers {
  /** Those that the source no longer has. */
  readonly stale: Capped<string>;
  readonly pruned: Capped<string>;
}

/**
 * Files that an earlier pull wrote and that this one has not brought: their lines go to the others, marked. Those that the
 * source no longer has are stale, and `--prune` removes them after a complete, unfiltered listing.
 */
export async function leftoversOf(
  pull: PullContext,
  outcome: Outcome,
  context: CallContext,
  { isEnded }: { readonly isEnded: boolean } = { isEnded: false },
): Promise<Leftovers> {
  const { request } = pull.record;
  const mayPrune =
    !isEnded && request.prune && !isFiltered(request.filters) && outcome.failures.count === 0;
  const pruning: PruneContext = {
    filesRoot: pull.layout.filesRoot,
    partialDir: pull.partialDir,
    hashFile: (path, sizeBytes) => hashFile(pull, path, sizeBytes, context),
    pool: pull.pool,
  };
  const isWanted = filterOf(request.filters);
  const stale = new Capped<string>();
  const pruned = new Capped<string>();
  for await (const { entry, isPlanned, isRecorded } of writtenBefore(pull, outcome.last)) {
    const { path } = entry;
    // Neither a listing that was cut nor one that was filtered tells what the source no longer has.
    const isStale = !isEnded && !isPlanned && isWanted(path);
    if (mayPrune && isStale) {
      context.signal.throwIfAborted();
      context.progress.name = path;
      if (await pruneFile(pruning, entry)) {
        pruned.add(path);
        continue;
      }
    }
    const isThere = await lookAt(join(pull.layout.filesRoot, path)).catch(() => undefined);
    if (fileOf(isThere) === undefined) continue;
    const marked = markedLine(entry, isStale);
    const isUnchanged = isRecorded && marked === entry;
    const line = isUnchanged ? UNCHANGED : encodeManifestLine(marked).trimEnd();
    const spilled = addLine(outcome, path, line);
    if (spilled !== undefined) await spilled;
    if (isStale) stale.add(path);
  }
  return { stale, pruned };
}

/** The line of a file that is in no count; the very one that was there, where it says so already. */
function markedLine(entry: ManifestEntry, isStale: boolean): ManifestEntry {
  if (entry.isStale === true && (entry.isLeft === true) === !isStale) return entry;
  const { isLeft: _, ...rest } = entry;
  return { ...rest, isStale: true, ...(isStale ? {} : { isLeft: true as const }) };
}

interface Written {
  readonly entry: ManifestEntry;
  readonly isPlanned: boolean;
  /** It is the line of the last manifest, not that of a pull that was interrupted since. */
  readonly isRecorded: boolean;
}

/** What the last manifest, and interrupted pulls since, have of files that this pull has not brought. */
async function* writtenBefore(pull: PullContext, last: LastManifest): AsyncGenerator<Written> {
  for await (const { entry, isPlanned } of last.beside()) {
    const line = await pull.journal.fetched(entry.path);
    pull.journal.note(entry.path, true);
    yield { entry: line?.entry ?? entry, isPlanned, isRecorded: line === undefined };
  }
  for await (const written of pull.journal.fetchedBeside()) yield { ...written, isRecorded: false };
}
