/** Names for units, fetched a few at a time: they are what people read in Temporal's pages. */
import { isCancellation, proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../activities/activities.js';
import { cutSummary } from '../model/caps.js';
import type { PullRef, UnitLabel } from '../transfer/api.js';
import type { Job } from './messages.js';
import { POLICIES } from './policies.js';

/** A label where none could be had; the fetch itself will say why. */
function unnamed(job: Job): UnitLabel {
  return { kind: 'pack', label: `page ${job.page}, unit ${job.unit}`, files: 1, bytes: 0 };
}

const keyOf = (page: number, unit: number): string => `${page}/${unit}`;

/** Labels that are kept; lanes work on neighbours. */
const LABELS_KEPT = 64;

/** Asks for labels, as many at once as the answer holds, and keeps the latest. */
export class Labels {
  private readonly known = new Map<string, UnitLabel>();
  private asking: Promise<void> | undefined;

  constructor(
    private readonly ref: PullRef,
    private readonly transferQueue: string,
  ) {}

  /** Takes labels of a page from a unit on. */
  know(page: number, from: number, labels: readonly UnitLabel[]): void {
    labels.forEach((label, index) => this.known.set(keyOf(page, from + index), label));
    for (const key of this.known.keys()) {
      if (this.known.size <= LABELS_KEPT) return;
      this.known.delete(key);
    }
  }

  /** The label of a unit. Only cancellation is thrown. */
  async of(job: Job): Promise<UnitLabel> {
    const key = keyOf(job.page, job.unit);
    // Another lane may be asking for this one too.
    while (this.asking !== undefined && !this.known.has(key)) await this.asking;
    if (!this.known.has(key)) await this.ask(job);
    return this.known.get(key) ?? unnamed(job);
  }

  private async ask(job: Job): Promise<void> {
    const { nameUnits } = proxyActivities<Activities>({
      ...POLICIES.nameUnits,
      taskQueue: this.transferQueue,
      summary: `names of page ${job.page}, units ${job.unit} and on`,
    });
    let settled = (): void => undefined;
    this.asking = new Promise((resolve) => (settled = resolve));
    try {
      const labels = await nameUnits({ ref: this.ref, page: job.page, from: job.unit });
      this.know(job.page, job.unit, labels);
    } catch (error) {
      if (isCancellation(error)) throw error;
    } finally {
      this.asking = undefined;
      settled();
    }
  }
}

/** The line under an activity in Temporal's pages. */
export function summaryOf(job: Job, label: UnitLabel): string {
  const text = job.entry === undefined ? label.label : `one file alone, of: ${label.label}`;
  return cutSummary(text);
}
