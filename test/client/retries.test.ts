import { describe, expect, it } from '@jest/globals';
import { Retries } from '../../src/client/retries.js';

const UNAVAILABLE = 14;
const status = { code: UNAVAILABLE, details: 'gone', metadata: null as never };

describe('the retries of calls to Temporal', () => {
  it('end after every scheduled retry was made, and schedule no more', async () => {
    const retries = new Retries();
    expect(retries.options.retryableDecider(1, status)).toBe(true);
    let isMade = false;
    setTimeout(() => (isMade = true), retries.options.delayFunction(1, status));
    await retries.end();
    expect(isMade).toBe(true);
    expect(retries.options.retryableDecider(1, status)).toBe(false);
  });

  it.each([
    ['were due while the process was busy', 5],
    ['come due after it was busy', 60],
  ])('end after those that %s', async (_when, delayMs) => {
    const retries = new Retries({
      retryableDecider: () => true,
      delayFunction: () => delayMs,
    });
    let isMade = false;
    setTimeout(() => (isMade = true), retries.options.delayFunction(1, status));
    for (const until = performance.now() + 40; performance.now() < until;);
    await retries.end();
    expect(isMade).toBe(true);
  });

  it('come soon where a query waited for others: Temporal itself would wait for seconds', () => {
    const details =
      'consistent query buffer is full, this may be caused by too many queries and workflow not able to process query fast enough';
    const { delayFunction, retryableDecider } = new Retries().options;
    const full = { ...status, code: 8, details };
    expect(retryableDecider(1, full)).toBe(true);
    expect(delayFunction(1, full)).toBeLessThanOrEqual(50);
    expect(delayFunction(1, { ...full, details: 'quota' })).toBeGreaterThan(500);
  });

  it('end at once where nothing is scheduled', async () => {
    await expect(new Retries().end()).resolves.toBeUndefined();
  });
});
