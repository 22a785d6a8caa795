/** One unit of work: what the journal lacks is fetched, proven and published. */
import { rm } from 'node:fs/promises';
import type { ManifestEntry } from '../manifest/index.js';
import { headOfLine } from '../manifest/plain-entry.js';
import { asWaybillError, fromPlainError, WaybillError } from '../model/errors.js';
import type { LevelCounts } from '../model/level.js';
import type { CallContext, UnitRef, UnitResult } from './api.js';
import { fetchLarge, type LargeFile } from './fetch-large.js';
import { fetchSmall, type SmallResult } from './fetch-small.js';
import { withLateDigests } from './late-digests.js';
import { dropPartial } from './partial.js';
import { doneBytes, isRefused } from './in-place.js';
import type { PlanEntry } from './plan/page.js';
import { hasWrongBytes } from '../model/error-table.js';
import { LARGE_FROM_BYTES } from './plan/units.js';
import { prove, type Arrived } from './prove.js';
import { publish, type Publishable } from './publish.js';
import type { PullContext } from './pull-context.js';
import { readFilesBack } from './read-back.js';
import { observedOf } from './thread/observed.js';
import type { Observed } from './thread/tasks.js';

/** More file-scoped errors than this in one pack, and it stays whole (rule 26). */
const MAX_EXPELLED = 10;

/** Small files that are published together, while the next ones come: what a kill makes come again stays small. */
const PIECE_FILES = 512;

/** How a unit stands, while it is worked on. */
interface Tally {
  ready: Publishable[];
  /** Errors of single files, by their index in the page. */
  readonly failed: Map<number, WaybillError>;
  /** The error that concerns more than a file. */
  wide: WaybillError | undefined;
  bytesFetched: number;
  /** Bytes of the files that are in place, whoever brought them. */
  bytesInPlace: number;
}

/** Runs a unit; see TransferEngine.fetchUnit. */
export async function fetchUnit(
  pull: PullContext,
  unit: UnitRef,
  context: CallContext,
): Promise<UnitResult> {
  const { attempt } = context;
  const page = await pull.page(unit.page);
  const planned = page.units[unit.unit];
  if (planned === undefined)
    throw new WaybillError('WB_UNEXPECTED', `no unit ${unit.unit} in the plan`);
  const indices = unit.entry === undefined ? planned.entries : [unit.entry];
  const wanted = indices.flatMap((index) => {
    const entry = page.entry(index);
    return entry.action === 'fetch' ? [{ index, entry, text: page.text(index) }] : [];
  });
  const { progress } = context;
  progress.phase = 'fetching';
  progress.filesTotal = wanted.length;
  progress.bytesTotal = wanted.reduce((total, { entry }) => total + (entry.sizeBytes ?? 0), 0);
  progress.name = wanted[0]?.entry.path ?? '';
  const tally: Tally = {
    ready: [],
    failed: new Map(),
    wide: undefined,
    bytesFetched: 0,
    bytesInPlace: 0,
  };
  const missing: typeof wanted = [];
  for (const file of wanted) {
    // Of most files nothing is written down yet: thousands of answers that nobody needs to wait for.
    if (!pull.journal.knows(file.entry.path)) {
      missing.push(file);
      continue;
    }
    const bytes = await doneBytes(pull, file.entry);
    if (bytes !== undefined) {
      progress.filesDone += 1;
      progress.bytesDone += bytes;
      progress.filesFound = progress.filesDone;
      progress.bytesFound = progress.bytesDone;
      tally.bytesInPlace += bytes;
    } else if (!(await isRefused(pull, file.entry))) missing.push(file);
  }
  const isLarge = ({ entry }: { entry: PlanEntry }): boolean =>
    (entry.sizeBytes ?? 0) >= LARGE_FROM_BYTES;
  const small = missing.filter((file) => !isLarge(file));
  await fetchInPieces(pull, small, attempt, tally, context);
  for (const file of missing.filter(isLarge)) {
    if (tally.wide === undefined)
      await fetchOneLarge(pull, file, undefined, attempt, tally, context);
  }
  await flushing(publishReady(pull, wanted, tally, context), context);
  context.signal.throwIfAborted();
  if ([...tally.failed.values()].some(({ code }) => hasWrongBytes(code))) pull.startNewRound();
  return resultOf(wanted, tally);
}

/** A file of the unit: where its entry is in the page, and the text that it is read from. */
interface WantedFile {
  readonly index: number;
  readonly entry: PlanEntry;
  readonly text: string;
}

type Wanted = readonly WantedFile[];

/** Fetches small files; all but the last piece of them are published when it ends. */
async function fetchInPieces(
  pull: PullContext,
  files: Wanted,
  attempt: number,
  tally: Tally,
  context: CallContext,
): Promise<void> {
  let publishing: Promise<void> = Promise.resolve();
  for (let from = 0; from < files.length; from += PIECE_FILES) {
    const piece = files.slice(from, from + PIECE_FILES);
    const fetching = fetchWhole(pull, piece, attempt, tally, context);
    // Both have ended before either failure is told: nothing writes any more.
    await Promise.allSettled([fetching]);
    await flushing(publishing, context);
    await fetching;
    if (tally.wide !== undefined || context.signal.aborted) break;
    if (from + PIECE_FILES >= files.length) break;
    publishing = publishReady(pull, piece, tally, context);
    // It is told where it is waited for.
    publishing.catch(() => undefined);
  }
}

/** While nothing is left but to wait for the disk, no byte is missed (rule 27). */
async function flushing(publishing: Promise<void>, { progress }: CallContext): Promise<void> {
  const { phase } = progress;
  progress.phase = 'flushing';
  await publishing.finally(() => {
    progress.phase = phase;
  });
}

async function fetchWhole(
  pull: PullContext,
  files: Wanted,
  attempt: number,
  tally: Tally,
  context: CallContext,
): Promise<void> {
  if (files.length === 0) return;
  const work = files.map(({ entry, text }) => ({ plan: entry, text }));
  const others = await takeSmall(pull, await fetchSmall(pull, work, context), tally);
  const fileOf = new Map(others.length === 0 ? [] : files.map((file) => [file.entry, file]));
  for (const { plan, outcome } of others) {
    const file = fileOf.get(plan);
    if (file === undefined) continue;
    if (outcome.kind === 'failed') note(tally, file.index, fromPlainError(outcome.error));
    else if (outcome.kind === 'large') {
      await fetchOneLarge(pull, file, outcome.observed, attempt, tally, context);
    }
  }
}

/** Takes the small files that are proven; answers the others. */
async function takeSmall(
  pull: PullContext,
  { ready, others, warnings }: SmallResult,
  tally: Tally,
): Promise<SmallResult['others']> {
  for (const warning of warnings) await pull.journal.addWarning(pull.planId, warning);
  tally.ready.push(...ready);
  for (const { sizeBytes } of ready) tally.bytesFetched += sizeBytes;
  return others;
}

/** Proves what arrived; a file that is refused leaves nothing behind (rule 17). */
async function take(
  pull: PullContext,
  index: number,
  plan: PlanEntry,
  partialPath: string,
  arrived: Arrived & {
    readonly stamp: { readonly inode: string; readonly mtimeNs: string };
    readonly hasSidecar?: true;
  },
  bytesFetched: number,
  tally: Tally,
): Promise<void> {
  try {
    const proven = prove(plan, arrived, pull.record.request);
    for (const warning of proven.warnings) await pull.journal.addWarning(pull.planId, warning);
    const { path, sizeBytes, level } = proven.entry;
    const { replaces } = plan;
    tally.ready.push({
      partialPath,
      ...{ path, sizeBytes, level },
      head: headOfLine(proven.entry),
      stamp: arrived.stamp,
      bytesFetched,
      ...(replaces === undefined ? {} : { replaces }),
      ...(arrived.hasSidecar === undefined ? {} : { hasSidecar: arrived.hasSidecar }),
    });
  } catch (error) {
    await dropPartial(partialPath).catch(() => undefined);
    note(tally, index, asWaybillError(error));
  }
}

function note(tally: Tally, index: number, error: WaybillError): void {
  if (error.scope === 'file') tally.failed.set(index, error);
  else tally.wide ??= error;
}

/** Fetches one large file, in parts if its version can be told, else as one stream. */
async function fetchOneLarge(
  pull: PullContext,
  file: WantedFile,
  answered: Observed | undefined,
  attempt: number,
  tally: Tally,
  context: CallContext,
): Promise<void> {
  const plan = file.entry;
  try {
    const large = await describe(pull, plan, answered, context);
    if (large !== undefined) {
      const arrived = await withLateDigests(pull, large, context, () =>
        fetchLarge(pull, large, context),
      );
      tally.bytesFetched += arrived.bytesFetched;
      const { partialPath, bytesFetched } = arrived;
      const taken = { ...arrived, attempts: attempt, hasSidecar: true as const };
      await take(pull, file.index, plan, partialPath, taken, bytesFetched, tally);
      return;
    }
  } catch (error) {
    if (context.signal.aborted) throw context.signal.reason;
    const known = asWaybillError(error);
    if (known.code !== 'WB_UNSUPPORTED') {
      note(tally, file.index, known);
      return;
    }
  }
  const single = [{ plan, text: file.text }];
  const result = await fetchSmall(pull, single, context, { takesLarge: true });
  for (const { outcome } of await takeSmall(pull, result, tally)) {
    if (outcome.kind === 'failed') note(tally, file.index, fromPlainError(outcome.error));
  }
}

/** What the source says of a large file now; undefined where its version cannot be pinned, or it takes no ranges. */
async function describe(
  pull: PullContext,
  plan: PlanEntry,
  answered: Observed | undefined,
  context: CallContext,
): Promise<LargeFile | undefined> {
  const store = await pull.store();
  if (store.capabilities.ranges === 'no') return undefined;
  let observed = answered;
  let digestsOnRequest: LargeFile['digestsOnRequest'];
  if (observed === undefined) {
    context.progress.awaitsSource = true;
    const entry = await store.stat(plan.sourcePath ?? plan.path, {
      signal: context.signal,
      wantsDigests: 'cheap',
    });
    context.progress.awaitsSource = false;
    ({ digestsOnRequest } = entry);
    observed = observedOf({ ending: 'length', ...entry });
  }
  const pin = plan.pin ?? observed.pin;
  const sizeBytes = plan.sizeBytes ?? observed.sizeBytes;
  if (pin === undefined || sizeBytes === undefined) return undefined;
  if (observed.sizeBytes !== undefined && observed.sizeBytes !== sizeBytes) {
    throw new WaybillError(
      'WB_SOURCE_CHANGED',
      `${plan.path} had ${sizeBytes} bytes when it was listed and has ${observed.sizeBytes} now`,
      { operation: 'stat', path: plan.path },
    );
  }
  return {
    ...{ plan, sizeBytes, pin, observed },
    ...(digestsOnRequest === undefined ? {} : { digestsOnRequest }),
  };
}

/** Reads back what is about to be published; what the disk does not have as it was written comes again (rule 17). */
async function readBackReady(
  pull: PullContext,
  wanted: Wanted,
  tally: Tally,
  ready: readonly Publishable[],
  context: CallContext,
): Promise<Publishable[]> {
  const files = ready.map(({ partialPath, head }) => ({
    absolutePath: partialPath,
    entry: JSON.parse(`${head}}`) as ManifestEntry,
  }));
  const results = await readFilesBack(pull, files, context);
  const indexOf = new Map(wanted.map(({ index, entry }) => [entry.path, index]));
  const same: Publishable[] = [];
  for (const [position, file] of ready.entries()) {
    const result = results[position];
    if (result !== undefined && 'entry' in result) {
      same.push({ ...file, head: headOfLine(result.entry) });
    } else {
      await dropPartial(file.partialPath);
      if (result) note(tally, indexOf.get(file.path) ?? -1, result.error);
    }
  }
  return same;
}

/** Publishes what is proven, also when something else failed: it need not be fetched again. */
async function publishReady(
  pull: PullContext,
  wanted: Wanted,
  tally: Tally,
  context: CallContext,
): Promise<void> {
  const proven = tally.ready;
  // What is proven from now on is published with the next.
  tally.ready = [];
  const ready = pull.record.request.reread
    ? await readBackReady(pull, wanted, tally, proven, context)
    : proven;
  const refused = await publish(pull.publishing, ready);
  const published: LevelCounts = { ...context.progress.published };
  for (const { partialPath, path, sizeBytes, level, hasSidecar } of ready) {
    if (refused.has(path)) continue;
    tally.bytesInPlace += sizeBytes;
    published[level] = (published[level] ?? 0) + 1;
    if (hasSidecar) await rm(`${partialPath}.parts`, { force: true });
  }
  context.progress.published = published;
  for (const { index, entry } of wanted) {
    const error = refused.get(entry.path);
    if (error !== undefined) note(tally, index, error);
  }
}

function resultOf(wanted: Wanted, tally: Tally): UnitResult {
  if (tally.wide !== undefined) throw tally.wide;
  const [first] = tally.failed.values();
  if (first !== undefined && (wanted.length === 1 || tally.failed.size > MAX_EXPELLED)) throw first;
  const done = wanted.filter(({ index }) => !tally.failed.has(index));
  return {
    files: done.length,
    bytes: tally.bytesInPlace,
    bytesFetched: tally.bytesFetched,
    expelled: [...tally.failed.keys()],
  };
}
