/** What a campaign says: a line for each round, and tables at the end. */
import type { RoundOutcome } from './wave.js';

/** A round in one line. */
export function lineOf(seed: number, outcome: RoundOutcome): string {
  const { round, store, kind, victim, moments, ended, exitCodes, partial, undetected, tookMs } =
    outcome;
  const bad = [
    ...partial.map((path) => `PARTIAL ${path}`),
    ...undetected.map((fault) => `UNDETECTED ${fault}`),
    ...(ended === 'lost' ? [`LOST ${outcome.note}`] : []),
  ];
  const when = moments.length === 0 ? 'over before' : moments.join(' + ');
  return (
    `--seed ${seed} --round ${round}  ${store} ${kind}  ${victim} (${when})  ${ended} [${exitCodes.join(' ')}] ${(tookMs / 1000).toFixed(1)} s` +
    (bad.length === 0 ? '' : `  ${bad.join('; ')}`)
  );
}

/** Rounds that must not be. */
export function badOnes(outcomes: readonly RoundOutcome[]): RoundOutcome[] {
  return outcomes.filter(
    ({ ended, partial, undetected }) =>
      ended === 'lost' || partial.length > 0 || undetected.length > 0,
  );
}

/** The tables of a kill campaign, as Markdown. */
export function killTables(outcomes: readonly RoundOutcome[]): string {
  return [
    table('victim', outcomes, ({ victim }) => victim),
    table('store', outcomes, ({ store }) => store),
    table('tree', outcomes, ({ kind }) => kind),
    mttrTable(outcomes),
  ].join('\n\n');
}

function table(
  title: string,
  outcomes: readonly RoundOutcome[],
  keyOf: (outcome: RoundOutcome) => string,
): string {
  const rows = [...groupBy(outcomes, keyOf), ['all', outcomes] as const].map(([key, group]) => {
    const count = (is: (outcome: RoundOutcome) => boolean): number => group.filter(is).length;
    return [
      key,
      group.length,
      count(({ moments }) => moments.length > 0),
      count(({ ended }) => ended === 'by itself'),
      count(({ ended }) => ended === 'same command'),
      count(({ ended }) => ended === 'lost'),
      count(({ partial }) => partial.length > 0),
      count(({ undetected }) => undetected.length > 0),
    ];
  });
  return markdown(
    [
      title,
      'rounds',
      'struck under way',
      'ended by itself',
      'by the same command',
      'lost',
      'partial under a final name',
      'undetected',
    ],
    rows,
  );
}

/** From the strike to bytes of new connections, where pulls from servers were under way: once for a wave. */
function mttrTable(outcomes: readonly RoundOutcome[]): string {
  const rows = [...groupBy(outcomes, ({ victim }) => victim)].map(([victim, group]) => {
    const times = [...new Set(group.flatMap(({ mttrMs }) => mttrMs ?? []))].sort((a, b) => a - b);
    const at = (share: number): string => {
      const value = times[Math.min(times.length - 1, Math.floor(times.length * share))];
      return value === undefined ? '' : `${(value / 1000).toFixed(1)} s`;
    };
    return [victim, times.length, at(0.5), at(0.95), at(1)];
  });
  return markdown(['bytes again after', 'measured', 'median', 'p95', 'longest'], rows);
}

/** Groups in the order of their names. */
export function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    groups.set(key, [...(groups.get(key) ?? []), item]);
  }
  return new Map([...groups].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** A table in Markdown, its columns as wide as their cells. */
export function markdown(
  head: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string {
  const cells = [head, ...rows.map((row) => row.map(String))];
  const widths = head.map((_, column) =>
    Math.max(...cells.map((row) => (row[column] ?? '').length)),
  );
  const line = (row: readonly string[]): string =>
    `| ${widths.map((width, column) => (row[column] ?? '').padEnd(width)).join(' | ')} |`;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  const [first = [], ...rest] = cells;
  return [line(first), rule, ...rest.map(line)].join('\n');
}
