/** Plans several pages in one activity: a listing of a million files is no million events (rule 29). */
import { capFailure, MAX_SHOWN_FAILURES } from '../model/caps.js';
import type { Failure } from '../model/pull.js';
import type { CallContext, PullRef, TransferEngine, UnitLabel } from '../transfer/api.js';

/** The answer of `planPages`: sums over its pages, and the units of each. */
export interface PlannedPages {
  readonly pages: readonly { readonly page: number; readonly units: number }[];
  readonly files: number;
  readonly bytes: number;
  readonly keptFiles: number;
  readonly keptBytes: number;
  readonly failedFiles: number;
  readonly failures: readonly Failure[];
  readonly isLast: boolean;
  /** Labels of the first units of the first page, where they fit: small pulls need no second question. */
  readonly labels: readonly UnitLabel[];
}

/** Labels that go along without being asked for. */
const LABELS_ALONG = 6;

/** Plans up to `count` pages from `from` on. Sealed pages are answered from disk, so it may run twice. */
export async function planPages(
  engine: TransferEngine,
  input: { ref: PullRef; from: number; count: number },
  context: CallContext,
): Promise<PlannedPages> {
  const { ref, from, count } = input;
  const pages: { page: number; units: number }[] = [];
  const failures: Failure[] = [];
  const sums = { files: 0, bytes: 0, keptFiles: 0, keptBytes: 0, failedFiles: 0 };
  let isLast = false;
  for (let page = from; page < from + count && !isLast; page += 1) {
    const planned = await engine.planPage({ ref, page }, context);
    pages.push({ page, units: planned.units });
    sums.files += planned.files;
    sums.bytes += planned.bytes;
    sums.keptFiles += planned.keptFiles;
    sums.keptBytes += planned.keptBytes;
    sums.failedFiles += planned.failedFiles;
    failures.push(...planned.failures);
    isLast = planned.isLast;
  }
  const first = pages[0];
  const isSmall = isLast && pages.length === 1 && failures.length === 0;
  const labels =
    isSmall && first !== undefined && first.units > 0
      ? await engine.nameUnits({ ref, page: first.page, from: 0 })
      : [];
  const shown = failures.slice(0, Math.min(3, MAX_SHOWN_FAILURES)).map(capFailure);
  return { pages, ...sums, failures: shown, isLast, labels: labels.slice(0, LABELS_ALONG) };
}
