/** Runs a case: in every place, round after round, each contender in turn. */
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { BenchCase, Contender, PlaceName, Target } from './case.js';
import { measure, type Usage } from './measure.js';
import type { World } from './world.js';
import { scrubbedEnv } from '../../test/helpers/processes.js';
import { writeTree } from '../../test/helpers/tree.js';

/** The runs of one contender at one place. */
export interface Row {
  readonly contender: string;
  readonly place: PlaceName;
  readonly runs: readonly Usage[];
  /** Why it has no runs, or fewer than rounds. */
  readonly problem?: string;
}

export interface CaseResult {
  readonly name: string;
  readonly what: string;
  readonly scale: number;
  readonly rounds: number;
  readonly baseline: string;
  /** At each place the contenders in the order of the case, one that does not verify again with `+ openssl`. */
  readonly rows: readonly Row[];
}

export interface RunCaseOptions {
  readonly rounds: number;
  readonly places: readonly PlaceName[];
}

/** Prepares, runs and cleans up. A contender that fails has a row that says so. */
export async function runCase(
  one: BenchCase,
  world: World,
  { rounds, places }: RunCaseOptions,
): Promise<CaseResult> {
  try {
    world.say(`${one.name}: preparing`);
    const { contenders, baseline } = await one.prepare(world);
    const rows: Row[] = [];
    for (const place of places.filter((name) => one.places?.includes(name) ?? true)) {
      rows.push(...(await runAt(place, contenders, world, { name: one.name, rounds })));
    }
    const { name, what } = one;
    const first = baseline ?? contenders[0]?.name ?? '';
    return { name, what, scale: world.scale, rounds, baseline: first, rows };
  } finally {
    await world.close();
  }
}

interface Tally {
  readonly bare: Usage[];
  readonly verified: Usage[];
  problem?: string;
}

async function runAt(
  place: PlaceName,
  contenders: readonly Contender[],
  world: World,
  { name, rounds }: { name: string; rounds: number },
): Promise<readonly Row[]> {
  const base = await world.destinations(place);
  const tallies = new Map<Contender, Tally>(
    contenders.map((one) => [
      one,
      { bare: [], verified: [], ...(one.missing === undefined ? {} : { problem: one.missing }) },
    ]),
  );
  if (place === 'tmpfs') await touchMemory(base, contenders);
  for (let round = 1; round <= rounds; round += 1) {
    for (const [contender, tally] of tallies) {
      if (tally.problem !== undefined) continue;
      world.say(`${name}, ${place}, round ${round} of ${rounds}: ${contender.name}`);
      const target = { folder: join(base, `r${round}`, 'out'), place };
      try {
        await runOnce(contender, target, tally, world.signal);
      } catch (error) {
        world.signal.throwIfAborted();
        tally.problem = error instanceof Error ? error.message : String(error);
      } finally {
        rmSync(base, { recursive: true, force: true, maxRetries: 5 });
      }
    }
  }
  return [...tallies].flatMap(([contender, { bare, verified, problem }]) => {
    const said = problem === undefined ? {} : { problem };
    const row = { contender: contender.name, place, runs: bare, ...said };
    if (contender.isUnverified !== true || bare.length === 0) return [row];
    return [row, { contender: `${contender.name} + openssl`, place, runs: verified, ...said }];
  });
}

/** Memory that a machine hands out for the first time comes slowly: without this whoever is first would pay for it. */
async function touchMemory(base: string, contenders: readonly Contender[]): Promise<void> {
  const sizeBytes = Math.max(0, ...contenders.map(({ brings }) => brings?.bytes ?? 0));
  await writeTree(base, [{ path: 'touched', sizeBytes }]);
  rmSync(join(base, 'touched'));
}

async function runOnce(
  contender: Contender,
  target: Target,
  tally: Tally,
  signal: AbortSignal,
): Promise<void> {
  const { helpers } = contender;
  mkdirSync(target.folder, { recursive: true });
  await contender.before?.(target);
  const command = contender.command(target);
  const usage = await measure(command, { signal, ...(helpers && { helpers: () => helpers() }) });
  await contender.after?.(target);
  checkBrought(contender, target);
  tally.bare.push(usage);
  if (contender.isUnverified === true) {
    const hashing = await measure(opensslOver(target.folder), { signal });
    tally.verified.push({
      seconds: usage.seconds + hashing.seconds,
      cpuSeconds: usage.cpuSeconds + hashing.cpuSeconds,
      peakBytes: Math.max(usage.peakBytes, hashing.peakBytes),
    });
  }
}

/** What a person types who wants to know what came. */
function opensslOver(folder: string): ReturnType<Contender['command']> {
  const script = 'find "$1" -type f -print0 | xargs -0 openssl dgst -sha256 >/dev/null';
  return { argv: ['/bin/sh', '-c', script, 'sh', folder], env: scrubbedEnv() };
}

/** A tool that brings less is not faster. */
function checkBrought({ brings }: Contender, { folder }: Target): void {
  if (brings === undefined) return;
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile() && !`${entry.parentPath}/`.includes('.waybill/'),
  );
  const bytes = entries.reduce(
    (sum, one) => sum + statSync(join(one.parentPath, one.name)).size,
    0,
  );
  if (entries.length === brings.files && bytes === brings.bytes) return;
  throw new Error(
    `it brought ${entries.length} files, ${bytes} bytes instead of ${brings.files}, ${brings.bytes}`,
  );
}
