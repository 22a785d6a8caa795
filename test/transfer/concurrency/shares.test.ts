/** How limits are divided: nobody gets more than its part, and together they get what there is. */
import { describe, expect, it } from '@jest/globals';
import { shareOut, wholePart } from '../../../src/transfer/concurrency/shares.js';
import { placeAmong } from '../../../src/worker-share.js';

describe('the part of a worker', () => {
  it('adds up to the whole over all workers, and is never none', () => {
    for (let total = 1; total <= 40; total += 1) {
      for (let of = 1; of <= 10; of += 1) {
        const parts = Array.from({ length: of }, (_, index) => wholePart(total, { index, of }));
        const sum = parts.reduce((one, other) => one + other, 0);
        expect(sum).toBe(Math.max(total, of));
        expect(Math.min(...parts)).toBeGreaterThanOrEqual(1);
        expect(Math.max(...parts) - Math.min(...parts)).toBeLessThanOrEqual(1);
      }
    }
  });

  it('is the same for all who see the same workers, also for one that is not listed yet', () => {
    const listed = ['b/2', 'a/1', 'b/2'];
    expect(placeAmong(listed, 'a/1')).toEqual({ index: 0, of: 2 });
    expect(placeAmong(listed, 'b/2')).toEqual({ index: 1, of: 2 });
    expect(placeAmong(listed, 'c/3')).toEqual({ index: 2, of: 3 });
    expect(placeAmong([], 'c/3')).toEqual({ index: 0, of: 1 });
  });
});

describe('the parts of the pulls of one worker', () => {
  it('are even, and what one may not use goes to the others', () => {
    expect(shareOut(12, [64, 64, 64])).toEqual([4, 4, 4]);
    expect(shareOut(12, [2, 64, 64])).toEqual([2, 5, 5]);
    expect(shareOut(64, [2, 3])).toEqual([2, 3]);
    expect(shareOut(1, [9, 9])).toEqual([1, 1]);
    expect(shareOut(5, [])).toEqual([]);
  });

  it('keep to the limit and to each cap, and leave nothing that someone could use', () => {
    for (let limit = 1; limit <= 30; limit += 1) {
      for (let seed = 1; seed <= 60; seed += 1) {
        const caps = Array.from({ length: 1 + (seed % 6) }, (_, i) => 1 + ((seed * (i + 3)) % 11));
        const parts = shareOut(limit, caps);
        const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);
        expect(sum(parts)).toBe(Math.max(caps.length, Math.min(limit, sum(caps))));
        for (const [index, part] of parts.entries()) {
          expect(part).toBeGreaterThanOrEqual(1);
          expect(part).toBeLessThanOrEqual(caps[index] ?? 0);
        }
      }
    }
  });
});
