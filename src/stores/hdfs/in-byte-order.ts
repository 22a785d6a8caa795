/**
 * Puts the names of a folder into byte order while they come. HDFS sorts them by signed bytes, in which every byte from 0x80 on
 * comes before all of ASCII: a name is never later than byte order would have it, but it may be early, and then it waits.
 */
import { compareByBytes } from '../../model/object-path.js';

/** Names with what they stand for; two may have the same key with a slash behind it. */
export class InByteOrder<T> {
  /** A heap: the smallest is the first. */
  private readonly heap: (readonly [key: string, value: T])[] = [];

  add(key: string, value: T): void {
    const { heap } = this;
    let at = heap.push([key, value]) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.isLess(at, parent)) return;
      this.swap(at, parent);
      at = parent;
    }
  }

  /** Takes out what sorts before this name and all that may still come after it. */
  *before(name: string): Generator<readonly [key: string, value: T]> {
    const bound = lowestAfter(name);
    for (;;) {
      const [first] = this.heap;
      if (first === undefined || compareByBytes(first[0], bound) >= 0) return;
      yield this.take();
    }
  }

  /** Takes out all that is left. */
  *rest(): Generator<readonly [key: string, value: T]> {
    while (this.heap.length > 0) yield this.take();
  }

  private take(): readonly [key: string, value: T] {
    const { heap } = this;
    const last = heap.length - 1;
    this.swap(0, last);
    const [taken] = heap.splice(last) as [readonly [string, T]];
    for (let at = 0; ;) {
      const left = 2 * at + 1;
      const right = left + 1;
      let least = at;
      if (left < heap.length && this.isLess(left, least)) least = left;
      if (right < heap.length && this.isLess(right, least)) least = right;
      if (least === at) return taken;
      this.swap(at, least);
      at = least;
    }
  }

  private isLess(a: number, b: number): boolean {
    const [left, right] = [this.heap[a], this.heap[b]];
    return left !== undefined && right !== undefined && compareByBytes(left[0], right[0]) < 0;
  }

  private swap(a: number, b: number): void {
    const [left, right] = [this.heap[a], this.heap[b]];
    if (left === undefined || right === undefined) return;
    this.heap[a] = right;
    this.heap[b] = left;
  }
}

/** No name that comes after this one, in the order of HDFS, sorts before it by bytes: its ASCII beginning. */
function lowestAfter(name: string): string {
  return /^[\x00-\x7f]*/.exec(name)?.[0] ?? '';
}
