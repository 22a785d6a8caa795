/**
 * `npm run chaos -- --rounds N`: pulls are struck at random moments, and every one of them must end correct. Exit 1 if
 * one does not. Every round prints how it is repeated.
 */
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { runKillCampaign, WAVE_ROUNDS } from './kills.js';
import { KINDS, STORES } from './sources.js';
import { badOnes, killTables, lineOf } from './table.js';
import { VICTIMS } from './victims.js';

const HELP = `npm run chaos -- [options]
  --rounds N          kill rounds
  --seed S            chance; a new one by default, printed with every round
  --round R           repeats round R of the seed, with the rounds beside it
  --stores LIST       of ${STORES.join(',')}
  --kinds LIST        of ${KINDS.join(',')}
  --victims LIST      of ${VICTIMS.join(';')} (with semicolons)
  --jobs K            services beside each other (1)
`;

const say = (text: string): void => void process.stdout.write(`${text}\n`);

function listOf<T extends string>(text: string | undefined, all: readonly T[], by = ','): T[] {
  if (text === undefined) return [...all];
  return text.split(by).map((name) => {
    const found = all.find((one) => one === name.trim());
    if (found === undefined) throw new Error(`${name}: not one of ${all.join(by)}`);
    return found;
  });
}

function numberOf(text: string | undefined, otherwise: number): number {
  const value = Number(text ?? otherwise);
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`${text ?? ''}: not a number`);
  return value;
}

async function main(): Promise<boolean> {
  const string = { type: 'string' } as const;
  const { values } = parseArgs({
    options: {
      ...{ rounds: string, seed: string, round: string, stores: string, kinds: string },
      ...{ victims: string, jobs: string },
      help: { type: 'boolean' },
    },
  });
  if (values.help === true || (values.rounds ?? values.round) === undefined) {
    say(HELP);
    return values.help === true;
  }
  const seed = numberOf(values.seed, randomInt(1_000_000));
  const round = values.round === undefined ? undefined : numberOf(values.round, 0);
  const started = performance.now();
  const outcomes = await runKillCampaign({
    seed,
    first: round === undefined ? 0 : round - (round % WAVE_ROUNDS),
    rounds: round === undefined ? numberOf(values.rounds, 0) : WAVE_ROUNDS,
    stores: listOf(values.stores, STORES),
    kinds: listOf(values.kinds, KINDS),
    victims: listOf(values.victims, VICTIMS, ';'),
    jobs: numberOf(values.jobs, 1),
    onRound: (outcome) => say(lineOf(seed, outcome)),
  });
  const bad = badOnes(outcomes);
  say(`\n${killTables(outcomes)}\n`);
  say(`seed ${seed}: ${outcomes.length} rounds in ${seconds(started)}, ${bad.length} bad`);
  for (const outcome of bad) say(lineOf(seed, outcome));
  return bad.length === 0;
}

function seconds(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(0)} s`;
}

process.exitCode = (await main()) ? 0 : 1;
