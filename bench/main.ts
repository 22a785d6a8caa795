/** How fast Waybill is beside its peers: `npm run bench`. Tables go to stdout, progress to stderr. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { arch, cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { CASES } from './cases/index.js';
import { parseBenchArguments, USAGE, type BenchArguments } from './lib/arguments.js';
import type { BenchCase } from './lib/case.js';
import { figuresOf, tableOf } from './lib/report.js';
import { runCase, type CaseResult } from './lib/run-case.js';
import { svgOf } from './lib/svg.js';
import { runStoppable } from './lib/stoppable.js';
import { createWorld } from './lib/world.js';

const say = (line: string): void => void process.stderr.write(`${line}\n`);

/** Keeps the contenders that were asked for. */
function narrowed(one: BenchCase, only: readonly string[]): BenchCase {
  if (only.length === 0) return one;
  return {
    ...one,
    prepare: async (world) => {
      const { contenders, ...rest } = await one.prepare(world);
      const kept = contenders.filter(({ name }) => only.some((text) => name.includes(text)));
      return { ...rest, contenders: kept };
    },
  };
}

function machine(): object {
  const [cpu] = cpus();
  return {
    cores: cpus().length,
    cpu: cpu?.model ?? '',
    memoryBytes: totalmem(),
    kernel: `${release()} ${arch()}`,
    node: process.versions.node,
    loadAverage: loadavg(),
  };
}

async function bench(asked: BenchArguments, signal: AbortSignal): Promise<boolean> {
  const results: CaseResult[] = [];
  let isWhole = true;
  const startedAt = new Date().toISOString();
  for (const one of CASES.filter(({ name }) => asked.names.includes(name))) {
    const { scale, against } = asked;
    try {
      const world = createWorld({ scale, against, signal, say });
      const result = await runCase(narrowed(one, asked.only), world, asked);
      results.push(result);
      process.stdout.write(`${tableOf(result)}\n\n`);
      if (asked.svg !== undefined) {
        mkdirSync(asked.svg, { recursive: true });
        writeFileSync(join(asked.svg, `${result.name}.svg`), svgOf(result));
      }
    } catch (error) {
      if (signal.aborted) throw error;
      isWhole = false;
      say(
        `${one.name} could not be run: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
    if (asked.json !== undefined) {
      const cases = results.map((result) => ({ ...result, figures: figuresOf(result) }));
      const report = { v: 1, startedAt, machine: machine(), cases };
      writeFileSync(asked.json, `${JSON.stringify(report, undefined, 2)}\n`);
    }
  }
  return isWhole;
}

async function main(): Promise<number> {
  const names = CASES.map(({ name }) => name);
  let asked: BenchArguments;
  try {
    asked = parseBenchArguments(process.argv.slice(2), names);
  } catch (error) {
    say(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    return 2;
  }
  if (asked.isList) {
    for (const { name, what } of CASES) process.stdout.write(`${name.padEnd(22)} ${what}\n`);
    return 0;
  }
  return runStoppable(async (signal) => ((await bench(asked, signal)) ? 0 : 1), say);
}

process.exitCode = await main();
