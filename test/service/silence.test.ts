import { describe, expect, it } from '@jest/globals';
import { Silence } from '../../src/service/silence.js';

describe('the silence of a worker', () => {
  it('is over with every word, and counts look by look', () => {
    let now = 0;
    const silence = new Silence(60_000, 5_000, () => now);
    const after = (ms: number): boolean => {
      now += ms;
      return silence.look();
    };
    for (let look = 0; look < 13; look += 1) expect(after(5_000)).toBe(false);
    silence.heard();
    for (let look = 0; look < 12; look += 1) expect(after(5_000)).toBe(false);
    expect(after(5_000)).toBe(true);
  });

  it('does not count the time in which the machine slept', () => {
    let now = 0;
    const silence = new Silence(60_000, 5_000, () => now);
    silence.look();
    now += 8 * 3_600_000;
    expect(silence.look()).toBe(false);
  });
});
