/** What each store can prove, in words: for `waybill stores`, and as the table of the README. */
import type { StoreFactory } from '../stores/store.js';

/** Lines below a store of `waybill stores`. */
export function factLines({ facts, schemes }: StoreFactory): [label: string, words: string][] {
  return [
    ['schemes', schemes.join(', ')],
    ['sign-in', facts.auth.join(', ')],
    ['ranges', facts.ranges],
    ['pin', facts.pin],
    ['digests', digestsOf(facts.digests)],
    ['level', levelsOf(facts.levels)],
  ];
}

/** The table of the README, in the form that Prettier leaves as it is. */
export function storeTable(factories: readonly StoreFactory[]): string {
  const head = ['store', 'schemes', 'what', 'sign-in', 'ranges', 'pin', 'digests', 'level'];
  const rows = factories.map(({ name, schemes, summary, facts }) => [
    `[${name}](src/stores/${name}/README.md)`,
    schemes.map((scheme) => `\`${scheme}:\``).join(', '),
    summary,
    facts.auth.join(', '),
    facts.ranges,
    facts.pin,
    digestsOf(facts.digests),
    levelsOf(facts.levels),
  ]);
  const widths = head.map((_, column) =>
    Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0)),
  );
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  return [line(head), rule, ...rows.map(line)].join('\n');
}

function digestsOf(digests: readonly string[]): string {
  return digests.length === 0 ? 'none' : digests.join(', ');
}

function levelsOf([weakest, strongest]: StoreFactory['facts']['levels']): string {
  return weakest === strongest ? weakest : `${weakest} to ${strongest}`;
}
