/** The units of some pages in order, with those that were put back first. */
import type { Job, PageUnits } from './messages.js';

/** A queue over pages of units; it holds a cursor, not the units. */
export class UnitQueue {
  private pageIndex: number;
  private unit: number;
  private again: Job[];

  constructor(
    private readonly pages: readonly PageUnits[],
    carried?: { readonly next: Job; readonly again: readonly Job[] },
  ) {
    const found = pages.findIndex(({ page }) => page === carried?.next.page);
    this.pageIndex = carried === undefined ? 0 : found === -1 ? pages.length : found;
    this.unit = carried?.next.unit ?? 0;
    this.again = [...(carried?.again ?? [])];
    this.skipEmpty();
  }

  get isEmpty(): boolean {
    return this.again.length === 0 && this.pageIndex >= this.pages.length;
  }

  /** The next unit, if there is one. */
  take(): Job | undefined {
    const back = this.again.shift();
    if (back !== undefined) return back;
    const page = this.pages[this.pageIndex];
    if (page === undefined) return undefined;
    const job = { page: page.page, unit: this.unit };
    this.unit += 1;
    this.skipEmpty();
    return job;
  }

  /** Puts a unit back at the front: it keeps its turn. */
  putBack(job: Job): void {
    this.again.unshift(job);
  }

  /** Adds a unit behind those that were put back. */
  add(job: Job): void {
    this.again.push(job);
  }

  /** Where the next run of the workflow goes on. Page -1: only `again` is left. */
  carry(): { next: Job; again: readonly Job[] } {
    const page = this.pages[this.pageIndex];
    return { next: { page: page?.page ?? -1, unit: this.unit }, again: this.again };
  }

  private skipEmpty(): void {
    for (;;) {
      const page = this.pages[this.pageIndex];
      if (page === undefined || this.unit < page.units) return;
      this.pageIndex += 1;
      this.unit = 0;
    }
  }
}
