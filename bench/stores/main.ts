/**
 * What each store can do, shown against a real server: `npm run trials [-- STORE...] [--write] [--rounds N] [--large-mib N]`.
 * Prints the rows of docs/stores.md; --write puts them there. Exit 1 where a cell is not what was promised.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { openWaybill } from '../../test/helpers/waybill.js';
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
    const tree = await awkwardTree(served, bed);
    const killed = await killedHalfWay(served, bed);
    const replaced = await replacedHalfWay(served, bed);
    cells = [tree, killed, replaced, `\`${bestLevel(bed)}\``];
  } finally {
    await bed.close();
    await world.close();
  }
  const { many, large } = await racePeers(row, options);
  return `| ${[`${row.store} (${row.server})`, ...cells, many, large].join(' | ')} |`;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      write: { type: 'boolean', default: false },
      rounds: { type: 'string', default: '3' },
      'large-mib': { type: 'string', default: '256' },
    },
  });
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => controller.abort(new Error(`stopped by ${name}`)));
  }
  const options: WorldOptions = { scale: 1, against: [], signal: controller.signal, say };
  const race = {
    ...options,
    rounds: Number(values.rounds),
    largeMiB: Number(values['large-mib']),
  };
  const asked = ROWS.filter(({ store }) => positionals.length === 0 || positionals.includes(store));
  const rows: string[] = [];
  for (const row of asked) {
    const line = await rowOf(row, race);
    rows.push(line);
    process.stdout.write(`${line}\n`);
    if (values.write) writeFileSync(DOC, withRows(readFileSync(DOC, 'utf8'), [line]));
  }
  return rows.some((line) => line.includes('**')) ? 1 : 0;
}

process.exitCode = await main();
