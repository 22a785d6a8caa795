import { describe, expect, it } from '@jest/globals';
import { watchForSickness } from '../../src/service/sickness.js';
import type { ProbeResult } from '../../src/service/temporal-probe.js';

/** Plays one answer after another; when there are none left, the server is not expected to answer any more. */
async function watched(answers: readonly ProbeResult[]): Promise<{ sick: number; left: number }> {
  const left = [...answers];
  let sick = 0;
  await watchForSickness({
    probe: () => Promise.resolve(left.shift() ?? 'answers'),
    isExpected: () => left.length > 0,
    onSick: () => (sick += 1),
    everyMs: 1,
  });
  return { sick, left: left.length };
}

describe('a Temporal that runs and answers nothing but errors', () => {
  it('is called sick after four errors in a row, once', async () => {
    const errors: ProbeResult[] = Array.from({ length: 9 }, () => 'not ready');
    expect(await watched(errors)).toEqual({ sick: 1, left: 5 });
  });

  it('is given its time when it is slow, stopped, or answers now and then', async () => {
    const slow: ProbeResult[] = Array.from({ length: 20 }, () => 'not temporal');
    expect(await watched(slow)).toEqual({ sick: 0, left: 0 });
    const some = Array.from({ length: 20 }, (_, index): ProbeResult =>
      index % 4 === 3 ? 'answers' : 'not ready',
    );
    expect(await watched(some)).toEqual({ sick: 0, left: 0 });
  });
});
