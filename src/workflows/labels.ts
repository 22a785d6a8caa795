/** Names for units, fetched a few at a time: they are what people read in Temporal's pages. */
import { isCancellation, proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../activities/activities.js';
import { cutText, MAX_SUMMARY_BYTES } from '../model/caps.js';
import type { PullRef, UnitLabel } from '../transfer/api.js';
import type { Job } from './messages.js';
import { LABELS_AT_ONCE, POLICIES } from './policies.js';

/** A label where none could be had; the fetch itself will say why. */
function unnamed(job: Job): UnitLabel {
  return { kind: 'pack', label: `page ${job.page}, unit ${job.unit}`, files: 1, bytes: 0 };
}

/** Blocks of labels that are kept; lanes work on neighbours. */
const BLOCKS_KEPT = 8;

/** Asks for labels in blocks and keeps the latest few. */
export class Labels {
  private readonly blocks = new Map<string, Promise<readonly UnitLabel[]>>();
  private readonly single = new Map<string, UnitLabel>();

  constructor(
    private readonly ref: PullRef,
    private readonly transferQueue: string,
  ) {}

  /** Labels that are known already. */
  know(page: number, labels: readonly UnitLabel[]): void {
    labels.forEach((label, unit) => this.single.set(`${page}/${unit}`, label));
  }

  /** The label of a unit. Only cancellation is thrown. */
  async of(job: Job): Promise<UnitLabel> {
    const known = this.single.get(`${job.page}/${job.unit}`);
    if (known !== undefined) return known;
    const from = job.unit - (job.unit % LABELS_AT_ONCE);
    const key = `${job.page}/${from}`;
    try {
      const block = this.blocks.get(key) ?? this.ask(key, job.page, from);
      return (await block)[job.unit - from] ?? unnamed(job);
    } catch (error) {
      this.blocks.delete(key);
      if (isCancellation(error)) throw error;
      return unnamed(job);
    }
  }

  private ask(key: string, page: number, from: number): Promise<readonly UnitLabel[]> {
    const { nameUnits } = proxyActivities<Activities>({
      ...POLICIES.nameUnits,
      taskQueue: this.transferQueue,
      summary: `names of page ${page}, units ${from} and on`,
    });
    const block = nameUnits({ ref: this.ref, page, from });
    this.blocks.set(key, block);
    const oldest = this.blocks.keys().next();
    if (this.blocks.size > BLOCKS_KEPT && !oldest.done) this.blocks.delete(oldest.value);
    return block;
  }
}

/** The line under an activity in Temporal's pages. */
export function summaryOf(job: Job, label: UnitLabel): string {
  const text = job.entry === undefined ? label.label : `one file alone, of: ${label.label}`;
  return cutText(text, MAX_SUMMARY_BYTES);
}
