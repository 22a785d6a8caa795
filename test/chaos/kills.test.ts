/**
 * 200 rounds of the kill campaign: the worker, Temporal, the service, the command, the network or the disk of a pull is
 * struck at a random moment, on every store. `npm run chaos -- --rounds N` does more of the same.
 */
import { randomInt } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { runKillCampaign } from './kills.js';
import { KINDS, STORES } from './sources.js';
import { badOnes, lineOf } from './table.js';

const SEED = Number(process.env['WAYBILL_TEST_SEED'] ?? randomInt(1_000_000));
const ROUNDS = 200;

describe(`a pull that is struck at a random moment, seed ${SEED}`, () => {
  it('rules 5, 10, 13, 15, 20: ends by itself or by the same command, and is never partial, wrong or unclean', async () => {
    const outcomes = await runKillCampaign({
      seed: SEED,
      first: 0,
      rounds: ROUNDS,
      stores: STORES,
      kinds: KINDS,
      jobs: 2,
      onRound: () => undefined,
    });
    expect(badOnes(outcomes).map((outcome) => lineOf(SEED, outcome))).toEqual([]);
    expect(outcomes).toHaveLength(ROUNDS);
    expect(outcomes.filter(({ moments }) => moments.length > 0).length).toBeGreaterThan(ROUNDS / 4);
  }, 1_800_000);
});
