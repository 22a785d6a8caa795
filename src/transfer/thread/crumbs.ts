/** Streams that break after a few bytes: a server can keep a pull for ever with them, and gets a request for each. */
import { LEAST_PROGRESS_BYTES } from '../../model/least-progress.js';

/** So many in a row are opened again at once. */
const MOST_IN_A_ROW = 3;

/** Counts what each stream brought before it broke. */
export class Crumbs {
  private inARow = 0;

  /** Whether a stream that broke after so many bytes is worth no other one at once: that is Temporal's to retry. */
  areAll(bytes: number): boolean {
    if (bytes === 0) return true;
    this.inARow = bytes < LEAST_PROGRESS_BYTES ? this.inARow + 1 : 0;
    return this.inARow > MOST_IN_A_ROW;
  }
}
