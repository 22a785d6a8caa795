/** Planning page by page: each is sealed on disk, only counts go back to the caller. */
import { WaybillError } from '../../model/errors.js';
import { compareByBytes } from '../../model/object-path.js';
import type { Failure } from '../../model/pull.js';
import type { CallContext, PlannedPage } from '../api.js';
import type { Journal } from '../journal.js';
import type { LiveListing } from './live-listing.js';
import { planDirOf, readPages, writePage, type PlanEntry } from './page.js';
import { TOUCHED } from './existing.js';
import type { Planned } from './planner.js';
import { PlannedPaths } from './planned-paths.js';
import { cutUnits } from './units.js';

/** Entries of the first page, so that the first bytes flow early: as many as an object store lists at once; and of every other. */
const FIRST_PAGE_ENTRIES = 1_000;
const PAGE_ENTRIES = 4_096;

/** Names and characters that a summary carries at most: it enters Temporal's history (rule 29). */
const SHOWN_FAILURES = 3;
const SHOWN_CHARACTERS = 160;
const SHOWN_CONFLICTS = 10;

/** What page planning needs. */
export interface PagesInput {
  readonly planId: string;
  readonly recordDir: string;
  readonly journal: Journal;
  /** The decisions, from the entry on that no sealed page has. */
  readonly planned: AsyncIterator<Planned>;
  /** What keeps `planned` alive between two attempts. */
  readonly live: LiveListing;
  /** `--checksum`: a file whose times alone have changed is no conflict. */
  readonly comparesBytes: boolean;
  /** How many pages are sealed already. */
  readonly sealedPages: number;
  /** Seals a page if there is room for so many bytes of all pages so far. Throws WB_NO_SPACE. */
  readonly reserve: (bytesToFetch: number, seal: () => Promise<void>) => Promise<void>;
  /** Bytes to fetch and conflicts in the sealed pages. */
  readonly bytesSoFar: number;
  readonly conflictsSoFar: Conflicts;
}

/** What the next page will hold. */
interface Gathered {
  readonly entries: readonly PlanEntry[];
  readonly failures: readonly Failure[];
  readonly failedFiles: number;
  readonly isLast: boolean;
}

/** Turns decisions into sealed pages, one a call. */
export class PageWriter {
  private nextPage: number;
  private bytesToFetch: number;
  private readonly conflicts: Conflicts;
  private gathered: Gathered | undefined;
  /** The page at hand, while an attempt has failed in the middle of it, and the decision that is waited for. */
  private page: { entries: PlanEntry[]; failures: Failure[]; failedFiles: number } | undefined;
  private step: Promise<IteratorResult<Planned, unknown>> | undefined;

  constructor(private readonly input: PagesInput) {
    this.nextPage = input.sealedPages;
    this.bytesToFetch = input.bytesSoFar;
    this.conflicts = input.conflictsSoFar;
  }

  /** The number of the page that `write` makes next. */
  get next(): number {
    return this.nextPage;
  }

  /** `write` has failed, and may be called again: the page only has to be sealed, or the listing waits in the middle of it. */
  get canGoOn(): boolean {
    return this.gathered !== undefined || this.input.live.isParked;
  }

  /** Ends the listing. */
  close(): void {
    this.step?.catch(() => undefined);
    this.input.live.close();
  }

  /** Makes and seals the next page. The last one throws where the whole plan shows a conflict. */
  async write(context: CallContext): Promise<PlannedPage> {
    this.gathered ??= await this.input.live.during(context, (interrupted) =>
      this.gather(context, interrupted),
    );
    const { entries, failures, failedFiles, isLast } = this.gathered;
    const fetched = entries.filter((entry) => entry.action === 'fetch');
    const kept = entries.filter((entry) => entry.action === 'keep');
    const units = cutUnits(entries, { isFirst: this.nextPage === 0, isLast });
    const summary: PlannedPage = {
      page: this.nextPage,
      units: units.length,
      files: fetched.length,
      bytes: sum(fetched),
      keptFiles: kept.length,
      keptBytes: sum(kept),
      failedFiles,
      failures,
      isLast,
    };
    await this.input.reserve(this.bytesToFetch, async () => {
      if (isLast) this.refuseConflicts();
      const planDir = planDirOf(this.input.recordDir, this.input.planId);
      await writePage(planDir, { entries, units, summary });
    });
    this.gathered = undefined;
    this.nextPage += 1;
    return summary;
  }

  private async gather(context: CallContext, interrupted: Promise<never>): Promise<Gathered> {
    this.page ??= { entries: [], failures: [], failedFiles: 0 };
    const { page } = this;
    const orInterrupted = racing(interrupted);
    let isLast = false;
    const limit = this.nextPage === 0 ? FIRST_PAGE_ENTRIES : PAGE_ENTRIES;
    while (page.entries.length < limit) {
      context.signal.throwIfAborted();
      this.step ??= this.input.planned.next();
      const step = await orInterrupted(this.step);
      this.step = undefined;
      if (step.done === true) {
        isLast = true;
        break;
      }
      const { value } = step;
      if (value.kind === 'entry') this.take(value.entry, page.entries);
      else if (value.kind === 'refused') {
        page.failedFiles += 1;
        const failure = await this.refuse(value);
        if (page.failures.length < SHOWN_FAILURES) page.failures.push(failure);
      } else if (value.kind === 'record') {
        await this.input.journal.addSkippedRecord(this.input.planId, value.path);
      } else await this.input.journal.addSpecial(this.input.planId, value);
    }
    this.page = undefined;
    return { ...page, isLast };
  }

  private take(entry: PlanEntry, entries: PlanEntry[]): void {
    entries.push(entry);
    if (entry.action === 'fetch') this.bytesToFetch += entry.sizeBytes ?? 0;
    this.conflicts.take(entry);
  }

  private async refuse(refused: Extract<Planned, { kind: 'refused' }>): Promise<Failure> {
    const { code, message } = refused.error;
    const line = {
      kind: 'failed' as const,
      planId: this.input.planId,
      path: refused.path,
      code,
      message,
    };
    await this.input.journal.addFailed(line);
    return {
      path: refused.path.slice(0, SHOWN_CHARACTERS),
      code,
      message: message.slice(0, SHOWN_CHARACTERS),
    };
  }

  private refuseConflicts(): void {
    const { count, shown, isTouched } = this.conflicts;
    if (count === 0) return;
    const more = count - shown.length;
    const hint =
      isTouched && !this.input.comparesBytes
        ? ' If only the times have changed, --checksum finds that out.'
        : '';
    throw new WaybillError(
      'WB_CONFLICT',
      `${count === 1 ? '1 file at the destination is' : `${count.toLocaleString('en-US')} files at the destination are`} in the way, and nothing was touched:\n  ${shown.join('\n  ')}` +
        (more > 0 ? `\n  and ${more} more` : '') +
        `\nUse --if-exists overwrite or skip, or another destination.${hint}`,
      { operation: 'plan' },
    );
  }
}

/** Races promises, one after another, with one that all of them are against: `Promise.race` would leave something at it each time. */
function racing(against: Promise<never>): <T>(promise: Promise<T>) => Promise<T> {
  let lose: ((error: unknown) => void) | undefined;
  let hasLost = false;
  against.catch((error: unknown) => {
    hasLost = true;
    lose?.(error);
  });
  return (promise) =>
    hasLost
      ? Promise.race([promise, against])
      : new Promise((resolve, reject) => {
          lose = reject;
          promise.then(resolve, reject);
        });
}

/** What is in the way of a plan: how much, and the first names. */
export class Conflicts {
  count = 0;
  readonly shown: string[] = [];
  /** Some of it Waybill has written once. */
  isTouched = false;

  take({ action, path, reason }: PlanEntry): void {
    if (action !== 'conflict') return;
    this.count += 1;
    if (this.shown.length < SHOWN_CONFLICTS) this.shown.push(`${path} (${reason})`);
    if (reason === TOUCHED) this.isTouched = true;
  }
}

function sum(entries: readonly PlanEntry[]): number {
  return entries.reduce((total, entry) => total + (entry.sizeBytes ?? 0), 0);
}

/** What the sealed pages of an interrupted planning hold. */
export interface SealedSoFar {
  readonly pages: number;
  readonly isComplete: boolean;
  readonly planned: PlannedPaths;
  readonly bytes: number;
  readonly conflicts: Conflicts;
}

/** Reads the sealed pages of a plan, to go on behind them. */
export async function readSealedSoFar(recordDir: string, planId: string): Promise<SealedSoFar> {
  const planDir = planDirOf(recordDir, planId);
  const conflicts = new Conflicts();
  let pages = 0;
  let bytes = 0;
  let last: string | undefined;
  let isInOrder = true;
  let isComplete = false;
  for await (const page of readPages(planDir, { mayBeCut: true })) {
    pages += 1;
    isComplete = page.summary.isLast;
    for (const entry of page.entries()) {
      conflicts.take(entry);
      if (entry.action === 'fetch') bytes += entry.sizeBytes ?? 0;
      if (entry.kind !== 'file') continue;
      if (last !== undefined && compareByBytes(last, entry.path) >= 0) isInOrder = false;
      last = entry.path;
    }
  }
  const planned = new PlannedPaths(last, isInOrder ? undefined : await allPaths(planDir));
  return { pages, isComplete, planned, bytes, conflicts };
}

async function allPaths(planDir: string): Promise<Set<string>> {
  const all = new Set<string>();
  for await (const page of readPages(planDir, { mayBeCut: true })) {
    for (const { path, kind } of page.entries()) all.add(kind === 'directory' ? `${path}/` : path);
  }
  return all;
}
