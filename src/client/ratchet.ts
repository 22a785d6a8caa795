/** Progress as people see it: counts that never go back while a pull runs. */
import type { PullProgress } from '../model/pull.js';
import { countsOf, type Counts, type KeptCounts } from './kept-counts.js';

/** Before the first answer. */
export function emptyProgress(startedAt: string): PullProgress {
  return {
    phase: 'waiting for a worker',
    filesPlanned: 0,
    bytesPlanned: 0,
    isPlanComplete: false,
    filesDone: 0,
    bytesDone: 0,
    filesKept: 0,
    filesFailed: 0,
    failures: [],
    retries: 0,
    startedAt,
  };
}

/**
 * Remembers the highest counts of each run. What is in flight goes back when an attempt starts again, and a unit
 * that ends between two looks is for a moment in neither: neither is shown.
 */
export class Ratchet {
  private readonly highest = new Map<string, PullProgress>();

  /** @param kept what other commands of this user have shown */
  constructor(
    private readonly kept?: KeptCounts,
    private readonly capacity = 64,
  ) {}

  /** The last progress shown for a run. */
  last(runId: string): PullProgress | undefined {
    return this.highest.get(runId);
  }

  /** The progress to show for what was just seen of a run that goes on. */
  raise(runId: string, seen: PullProgress): PullProgress {
    const kept = this.kept?.read(runId);
    const shown = this.remember(runId, kept === undefined ? seen : higher(kept, seen));
    const counts = countsOf(shown);
    if (JSON.stringify(counts) !== JSON.stringify(kept)) this.kept?.write(runId, counts);
    return shown;
  }

  /** As `raise`, for a run that has ended: what others have shown counts no more. */
  end(runId: string, seen: PullProgress): PullProgress {
    this.kept?.drop(runId);
    return this.remember(runId, seen);
  }

  private remember(runId: string, seen: PullProgress): PullProgress {
    const shown = higher(this.highest.get(runId) ?? seen, seen);
    this.highest.delete(runId);
    this.highest.set(runId, shown);
    const oldest = this.highest.keys().next();
    if (this.highest.size > this.capacity && !oldest.done) this.highest.delete(oldest.value);
    return shown;
  }
}

/** What was seen, with counts that are no lower than those before. */
function higher(before: Counts, seen: PullProgress): PullProgress {
  const filesPlanned = Math.max(before.filesPlanned, seen.filesPlanned);
  const bytesPlanned = Math.max(before.bytesPlanned, seen.bytesPlanned);
  const isPlanComplete = before.isPlanComplete || seen.isPlanComplete;
  const bytesDone = Math.max(before.bytesDone, seen.bytesDone);
  return {
    ...seen,
    filesPlanned,
    bytesPlanned,
    isPlanComplete,
    filesDone: Math.max(before.filesDone, seen.filesDone),
    bytesDone: isPlanComplete && bytesPlanned > 0 ? Math.min(bytesDone, bytesPlanned) : bytesDone,
    filesKept: Math.max(before.filesKept, seen.filesKept),
    filesFailed: Math.max(before.filesFailed, seen.filesFailed),
    retries: Math.max(before.retries, seen.retries),
  };
}
