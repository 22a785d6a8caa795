/**
 * Power cuts: a pull is made on a disk that forgets what was not flushed, the power goes before a random change, and
 * the pull goes on at another boot. See `test/faultfs` for what survives.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { PullRequest, PullResult } from '../../src/model/pull.js';
import { verifyTree } from '../../src/transfer/verify.js';
import { startCutServer, serveFile, type CutServer } from '../helpers/cut-server.js';
import { engineOf, pullWith, requestOf } from '../helpers/engine.js';
import { CUT_MODES, startFaultFs, type CutMode, type FaultFs } from '../helpers/faultfs.js';
import { ageRecords } from '../helpers/power-cut.js';
import { scratchFolder } from '../helpers/processes.js';
import { contentOf, digestsOfTree, type TreeFile } from '../helpers/tree.js';
import { chanceOf, type Chance } from './random.js';
import { groupBy, markdown } from './table.js';

/** What is pulled when the power goes. */
export const SCENARIOS = ['tree', 'update', 'again', 'large'] as const;
export type Scenario = (typeof SCENARIOS)[number];

export interface CutOutcome {
  readonly round: number;
  readonly scenario: Scenario;
  readonly mode: CutMode;
  /** The power went before this change, of so many that a whole pull makes. */
  readonly at: number;
  readonly of: number;
  /** The pull was over before. */
  readonly wasOver: boolean;
  /** What must not be; empty when all is well. */
  readonly faults: readonly string[];
  readonly tookMs: number;
}

export interface CutCampaign {
  readonly seed: number;
  readonly first: number;
  readonly rounds: number;
  readonly scenarios?: readonly Scenario[];
  readonly onRound: (outcome: CutOutcome) => void;
}

const MiB = 1024 * 1024;
const TREE: readonly TreeFile[] = [
  ...[0, 1, 4_095, 4_096, 9_000].map((sizeBytes) => ({
    path: `deep/er/file-${sizeBytes}`,
    sizeBytes,
  })),
  ...[10_000, 70_001].map((sizeBytes) => ({ path: `top-${sizeBytes}`, sizeBytes })),
  { path: 'weights/shard.bin', sizeBytes: 1.5 * MiB + 3 },
];
/** What the second version of the tree has other than the first. */
const CHANGED: readonly TreeFile[] = [
  { path: 'deep/er/file-4096', sizeBytes: 5_000 },
  { path: 'new/one', sizeBytes: 12_345 },
];
const LARGE: TreeFile = { path: 'model.bin', sizeBytes: 36 * MiB + 11 };
const MODIFIED = new Date('2024-05-06T07:08:09Z');

/** Runs so many cuts, one after another. Needs root. */
export async function runPowerCuts(campaign: CutCampaign): Promise<CutOutcome[]> {
  const base = scratchFolder('cuts');
  const disk = await startFaultFs();
  const server = await startCutServer();
  const outcomes: CutOutcome[] = [];
  try {
    const bench = new Bench(base, disk, server);
    const end = campaign.first + campaign.rounds;
    for (let round = campaign.first; round < end; round += 1) {
      const outcome = await bench.run(campaign.seed, round, campaign.scenarios ?? SCENARIOS);
      campaign.onRound(outcome);
      outcomes.push(outcome);
    }
  } finally {
    await disk.stop();
    await server.stop();
    rmSync(base, { recursive: true, force: true });
  }
  return outcomes;
}

/** The sources, made once, and the disk. */
class Bench {
  private readonly totals = new Map<Scenario, number>();
  private readonly first: string;
  private readonly second: string;

  constructor(
    base: string,
    private readonly disk: FaultFs,
    private readonly server: CutServer,
  ) {
    this.first = join(base, 'first');
    this.second = join(base, 'second');
    put(this.first, TREE);
    cpSync(this.first, this.second, { recursive: true, preserveTimestamps: true });
    put(this.second, CHANGED);
    const large = serveFile(contentOf(LARGE), { etag: '"v1"' });
    server.serve('/model.bin', large);
  }

  async run(seed: number, round: number, scenarios: readonly Scenario[]): Promise<CutOutcome> {
    const chance = chanceOf(seed, round, 'cut');
    const weight = (name: Scenario): number => (name === 'large' ? 1 : 4);
    const scenario = chance.weighted(scenarios.map((name) => [name, weight(name)]));
    const started = performance.now();
    const of = this.totals.get(scenario) ?? (await this.count(scenario));
    this.totals.set(scenario, of);
    const at = chance.between(1, of + 2);
    const mode = chance.pick(CUT_MODES);
    const request = await this.prepare(scenario);
    const faults: string[] = [];
    const wasOver = await this.cutDuring(request, at, mode, chance, faults);
    // Twice, now and then: a cut while the pull mends what the first one left.
    if (chance.isTrue(0.3)) {
      const again = chance.between(1, of + 2);
      await this.cutDuring(request, again, chance.pick(CUT_MODES), chance, faults);
    }
    const result = await this.pull(request, chance.isTrue(0.5) ? 'run' : 'another');
    if (typeof result === 'string') faults.push(`the pull does not go on: ${result}`);
    else {
      faults.push(...(await this.wrongWith(request)).map((fault) => `after it went on: ${fault}`));
      // What was said to be done survives a cut right after.
      await this.disk.cut('strict', round);
      faults.push(...(await this.wrongWith(request)).map((fault) => `not durable: ${fault}`));
    }
    const tookMs = performance.now() - started;
    return { round, scenario, mode, at, of, wasOver, faults, tookMs };
  }

  /** How many changes a whole pull makes. */
  private async count(scenario: Scenario): Promise<number> {
    const request = await this.prepare(scenario);
    await this.disk.cutAt(0);
    const result = await this.pull(request, 'run');
    if (typeof result === 'string') throw new Error(`a pull without any fault failed: ${result}`);
    return (await this.disk.status()).ops;
  }

  /** An empty disk, or one with an earlier version of the tree on it, and what is to be pulled. */
  private async prepare(scenario: Scenario): Promise<PullRequest> {
    await this.disk.reset();
    if (scenario === 'large') {
      const destination = join(this.disk.path, 'models/model.bin');
      return requestOf(`${this.server.url}/model.bin`, destination);
    }
    const destination = join(this.disk.path, 'team/models/churn');
    if (scenario === 'tree') return requestOf(this.second, destination);
    const before = scenario === 'again' ? this.second : this.first;
    const earlier = await this.pull(requestOf(before, destination), 'earlier');
    if (typeof earlier === 'string') throw new Error(`the first version failed: ${earlier}`);
    await this.disk.sync();
    return requestOf(this.second, destination, { replaceSource: true });
  }

  /** Pulls until the power goes, and looks at what is there when it is back. Answers whether it was over before. */
  private async cutDuring(
    request: PullRequest,
    at: number,
    mode: CutMode,
    chance: Chance,
    faults: string[],
  ): Promise<boolean> {
    await this.disk.cutAt(at);
    const result = await this.pull(request, 'run');
    const wasOver = typeof result !== 'string';
    await this.disk.cut(mode, chance.between(0, 2 ** 31));
    const recordDir = recordOf(request);
    if (mode !== 'nothing') ageRecords(recordDir);
    if (existsSync(join(recordDir, 'receipt.json'))) {
      const report = await verifyTree(request.destination.path).catch((error: Error) => error);
      if (report instanceof Error) faults.push(`a receipt, but: ${report.message}`);
      else if (!report.ok)
        faults.push(
          `a receipt that lies: ${JSON.stringify([report.findings, report.recordProblems, report.state])}`,
        );
    } else if (wasOver) faults.push('the pull was done, and its receipt is gone');
    return wasOver;
  }

  private async pull(request: PullRequest, runId: string): Promise<PullResult | string> {
    const engine = engineOf();
    try {
      const result = await pullWith(engine, request, runId);
      return result.ok ? result : `${result.code ?? ''} ${result.message ?? ''}`;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    } finally {
      await engine.close().catch(() => undefined);
    }
  }

  private async wrongWith(request: PullRequest): Promise<string[]> {
    const { path } = request.destination;
    const isLarge = basename(path) === LARGE.path;
    const found = isLarge ? await digestsOfTree(dirname(path)) : await digestsOfTree(path);
    const wanted = isLarge
      ? new Map([[LARGE.path, sha256(contentOf(LARGE))]])
      : await digestsOfTree(this.second);
    const wrong = [...wanted].filter(([name, digest]) => found.get(name) !== digest);
    const faults = wrong.map(([name]) => `${name} is ${found.has(name) ? 'wrong' : 'missing'}`);
    try {
      const cwd = dirname(recordOf(request));
      const sums = join(basename(recordOf(request)), 'SHA256SUMS');
      execFileSync('sha256sum', ['--strict', '--quiet', '-c', sums], { cwd, stdio: 'pipe' });
    } catch (error) {
      faults.push(`sha256sum: ${String(error).split('\n')[0] ?? ''}`);
    }
    const left = readdirSync(recordOf(request)).filter((name) => !RECORD.includes(name));
    if (left.length > 0) faults.push(`left behind: ${left.join(', ')}`);
    return faults;
  }
}

const RECORD = ['SHA256SUMS', 'destination.json', 'manifest.ndjson', 'receipt.json'];

function recordOf(request: PullRequest): string {
  const { path } = request.destination;
  return basename(path) === LARGE.path
    ? join(dirname(path), `.${LARGE.path}.waybill`)
    : join(path, '.waybill');
}

function put(root: string, files: readonly TreeFile[]): void {
  for (const file of files) {
    const path = join(root, file.path);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, contentOf(file));
    utimesSync(path, MODIFIED, MODIFIED);
  }
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** A cut in one line. */
export function cutLine(seed: number, outcome: CutOutcome): string {
  const { round, scenario, mode, at, of, wasOver, faults, tookMs } = outcome;
  const when = wasOver ? 'after the end' : `before change ${at} of ${of}`;
  const bad = faults.length === 0 ? '' : `  BAD ${faults.join('; ')}`;
  return `--seed ${seed} --round ${round}  ${scenario}, ${mode}, ${when} ${tookMs.toFixed(0)} ms${bad}`;
}

/** The table of the cuts, as Markdown. */
export function cutTable(outcomes: readonly CutOutcome[]): string {
  const rows = [
    ...groupBy(outcomes, ({ scenario }) => `pull: ${scenario}`),
    ...groupBy(outcomes, ({ mode }) => `what survives: ${mode}`),
    ['all', outcomes] as const,
  ].map(([name, group]) => [
    name,
    group.length,
    group.filter(({ wasOver }) => !wasOver).length,
    group.filter(({ faults }) => faults.length > 0).length,
  ]);
  return markdown(['cuts', 'all', 'during the pull', 'bad'], rows);
}
