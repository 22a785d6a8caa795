/**
 * The corruption campaign: damage in transit, on disk, in partials and in records, wherever there is something to hold the
 * bytes against. `npm run chaos -- --corruptions N` does more of the same.
 */
import { randomInt } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { corruptionLine, runCorruptions } from './corruptions.js';
import { CORRUPTION_KINDS } from './corruption-kinds.js';

const SEED = Number(process.env['WAYBILL_TEST_SEED'] ?? randomInt(1_000_000));
const ROUNDS = 150;

describe(`corruptions, seed ${SEED}`, () => {
  it('rules 11, 12, 15, 16, 17: every one of them is refused or repaired, and none gets under a final name', async () => {
    const outcomes = await runCorruptions({
      seed: SEED,
      first: 0,
      rounds: ROUNDS,
      onRound: () => undefined,
    });
    const undetected = outcomes.filter(({ outcome }) => outcome === 'undetected');
    expect(undetected.map((outcome) => corruptionLine(SEED, outcome))).toEqual([]);
    const injected = outcomes.filter(({ outcome }) => outcome !== 'not injected');
    expect(injected.length).toBeGreaterThan(ROUNDS * 0.8);
    // So many injections reach nearly every kind.
    const kinds = new Set(injected.map(({ kind }) => kind));
    expect(kinds.size).toBeGreaterThan(CORRUPTION_KINDS.length / 2);
  }, 1_800_000);
});
