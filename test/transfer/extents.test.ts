/** Arithmetic on the parts of a file, against one boolean for each byte. */
import { describe, expect, it } from '@jest/globals';
import { bytesOf, Frontier, gapsOf, joinRuns, type Run } from '../../src/transfer/extents.js';

const run = (offsetBytes: number, lengthBytes: number): Run => ({ offsetBytes, lengthBytes });

describe('the frontier of a file', () => {
  it('is where the first gap begins, whatever the order in which runs come', () => {
    const runs = [run(0, 4), run(4, 1), run(5, 3), run(9, 2), run(11, 1)];
    for (let turn = 0; turn < 200; turn += 1) {
      const order = [...runs].sort(() => Math.random() - 0.5);
      const frontier = new Frontier();
      const here = new Array<boolean>(13).fill(false);
      for (const one of order) {
        frontier.add(one);
        here.fill(true, one.offsetBytes, one.offsetBytes + one.lengthBytes);
        expect(frontier.bytes).toBe(here.indexOf(false));
      }
    }
  });

  it('stays before a run that was cut short, and at the start for none', () => {
    const frontier = new Frontier();
    frontier.add(run(0, 0));
    frontier.add(run(16, 16));
    expect(frontier.bytes).toBe(0);
    frontier.add(run(0, 7));
    expect(frontier.bytes).toBe(7);
    frontier.add(run(7, 9));
    expect(frontier.bytes).toBe(32);
  });
});

describe('runs that touch', () => {
  it('are one within a part, and cut where a part begins', () => {
    const runs = [run(20, 2), run(0, 4), run(4, 4), run(8, 4), run(12, 4), run(16, 4)];
    expect(joinRuns(runs, 8)).toEqual([run(0, 8), run(8, 8), run(16, 6)]);
    expect(joinRuns([run(0, 4), run(5, 3)], 8)).toEqual([run(0, 4), run(5, 3)]);
    expect(joinRuns([], 8)).toEqual([]);
  });

  it('and their gaps are the whole file', () => {
    const runs = joinRuns([run(3, 5), run(8, 2), run(17, 1)], 8);
    const gaps = gapsOf(runs, 30, 8);
    expect(bytesOf(runs) + bytesOf(gaps)).toBe(30);
    expect(gapsOf([...runs, ...gaps], 30)).toEqual([]);
  });
});
