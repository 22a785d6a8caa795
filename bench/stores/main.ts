/**
 * What each store can do, shown against a real server: `npm run trials [-- STORE...] [--write] [--rounds N] [--large-mib N]`.
 * Prints the rows of docs/stores.md; --write puts them there. Exit 1 where a cell is not what was promised.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { openWaybill } from '../../test/helpers/waybill.js';
import { runStoppable } from '../lib/stoppable.js';
import { createWorld, type WorldOptions } from '../lib/world.js';
import { racePeers, type RaceOptions } from './races.js';
import { ROWS } from './rows.js';
import type { StoreRow } from './served.js';
import { withRows } from './table.js';
import { awkwardTree, bestLevel, killedHalfWay, replacedHalfWay } from './trials.js';

const DOC = new URL('../../../docs/stores.md', import.meta.url);
const say = (line: string): void => void process.stderr.write(`${line}\n`);

async function rowOf(row: StoreRow, options: RaceOptions): Promise<string> {
  say(`${row.store}: names, kill, replacement`);
  const world = createWorld(options);
  const bed = openWaybill();
  let cells: readonly string[];
  try {
    const served = await row.serve(world);
    const shown: string[] = [];
    for (const trial of [awkwardTree, killedHalfWay, replacedHalfWay]) {
      options.signal.throwIfAborted();
      shown.push(await trial(served, bed));
    }
    cells = [...shown, `\`${bestLevel(bed)}\``];
  } finally {
    await bed.close();
    await world.close();
  }
  const { many, large } = await racePeers(row, options);
  return `| ${[`${row.store} (${row.server})`, ...cells, many, large].join(' | ')} |`;
}

const USAGE = `npm run trials -- [STORE...] [--write] [--rounds N] [--large-mib N]
stores: ${[...new Set(ROWS.map(({ store }) => store))].join(', ')}`;

interface Asked {
  readonly stores: readonly string[];
  readonly write: boolean;
  readonly rounds: number;
  readonly largeMiB: number;
}

/** @throws Error with what is wrong */
function readArguments(args: readonly string[]): Asked {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      write: { type: 'boolean', default: false },
      rounds: { type: 'string', default: '3' },
      'large-mib': { type: 'string', default: '1024' },
    },
  });
  const unknown = positionals.find((name) => !ROWS.some(({ store }) => store === name));
  if (unknown !== undefined) throw new Error(`there is no row for ${unknown}`);
  const [rounds, largeMiB] = [Number(values.rounds), Number(values['large-mib'])];
  for (const [name, value] of Object.entries({ rounds, 'large-mib': largeMiB })) {
    if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} takes a whole number`);
  }
  return { stores: positionals, write: values.write, rounds, largeMiB };
}

async function tryStores(asked: Asked, signal: AbortSignal): Promise<number> {
  const options: WorldOptions = { scale: 1, against: [], signal, say };
  const race = { ...options, rounds: asked.rounds, largeMiB: asked.largeMiB };
  const chosen = ROWS.filter(
    ({ store }) => asked.stores.length === 0 || asked.stores.includes(store),
  );
  const rows: string[] = [];
  for (const row of chosen) {
    const line = await rowOf(row, race);
    rows.push(line);
    process.stdout.write(`${line}\n`);
    if (asked.write) writeFileSync(DOC, withRows(readFileSync(DOC, 'utf8'), [line]));
  }
  return rows.some((line) => line.includes('**')) ? 1 : 0;
}

async function main(): Promise<number> {
  let asked: Asked;
  try {
    asked = readArguments(process.argv.slice(2));
  } catch (error) {
    say(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    return 2;
  }
  return runStoppable((signal) => tryStores(asked, signal), say);
}

process.exitCode = await main();
