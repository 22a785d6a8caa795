/** How a page of a plan is cut into units of work. */
import { describe, expect, it } from '@jest/globals';
import type { PlanEntry } from '../../src/transfer/plan/page.js';
import { cutUnits, type PagePlace } from '../../src/transfer/plan/units.js';

const KiB = 1024;
const MiB = 1024 * KiB;
const FIRST: PagePlace = { isFirst: true, isLast: false };
const LATER: PagePlace = { isFirst: false, isLast: false };

const files = (count: number, sizeBytes?: number): PlanEntry[] =>
  Array.from({ length: count }, (_, index) => ({
    path: `f${index}`,
    kind: 'file',
    action: 'fetch',
    reason: 'not there yet',
    ...(sizeBytes === undefined ? {} : { sizeBytes }),
  }));

const sizesOf = (entries: readonly PlanEntry[], place: PagePlace): number[] =>
  cutUnits(entries, place).map(({ entries: of }) => of.length);

describe('the units of a page', () => {
  it('name each file of a small tree', () => {
    expect(sizesOf(files(100, KiB), { isFirst: true, isLast: true })).toEqual(Array(100).fill(1));
  });

  it('are packs of 256 files in the first page', () => {
    expect(sizesOf(files(1_024, KiB), FIRST)).toEqual([256, 256, 256, 256]);
  });

  it('are smaller packs there where files are not small, so that every worker of a cluster gets some', () => {
    const only = { isFirst: true, isLast: true };
    expect(sizesOf(files(160, 16 * MiB), only)).toEqual(Array(40).fill(4));
    expect(sizesOf(files(160, 16 * MiB), LATER)).toEqual(Array(10).fill(16));
  });

  it('take a thousand tiny files in later pages, and 256 as soon as they are not tiny', () => {
    expect(sizesOf(files(4_096, KiB), LATER)).toEqual([1_024, 1_024, 1_024, 1_024]);
    expect(sizesOf(files(1_024, 64 * KiB), LATER)).toEqual([256, 256, 256, 256]);
    expect(sizesOf(files(1_024, 32 * KiB), LATER)).toEqual([512, 512]);
    expect(sizesOf(files(1_024, 16 * KiB), LATER)).toEqual([1_024]);
  });

  it('take 256 files of unknown size, and no more bytes than a killed worker may lose', () => {
    expect(sizesOf(files(512), LATER)).toEqual([256, 256]);
    expect(sizesOf(files(20, 30 * MiB), LATER)).toEqual([8, 8, 4]);
  });

  it('are large files alone, the longest first', () => {
    const entries = [...files(1, 40 * MiB), ...files(1, KiB), ...files(1, 80 * MiB)];
    expect(cutUnits(entries, LATER).map(({ kind, bytes }) => [kind, bytes])).toEqual([
      ['file', 80 * MiB],
      ['file', 40 * MiB],
      ['file', KiB],
    ]);
  });
});
