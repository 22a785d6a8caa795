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

  it('end at once where nothing is scheduled', async () => {
    await expect(new Retries().end()).resolves.toBeUndefined();
  });
});
