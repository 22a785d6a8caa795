/**
 * `npm run chaos`: pulls are struck, the power is cut, bytes are damaged, all at random, and every pull must end correct or
 * say why not. Exit 1 if one does not. Every round prints how it is repeated.
 */
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { corruptionLine, corruptionTable, runCorruptions } from './corruptions.js';
import { runKillCampaign, WAVE_ROUNDS, type KillCampaign } from './kills.js';
import { cutLine, cutTable, runPowerCuts } from './power-cuts.js';
import { KINDS, STORES } from './sources.js';
import { badOnes, killTables, lineOf } from './table.js';
import { VICTIMS } from './victims.js';
import type { RoundOutcome } from './wave.js';

const HELP = `npm run chaos -- [options]
  --rounds N          pulls whose worker, Temporal, service, command, network or disk is struck
  --cuts N            power cuts, on a disk that forgets what was not flushed (root)
  --corruptions N     damage in transit, on disk, in partials and in records
  --seed S            chance; a new one by default, printed with every round
  --round R           repeats round R of the seed; a kill with the rounds beside it
                      (with --cuts or --corruptions and no number of its own: one of those)
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

/** The numbers of the rounds to run. */
interface Span {
  readonly first: number;
  readonly rounds: number;
}

function spanOf(count: string | undefined, round: string | undefined, wave: number): Span {
  if (round === undefined) return { first: 0, rounds: numberOf(count, 0) };
  const at = numberOf(round, 0);
  return { first: at - (at % wave), rounds: wave };
}

async function main(): Promise<boolean> {
  const string = { type: 'string' } as const;
  const { values } = parseArgs({
    options: {
      ...{ rounds: string, cuts: string, corruptions: string, seed: string, round: string },
      ...{ stores: string, kinds: string, victims: string, jobs: string },
      help: { type: 'boolean' },
    },
  });
  const { rounds, cuts, corruptions, round } = values;
  const isKills = rounds !== undefined || (round !== undefined && !cuts && !corruptions);
  if (values.help === true || (!isKills && cuts === undefined && corruptions === undefined)) {
    say(HELP);
    return values.help === true;
  }
  const seed = numberOf(values.seed, randomInt(1_000_000));
  let isGood = true;
  if (isKills) {
    isGood = await kills(seed, spanOf(rounds, round, WAVE_ROUNDS), {
      stores: listOf(values.stores, STORES),
      kinds: listOf(values.kinds, KINDS),
      victims: listOf(values.victims, VICTIMS, ';'),
      jobs: numberOf(values.jobs, 1),
    });
  }
  if (cuts !== undefined) isGood = (await powerCuts(seed, spanOf(cuts, round, 1))) && isGood;
  if (corruptions !== undefined)
    isGood = (await damages(seed, spanOf(corruptions, round, 1))) && isGood;
  return isGood;
}

async function kills(
  seed: number,
  span: Span,
  settings: Pick<KillCampaign, 'stores' | 'kinds' | 'victims' | 'jobs'>,
): Promise<boolean> {
  const started = performance.now();
  const onRound = (outcome: RoundOutcome): void => say(lineOf(seed, outcome));
  const control = new AbortController();
  // A Ctrl-C ends it after the wave under way, so that nothing stays mounted or running.
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => control.abort());
  const { signal } = control;
  const outcomes = await runKillCampaign({ ...settings, ...span, seed, onRound, signal });
  const bad = badOnes(outcomes);
  say(`\n${killTables(outcomes)}\n`);
  say(`seed ${seed}: ${outcomes.length} rounds in ${seconds(started)}, ${bad.length} bad`);
  for (const outcome of bad) say(lineOf(seed, outcome));
  return bad.length === 0;
}

async function powerCuts(seed: number, span: Span): Promise<boolean> {
  const started = performance.now();
  const outcomes = await runPowerCuts({
    ...span,
    seed,
    onRound: (outcome) => say(cutLine(seed, outcome)),
  });
  const bad = outcomes.filter(({ faults }) => faults.length > 0);
  say(`\n${cutTable(outcomes)}\n`);
  say(`seed ${seed}: ${outcomes.length} cuts in ${seconds(started)}, ${bad.length} bad`);
  for (const outcome of bad) say(cutLine(seed, outcome));
  return bad.length === 0;
}

async function damages(seed: number, span: Span): Promise<boolean> {
  const started = performance.now();
  const outcomes = await runCorruptions({
    ...span,
    seed,
    onRound: (outcome) => say(corruptionLine(seed, outcome)),
  });
  const bad = outcomes.filter(({ outcome }) => outcome === 'undetected');
  const injected = outcomes.filter(({ outcome }) => outcome !== 'not injected');
  say(`\n${corruptionTable(outcomes)}\n`);
  say(`seed ${seed}: ${injected.length} injected in ${seconds(started)}, ${bad.length} undetected`);
  for (const outcome of bad) say(corruptionLine(seed, outcome));
  return bad.length === 0;
}

function seconds(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(0)} s`;
}

process.exitCode = (await main()) ? 0 : 1;
