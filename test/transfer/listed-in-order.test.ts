/** What planning remembers of a listing in byte order: next to nothing, and it finds the same clashes as a table of all names. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import { compareByBytes } from '../../src/model/object-path.js';
import { NameTable, type Clash } from '../../src/transfer/plan/names.js';
import { namesOf, type Names } from '../../src/transfer/plan/ordered-names.js';
import { PlannedPaths } from '../../src/transfer/plan/planned-paths.js';
import { EXACT_NAMES } from '../../src/transfer/plan/probe-names.js';

interface Listed {
  readonly path: string;
  readonly isFolder: boolean;
}

/** Everything that was refused in the end. */
function refusedBy(names: Names, listing: readonly Listed[]): string[] {
  const found = listing.flatMap(({ path, isFolder }): readonly Clash[] =>
    isFolder ? names.addFolder(path) : names.addFile(path),
  );
  return [...new Set(found.map(({ path }) => path))].sort();
}

const SEGMENTS = ['a', 'a!', 'a-', 'a.b', 'b', 'ab', 'ä'];

/** A listing as a store gives it: folders where their content comes, files by their paths. */
function randomListing(random: () => number): Listed[] {
  const pick = (): string => SEGMENTS[Math.floor(random() * SEGMENTS.length)] ?? 'a';
  const all = Array.from({ length: 12 }, () => ({
    path: Array.from({ length: 1 + Math.floor(random() * 3) }, pick).join('/'),
    isFolder: random() < 0.2,
  }));
  const keyOf = ({ path, isFolder }: Listed): string => (isFolder ? `${path}/` : path);
  return all.sort((one, other) => compareByBytes(keyOf(one), keyOf(other)));
}

/** Park and Miller's. */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

describe('rule 22: names of a listing in byte order', () => {
  it('clash as they do in a table of all names', () => {
    const random = chance(7);
    for (let round = 0; round < 2_000; round += 1) {
      const listing = randomListing(random);
      const wanted = refusedBy(new NameTable(EXACT_NAMES), listing);
      expect({ listing, refused: refusedBy(namesOf(EXACT_NAMES), listing) }).toEqual({
        listing,
        refused: wanted,
      });
    }
  });

  it('are looked at by a table from where a listing turns out not to be in order', () => {
    const names = namesOf(EXACT_NAMES);
    const listing = ['b', 'a/x', 'c/y', 'a', 'c'].map((path) => ({ path, isFolder: false }));
    expect(refusedBy(names, listing)).toEqual(['a', 'a/x', 'c', 'c/y']);
  });

  it('are all remembered where the destination folds them', () => {
    expect(namesOf({ ...EXACT_NAMES, foldsCase: true })).toBeInstanceOf(NameTable);
  });

  it('are forgotten: half a million take no memory', () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const names = namesOf(EXACT_NAMES);
    collect();
    const before = process.memoryUsage().heapUsed;
    for (let number = 0; number < 500_000; number += 1) {
      names.addFile(`one-prefix/key-${String(number).padStart(9, '0')}`);
    }
    collect();
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(4 * 1024 * 1024);
    expect(names.addFile('one-prefix/key-000499999')).toHaveLength(1);
  });
});

describe('a plan that was interrupted', () => {
  const skipped = (planned: PlannedPaths, listing: readonly string[]): string[] =>
    listing.filter((path) => planned.hasFile(path));

  it('goes on behind its last path, also where that one is gone or the rest comes out of order', () => {
    expect(skipped(new PlannedPaths('c'), ['a', 'b', 'c', 'd', 'a2'])).toEqual(['a', 'b', 'c']);
    expect(skipped(new PlannedPaths('c'), ['a', 'b', 'd', 'b2'])).toEqual(['a', 'b']);
    expect(skipped(new PlannedPaths(), ['a'])).toEqual([]);
  });

  it('knows every path where its pages are not in order', () => {
    const planned = new PlannedPaths('a', new Set(['b', 'a', 'f/']));
    expect(skipped(planned, ['c', 'b', 'd', 'a'])).toEqual(['b', 'a']);
    expect([planned.hasFolder('f'), planned.hasFolder('g')]).toEqual([true, false]);
  });
});
