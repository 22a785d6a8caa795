/**
 * The power goes before a random change of a pull, on a disk that forgets what was not flushed. Whatever survives, the
 * pull goes on, ends correct, and no receipt ever speaks of what is not there. `npm run chaos -- --cuts N` does more.
 */
import { randomInt } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { runPowerCuts } from '../chaos/power-cuts.js';

const SEED = Number(process.env['WAYBILL_TEST_SEED'] ?? randomInt(1_000_000));
const ROUNDS = 60;

describe(`a power cut, seed ${SEED}`, () => {
  it('rules 10, 15, 19, 20: after it a pull goes on, and a receipt says only what is there', async () => {
    const outcomes = await runPowerCuts({
      seed: SEED,
      first: 0,
      rounds: ROUNDS,
      onRound: () => undefined,
    });
    expect(outcomes.filter(({ faults }) => faults.length > 0)).toEqual([]);
    expect(outcomes).toHaveLength(ROUNDS);
    // Most of them fell into the pull.
    expect(outcomes.filter(({ wasOver }) => !wasOver).length).toBeGreaterThan(ROUNDS / 2);
  }, 1_200_000);
});
