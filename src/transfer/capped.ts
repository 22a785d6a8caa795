/** A list of which only the beginning is kept: a receipt names so many, and counts the rest. */
import { MAX_NAMES_IN_RECEIPT } from '../manifest/index.js';

/** Counts all, keeps the first. */
export class Capped<T> {
  count = 0;
  readonly first: T[] = [];

  add(item: T): void {
    this.count += 1;
    if (this.first.length < MAX_NAMES_IN_RECEIPT) this.first.push(item);
  }
}
