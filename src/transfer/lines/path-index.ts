/**
 * Where the line of each path lies, in flat arrays: some 27 bytes a path, however long it is. A path is known by a hash of 64
 * bits with a seed of its own process; whoever reads the line compares the path itself.
 */
import { randomInt } from 'node:crypto';

const { imul } = Math;

const FIRST_SLOTS = 1_024;

/** Fuller than this, looking for a free slot takes long. */
const MOST_FULL = 0.6;

const USED = 128;

/** Bits that may be set beside a path. */
export const MARKS = { trusted: 1, ofPlan: 2, planned: 4, brought: 8 } as const;

/** A map from paths to numbers below 2^53. Nothing is ever taken out; `drop` hides an entry. */
export class PathIndex {
  private readonly seedA = randomInt(0x7fffffff);
  private readonly seedB = randomInt(0x7fffffff);
  private hashA = new Uint32Array(FIRST_SLOTS);
  private hashB = new Uint32Array(FIRST_SLOTS);
  private places = new Float64Array(FIRST_SLOTS);
  private marks = new Uint8Array(FIRST_SLOTS);
  private used = 0;
  private dropped = 0;
  private a = 0;
  private b = 0;

  /** How many paths there are. */
  get size(): number {
    return this.used - this.dropped;
  }

  /** Sets the place of a path, with these marks and no others. Answers the marks that it had; undefined: it is new. */
  set(path: string, place: number, marks = 0): number | undefined {
    if (this.used >= this.marks.length * MOST_FULL) this.grow();
    this.hash(path);
    const slot = this.slot(this.a, this.b);
    const before = this.marksAt(slot);
    const isThere = (before & USED) !== 0;
    const wasDropped = isThere && (this.places[slot] ?? 0) < 0;
    if (!isThere) this.used += 1;
    if (wasDropped) this.dropped -= 1;
    this.hashA[slot] = this.a;
    this.hashB[slot] = this.b;
    this.places[slot] = place;
    this.marks[slot] = USED | marks;
    return isThere && !wasDropped ? before & ~USED : undefined;
  }

  /** The slot of a path, good until the next `set`; undefined: it is not there. */
  find(path: string): number | undefined {
    this.hash(path);
    const slot = this.slot(this.a, this.b);
    return (this.marksAt(slot) & USED) !== 0 && this.placeAt(slot) >= 0 ? slot : undefined;
  }

  placeAt(slot: number): number {
    return this.places[slot] ?? -1;
  }

  /** Whether a slot has one of these marks. */
  isMarked(slot: number, marks: number): boolean {
    return (this.marksAt(slot) & marks) !== 0;
  }

  mark(slot: number, marks: number): void {
    this.marks[slot] = this.marksAt(slot) | marks;
  }

  /** Marks a path, if it is there. */
  markPath(path: string, marks: number): void {
    const slot = this.find(path);
    if (slot !== undefined) this.mark(slot, marks);
  }

  /** Takes marks away from all. */
  unmark(marks: number): void {
    for (let slot = 0; slot < this.marks.length; slot += 1) {
      this.marks[slot] = this.marksAt(slot) & ~marks;
    }
  }

  drop(path: string): void {
    const slot = this.find(path);
    if (slot === undefined) return;
    this.places[slot] = -1;
    this.dropped += 1;
  }

  /** The places of all paths that have none of these marks, in ascending order. */
  placesWithout(marks: number): Float64Array {
    let count = 0;
    const found = new Float64Array(this.size);
    for (let slot = 0; slot < this.marks.length; slot += 1) {
      const has = this.marksAt(slot);
      const place = this.placeAt(slot);
      if ((has & USED) === 0 || (has & marks) !== 0 || place < 0) continue;
      found[count] = place;
      count += 1;
    }
    return found.subarray(0, count).sort();
  }

  private marksAt(slot: number): number {
    return this.marks[slot] ?? 0;
  }

  /** The slot that has these hashes, or the free one where they belong. */
  private slot(a: number, b: number): number {
    const mask = this.marks.length - 1;
    let slot = a & mask;
    while ((this.marksAt(slot) & USED) !== 0) {
      if (this.hashA[slot] === a && this.hashB[slot] === b) return slot;
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  private hash(path: string): void {
    let a = this.seedA;
    let b = this.seedB;
    for (let index = 0; index < path.length; index += 1) {
      const unit = path.charCodeAt(index);
      a = imul(a ^ unit, 2_654_435_761);
      a ^= a >>> 15;
      b = imul(b ^ unit, 1_597_334_677);
      b ^= b >>> 13;
    }
    a = imul(a ^ (a >>> 16), 2_246_822_507) ^ imul(b ^ (b >>> 13), 3_266_489_909);
    b = imul(b ^ (b >>> 16), 2_246_822_507) ^ imul(a ^ (a >>> 13), 3_266_489_909);
    this.a = a >>> 0;
    this.b = b >>> 0;
  }

  private grow(): void {
    const { hashA, hashB, places, marks } = this;
    const slots = marks.length * 2;
    this.hashA = new Uint32Array(slots);
    this.hashB = new Uint32Array(slots);
    this.places = new Float64Array(slots);
    this.marks = new Uint8Array(slots);
    for (let old = 0; old < marks.length; old += 1) {
      const has = marks[old] ?? 0;
      if ((has & USED) === 0) continue;
      const slot = this.slot(hashA[old] ?? 0, hashB[old] ?? 0);
      this.hashA[slot] = hashA[old] ?? 0;
      this.hashB[slot] = hashB[old] ?? 0;
      this.places[slot] = places[old] ?? 0;
      this.marks[slot] = has;
    }
  }
}
