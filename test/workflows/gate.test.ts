import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Gate } from '../../src/workflows/gate.js';
import { DEFAULT_TUNING } from '../../src/workflows/policies.js';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const { probeFirstMs, probeMaxMs } = DEFAULT_TUNING;

describe('a gate that stays shut', () => {
  beforeEach(() => {
    jest.useFakeTimers({ now: 0 });
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  /** The waits before each probe while it is blocked for so long. */
  function waits(forMs: number, scope: 'source' | 'destination', retryAfterMs?: number): number[] {
    jest.setSystemTime(0);
    const gate = new Gate();
    const block = { code: 'WB_UNAVAILABLE', scope, message: 'down' } as const;
    gate.shut(block, false, retryAfterMs);
    const found: number[] = [];
    for (let at = 0; at < forMs;) {
      const wait = gate.nextProbeInMs(probeFirstMs, probeMaxMs);
      found.push(wait);
      at += wait;
      jest.setSystemTime(at);
      gate.shut(block, true, retryAfterMs);
    }
    return found;
  }

  it('is tried after 5, 10, 20, 40 and 60 seconds, then every minute of the first hour', () => {
    const found = waits(50 * MINUTE_MS, 'source').map((ms) => ms / 1_000);
    expect(found.slice(0, 4)).toEqual([5, 10, 20, 40]);
    expect(new Set(found.slice(4))).toEqual(new Set([60]));
  });

  it('rule 29: is tried so seldom after days that a pull that never gives up stays a short history', () => {
    // A probe is about ten events of the history.
    expect(waits(30 * DAY_MS, 'source').length).toBeLessThan(600);
    expect(Math.max(...waits(2 * DAY_MS, 'source'))).toBeLessThan(60 * MINUTE_MS);
    expect(waits(30 * DAY_MS, 'destination', 5_000).length).toBeLessThan(900);
  });

  it('rule 18: counts a vain probe of a full disk, and none of room that others were promised', () => {
    const gate = new Gate();
    const block = { code: 'WB_NO_SPACE', scope: 'destination', message: 'full' } as const;
    gate.shut(block, true);
    gate.shut(block, true, 5_000);
    gate.shut(block, false);
    expect(gate.block?.probes).toBe(1);
  });
});
