/**
 * A wave: several pulls of one local service at once, each a round of its own with its own source, and one victim
 * for them all, struck once or more. A pull ends by itself or with the same command again.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunningWaybill, WaybillBed, WaybillRun } from '../helpers/waybill.js';
import { faultsOf, wrongFinalFiles } from './check.js';
import { chanceOf, type Chance } from './random.js';
import { KINDS, type Sources, type StoreName, type TreeKind } from './sources.js';
import { momentOf, strike, waitForMoment, type Moment, type Victim } from './victims.js';

/** How the campaign was asked to be. */
export interface WaveSettings {
  readonly seed: number;
  readonly stores: readonly StoreName[];
  readonly kinds: readonly TreeKind[];
  readonly victims: readonly Victim[];
  /** The file system of the destinations, when it may be filled up. */
  readonly disk: string | undefined;
}

/** How one round went. */
export interface RoundOutcome {
  readonly round: number;
  readonly store: StoreName;
  readonly kind: TreeKind;
  readonly victim: Victim;
  /** When it was struck; empty: the pull was over before. */
  readonly moments: readonly Moment[];
  readonly ended: 'by itself' | 'same command' | 'lost';
  /** Exit codes of the commands, in order. */
  readonly exitCodes: readonly number[];
  /** Final names that held anything but the whole file when something was struck. */
  readonly partial: readonly string[];
  /** A pull that said it was done and was not: what is wrong. */
  readonly undetected: readonly string[];
  /** From the strike to the first byte on a new connection; undefined where bytes never stopped for it. */
  readonly mttrMs: number | undefined;
  /** From the first command to the end of the last. */
  readonly tookMs: number;
  readonly note: string;
}

/** The same command, so often at most: on a machine with far too much to do each may give up on a slow service. */
const COMMANDS = 12;
const TIMEOUT_MS = 600_000;

interface Round {
  readonly round: number;
  readonly store: StoreName;
  readonly kind: TreeKind;
  readonly destination: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly partial: string[];
  readonly moments: Moment[];
  readonly startedMs: number;
  endedMs: number;
  command: RunningWaybill;
  isOver: boolean;
}

/** Runs the rounds from `first` on, `width` of them. */
export async function runWave(
  settings: WaveSettings,
  bed: WaybillBed,
  sources: Sources,
  destinations: string,
  first: number,
  width: number,
): Promise<RoundOutcome[]> {
  const chance = chanceOf(settings.seed, first, 'wave');
  const victim = chance.pick(asChoices(settings.victims));
  const rounds = Array.from({ length: width }, (_, index) =>
    startRound(settings, bed, sources, destinations, first + index),
  );
  const endings = rounds.map((round) => endOf(round, bed));
  const struck = await strikeThem(settings, bed, sources, rounds, victim, chance);
  const mttrMs = await bytesAgain(sources, rounds, struck);
  const ends = await Promise.all(endings);
  return rounds.map((round, index) => {
    const { runs, error } = ends[index] ?? { runs: [], error: 'it has no end' };
    const last = runs.at(-1);
    const isDone = last?.exitCode === 0 && last.result['ok'] === true;
    const tree = sources.trees[round.kind];
    const undetected = isDone ? faultsOf(round.destination, tree) : [];
    const ended = !isDone ? 'lost' : runs.length === 1 ? 'by itself' : 'same command';
    if (ended !== 'lost' && undetected.length === 0) {
      rmSync(round.destination, { recursive: true, force: true });
    }
    return {
      round: round.round,
      store: round.store,
      kind: round.kind,
      victim,
      moments: round.moments,
      ended,
      exitCodes: runs.map(({ exitCode }) => exitCode),
      partial: round.partial,
      undetected,
      mttrMs,
      tookMs: round.endedMs - round.startedMs,
      note: isDone ? '' : (error ?? wordsOf(last)),
    };
  });
}

function asChoices<T>(list: readonly T[]): readonly [T, ...T[]] {
  const [head, ...rest] = list;
  if (head === undefined) throw new Error('nothing to choose from');
  return [head, ...rest];
}

function startRound(
  settings: WaveSettings,
  bed: WaybillBed,
  sources: Sources,
  destinations: string,
  round: number,
): Round {
  const chance = chanceOf(settings.seed, round, 'round');
  const store = chance.weighted(settings.stores.map((name) => [name, name === 'mlflow' ? 1 : 2]));
  const weights: Readonly<Record<TreeKind, number>> = { few: 4, packs: 3, large: 1, mixed: 1 };
  // MLflow's artifact service answers about a hundred requests a second: its trees stay small.
  const kinds = settings.kinds.filter((kind) => store !== 'mlflow' || kind !== 'packs');
  const choices = kinds.length === 0 ? KINDS : kinds;
  const kind = chance.weighted(choices.map((name) => [name, weights[name]]));
  const source = sources.sourceOf(store, kind, round);
  const destination = join(destinations, `round-${round}`);
  mkdirSync(destinations, { recursive: true });
  const args = ['pull', source.uri, destination, '--json'];
  const command = bed.start(args, { env: source.env, timeoutMs: TIMEOUT_MS });
  const { env } = source;
  return {
    ...{ round, store, kind, destination, args, env, command },
    ...{ partial: [], moments: [], isOver: false, startedMs: performance.now(), endedMs: 0 },
  };
}

/** The command, and as long as it does not say that the pull is done, the same again. */
async function endOf(
  round: Round,
  bed: WaybillBed,
): Promise<{ runs: WaybillRun[]; error?: string }> {
  const runs: WaybillRun[] = [];
  try {
    for (;;) {
      const run = await round.command.done;
      runs.push(run);
      if (run.exitCode === 0 || runs.length === COMMANDS) return { runs };
      round.command = bed.start(round.args, { env: round.env, timeoutMs: TIMEOUT_MS });
    }
  } catch (error) {
    return { runs, error: error instanceof Error ? error.message : String(error) };
  } finally {
    round.isOver = true;
    round.endedMs = performance.now();
  }
}

/** Strikes once to three times, and looks at every final name right after. Answers when it was last struck. */
async function strikeThem(
  settings: WaveSettings,
  bed: WaybillBed,
  sources: Sources,
  rounds: readonly Round[],
  victim: Victim,
  chance: Chance,
): Promise<number | undefined> {
  const strikes = chance.weighted([
    [1, 6],
    [2, 3],
    [3, 1],
  ] as const);
  let struckMs: number | undefined;
  for (let index = 0; index < strikes; index += 1) {
    const target = chance.pick(asChoices(rounds));
    const moment = momentOf(chance);
    const isOver = (): boolean => rounds.every((round) => round.isOver);
    const isMissed = (): boolean => isOver() || target.isOver;
    if (!(await waitForMoment(moment, target.destination, chance, isMissed))) {
      // That pull was too quick: now, if any other is still under way.
      if (isOver()) return struckMs;
    }
    const open = rounds.filter((round) => !round.isOver);
    if (open.length === 0) return struckMs;
    const commands = open.map((round) => round.command);
    const reach = { stateDir: bed.stateDir, commands, gates: sources.gates, disk: settings.disk };
    struckMs = await strike(victim, reach, chance);
    for (const round of open) {
      round.moments.push(moment);
      round.partial.push(...wrongFinalFiles(round.destination, sources.trees[round.kind]));
    }
  }
  return struckMs;
}

/** How long until a new connection brings bytes, where a pull from a server is still under way. */
async function bytesAgain(
  sources: Sources,
  rounds: readonly Round[],
  struckMs: number | undefined,
): Promise<number | undefined> {
  if (struckMs === undefined) return undefined;
  for (;;) {
    const firsts = sources.gates.flatMap((gate) => gate.firstByteAfter(struckMs) ?? []);
    if (firsts.length > 0) return Math.min(...firsts) - struckMs;
    if (rounds.every((round) => round.isOver || round.store === 'local')) return undefined;
    await sleep(10);
  }
}

function wordsOf(run: WaybillRun | undefined): string {
  if (run === undefined) return 'it never ran';
  const { code, message } = run.result as { code?: string; message?: string };
  return `exit ${run.exitCode} ${code ?? ''} ${message ?? run.stderr.slice(-300)}`;
}
