/** A few numbers shared between the main thread and the threads that move bytes, without messages. */

const SLOTS = 8;
const STOP = 0;
const BYTES = 1;
const FRONTIER = 2;
const FILES = 3;
const CHECKED = 4;
const HELD_MS = 5;
const AWAITED = 6;
const FLUSHING = 7;

/**
 * Counters of one unit of work. The main thread asks for a stop and reads; the threads count. Backed by shared
 * memory, so that a busy thread needs no event loop turn to be heard or stopped.
 */
export class Cell {
  private readonly slots: BigInt64Array;

  constructor(readonly memory: SharedArrayBuffer = new SharedArrayBuffer(SLOTS * 8)) {
    this.slots = new BigInt64Array(memory);
  }

  /** Asks every thread that works on this unit to end at the next chunk. */
  stop(): void {
    Atomics.store(this.slots, STOP, 1n);
  }

  get isStopped(): boolean {
    return Atomics.load(this.slots, STOP) !== 0n;
  }

  /** Counts bytes that came from the source. */
  addBytes(count: number): void {
    Atomics.add(this.slots, BYTES, BigInt(count));
  }

  get bytes(): number {
    return Number(Atomics.load(this.slots, BYTES));
  }

  /** Counts bytes that were read back from the disk: they bring nothing, and show that the work goes on. */
  addChecked(count: number): void {
    Atomics.add(this.slots, CHECKED, BigInt(count));
  }

  get checkedBytes(): number {
    return Number(Atomics.load(this.slots, CHECKED));
  }

  /** Counts a finished file. */
  addFile(): void {
    Atomics.add(this.slots, FILES, 1n);
  }

  get files(): number {
    return Number(Atomics.load(this.slots, FILES));
  }

  /** Counts time that this unit was held back on purpose: it did not stand still (rule 27). */
  addHeldMs(ms: number): void {
    Atomics.add(this.slots, HELD_MS, BigInt(Math.round(ms)));
  }

  get heldMs(): number {
    return Number(Atomics.load(this.slots, HELD_MS));
  }

  /** Counts an answer of the source as waited for until it is there. */
  async awaiting<T>(answer: Promise<T>): Promise<T> {
    Atomics.add(this.slots, AWAITED, 1n);
    try {
      return await answer;
    } finally {
      Atomics.sub(this.slots, AWAITED, 1n);
    }
  }

  /** Whether an answer of the source is waited for. */
  get isAwaiting(): boolean {
    return Atomics.load(this.slots, AWAITED) > 0n;
  }

  /** Counts a flush that may take minutes as under way: it moves no byte, and must not be taken for a standstill. */
  startFlush(): void {
    Atomics.add(this.slots, FLUSHING, 1n);
  }

  /** Counts it as over, however it went. */
  endFlush(): void {
    Atomics.sub(this.slots, FLUSHING, 1n);
  }

  /** Whether a flush that may take minutes is under way. */
  get isFlushing(): boolean {
    return Atomics.load(this.slots, FLUSHING) > 0n;
  }

  /** Bytes from the start of the file that are written without a gap: the hash may follow up to here. */
  get frontier(): number {
    return Number(Atomics.load(this.slots, FRONTIER));
  }

  set frontier(bytes: number) {
    Atomics.store(this.slots, FRONTIER, BigInt(bytes));
  }
}
