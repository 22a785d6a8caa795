/** The corruption campaign: damage where there is a proof, and a look whether anybody noticed. */
import { scratchFolder } from '../helpers/processes.js';
import { CorruptionBench } from './corruption-bench.js';
import { CORRUPTION_KINDS, type CorruptionKind } from './corruption-kinds.js';
import { chanceOf } from './random.js';
import { groupBy, markdown } from './table.js';
import type { Verdict } from './verdict.js';

export interface CorruptionOutcome extends Verdict {
  readonly round: number;
  readonly kind: CorruptionKind;
  readonly tookMs: number;
}

export interface CorruptionCampaign {
  readonly seed: number;
  readonly first: number;
  readonly rounds: number;
  readonly onRound: (outcome: CorruptionOutcome) => void;
}

/** Runs so many injections, one after another. */
export async function runCorruptions(campaign: CorruptionCampaign): Promise<CorruptionOutcome[]> {
  const bench = await CorruptionBench.start(scratchFolder('corruptions'));
  const outcomes: CorruptionOutcome[] = [];
  const weights = CORRUPTION_KINDS.map((kind) => [kind, kind.weight] as const);
  try {
    const end = campaign.first + campaign.rounds;
    for (let round = campaign.first; round < end; round += 1) {
      const chance = chanceOf(campaign.seed, round, 'corruption');
      const kind = chance.weighted(weights);
      const started = performance.now();
      const verdict = await kind.run(bench, chance);
      const outcome = { ...verdict, round, kind, tookMs: performance.now() - started };
      campaign.onRound(outcome);
      outcomes.push(outcome);
    }
  } finally {
    await bench.stop();
  }
  return outcomes;
}

/** An injection in one line. */
export function corruptionLine(seed: number, outcome: CorruptionOutcome): string {
  const { round, kind, by, tookMs } = outcome;
  const verdict = outcome.outcome === 'undetected' ? 'UNDETECTED' : outcome.outcome;
  return `--seed ${seed} --round ${round}  ${kind.where}: ${kind.what}  ${verdict} (${by}) ${tookMs.toFixed(0)} ms`;
}

/** The table of a corruption campaign, as Markdown. */
export function corruptionTable(outcomes: readonly CorruptionOutcome[]): string {
  const nameOf = ({ kind }: CorruptionOutcome): string => `${kind.where}: ${kind.what}`;
  const rows = [...groupBy(outcomes, nameOf), ['all', outcomes] as const].map(([name, group]) => {
    const count = (verdict: Verdict['outcome']): number =>
      group.filter(({ outcome }) => outcome === verdict).length;
    const injected = group.length - count('not injected');
    const by = [...groupBy(group, (outcome) => shortOf(outcome.by))]
      .filter(([short]) => short !== '')
      .sort(([, a], [, b]) => b.length - a.length)
      .slice(0, 3)
      .map(([short]) => short);
    return [
      name,
      injected,
      count('detected'),
      count('repaired'),
      count('undetected'),
      name === 'all' ? '' : by.join('; '),
    ];
  });
  const head = ['corruption', 'injected', 'refused', 'ended right', 'undetected', 'noticed by'];
  return markdown(head, rows);
}

/** Without the source in front. */
function shortOf(by: string): string {
  return by.replace(/^(?:seal|S3 ETag|S3 SHA-256|--expect): /u, '');
}
