/** Memory for the small bodies of one lane, one after another: what only a collection would free is allocated once. */

/** The least that is taken: a page of memory more or less is nothing. */
const LEAST_BYTES = 16_384;

/** Gives the same memory again and again: whoever got it before is through with it. */
export class LaneMemory {
  private whole: Buffer | undefined;

  /** As `Collect.memoryFor`. */
  readonly of = (bytes: number): Buffer => {
    if (this.whole === undefined || this.whole.length < bytes) {
      this.whole = Buffer.allocUnsafeSlow(roomFor(bytes));
    }
    return this.whole.subarray(0, bytes);
  };
}

/** The next power of two, so that slowly growing files do not each ask for more. */
function roomFor(bytes: number): number {
  let room = LEAST_BYTES;
  while (room < bytes) room *= 2;
  return room;
}
