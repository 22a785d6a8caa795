/** Planning page by page: each is sealed on disk, only counts go back to the caller. */
import { WaybillError } from '../../model/errors.js';
import type { Failure } from '../../model/pull.js';
import type { CallContext, PlannedPage } from '../api.js';
import type { Journal } from '../journal.js';
import type { LiveListing } from './live-listing.js';
import { planDirOf, readPage, writePage, type PlanEntry } from './page.js';
import { TOUCHED } from './existing.js';
import type { Planned } from './planner.js';
import { cutUnits } from './units.js';

/** Entries of the first page, so that the first bytes flow early, and of every other one. */
const FIRST_PAGE_ENTRIES = 1_024;
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
  readonly conflictsSoFar: readonly string[];
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
  private readonly conflicts: string[];
  private gathered: Gathered | undefined;
  /** The page at hand, while an attempt has failed in the middle of it, and the decision that is waited for. */
  private page: { entries: PlanEntry[]; failures: Failure[]; failedFiles: number } | undefined;
  private step: Promise<IteratorResult<Planned, unknown>> | undefined;

  constructor(private readonly input: PagesInput) {
    this.nextPage = input.sealedPages;
    this.bytesToFetch = input.bytesSoFar;
    this.conflicts = [...input.conflictsSoFar];
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
    const units = cutUnits(entries, this.nextPage === 0 && isLast);
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
    let isLast = false;
    const limit = this.nextPage === 0 ? FIRST_PAGE_ENTRIES : PAGE_ENTRIES;
    while (page.entries.length < limit) {
      context.signal.throwIfAborted();
      this.step ??= this.input.planned.next();
      const step = await Promise.race([this.step, interrupted]);
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
    if (entry.action === 'conflict') this.conflicts.push(`${entry.path} (${entry.reason})`);
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
    if (this.conflicts.length === 0) return;
    const shown = this.conflicts.slice(0, SHOWN_CONFLICTS).join('\n  ');
    const more = this.conflicts.length - SHOWN_CONFLICTS;
    const isTouched = this.conflicts.some((conflict) => conflict.endsWith(`(${TOUCHED})`));
    const hint =
      isTouched && !this.input.comparesBytes
        ? ' If only the times have changed, --checksum finds that out.'
        : '';
    throw new WaybillError(
      'WB_CONFLICT',
      `${this.conflicts.length} files at the destination are in the way, and nothing was touched:\n  ${shown}` +
        (more > 0 ? `\n  and ${more} more` : '') +
        `\nUse --if-exists overwrite or skip, or another destination.${hint}`,
      { operation: 'plan' },
    );
  }
}

function sum(entries: readonly PlanEntry[]): number {
  return entries.reduce((total, entry) => total + (entry.sizeBytes ?? 0), 0);
}

/** What the sealed pages of an interrupted planning hold. */
export interface SealedSoFar {
  readonly pages: number;
  readonly isComplete: boolean;
  readonly planned: ReadonlySet<string>;
  readonly bytes: number;
  readonly conflicts: readonly string[];
}

/** Reads the sealed pages of a plan, to go on behind them. */
export async function readSealedSoFar(recordDir: string, planId: string): Promise<SealedSoFar> {
  const planned = new Set<string>();
  const conflicts: string[] = [];
  let bytes = 0;
  for (let number = 0; ; number += 1) {
    const page = await readPage(planDirOf(recordDir, planId), number);
    if (page === undefined) return { pages: number, isComplete: false, planned, bytes, conflicts };
    for (const entry of page.entries) {
      planned.add(entry.kind === 'directory' ? `${entry.path}/` : entry.path);
      if (entry.action === 'fetch') bytes += entry.sizeBytes ?? 0;
      if (entry.action === 'conflict') conflicts.push(`${entry.path} (${entry.reason})`);
    }
    if (page.summary.isLast) {
      return { pages: number + 1, isComplete: true, planned, bytes, conflicts };
    }
  }
}
