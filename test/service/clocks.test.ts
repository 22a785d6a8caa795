import { describe, expect, it } from '@jest/globals';
import { createIdleClock } from '../../src/service/idle-clock.js';
import { restartDelayMs } from '../../src/service/kept-child.js';

describe('the idle clock', () => {
  const nothing = { clients: 0, openPulls: 0, isKept: false };

  it('is over after the whole time without pulls and clients', () => {
    let nowMs = 0;
    const clock = createIdleClock(300_000, () => nowMs);
    nowMs = 299_999;
    expect(clock.isOver(nothing)).toBe(false);
    nowMs = 300_000;
    expect(clock.isOver(nothing)).toBe(true);
  });

  it('starts anew with each open pull, client and `waybill up`', () => {
    let nowMs = 0;
    const clock = createIdleClock(1_000, () => nowMs);
    for (const busy of [
      { ...nothing, clients: 1 },
      { ...nothing, openPulls: 1 },
      { ...nothing, isKept: true },
    ]) {
      nowMs += 5_000;
      expect(clock.isOver(busy)).toBe(false);
      nowMs += 999;
      expect(clock.isOver(nothing)).toBe(false);
    }
    nowMs += 1;
    expect(clock.isOver({ ...nothing, openPulls: undefined })).toBe(true);
  });
});

describe('a child that dies', () => {
  it('is started again at once, and ever more slowly when it keeps dying', () => {
    const delaysMs = [0, 1, 2, 3, 4, 5, 30].map(restartDelayMs);
    expect(delaysMs).toEqual([0, 0, 100, 200, 400, 800, 30_000]);
  });
});
