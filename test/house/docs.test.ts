import { describe, expect, it } from '@jest/globals';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SETTINGS, variableOf } from '../../src/config/settings.js';
import { storeTable } from '../../src/cli/store-table.js';
import { LEVELS } from '../../src/model/level.js';
import { ERRORS } from '../../src/model/errors.js';
import { METRICS } from '../../src/telemetry/metric-table.js';
import { STORE_FACTORIES } from '../../src/stores/index.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'CHANGELOG.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];

/** The cells of a page's table rows, pipes and blanks off. */
const rowsOf = (page: string): string[][] =>
  read(page)
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    );

describe('the documentation', () => {
  it('docs/errors.md has every code of the error table as it is, and no other', () => {
    const documented = rowsOf('docs/errors.md').slice(2);
    const table = Object.entries(ERRORS).map(([code, row]) => [
      `\`${code}\``,
      String(row.exitCode),
      row.scope,
      row.retryable ? 'yes' : 'no',
      row.summary,
      row.advice,
    ]);
    expect(documented).toEqual(table);
  });

  it('docs/exit-codes.md gives every code to its exit code', () => {
    const documented = rowsOf('docs/exit-codes.md')
      .slice(2)
      .flatMap(([exitCode, , codes = '']) =>
        [...codes.matchAll(/`(\w+)`/g)].map(([, code]) => [code, Number(exitCode)]),
      );
    const table = Object.entries(ERRORS).map(([code, row]) => [code, row.exitCode]);
    expect(documented.sort()).toEqual(table.sort());
  });

  it('docs/configuration.md has every setting with its variable, its key and its default', () => {
    const documented = rowsOf('docs/configuration.md')
      .slice(2)
      .map((cells) => cells.slice(0, 4).map((cell) => cell.replaceAll('`', '')));
    const settings = SETTINGS.map(({ name, file = '', default: preset = '' }) => [
      name,
      variableOf(name),
      file,
      preset,
    ]);
    expect(documented).toEqual(settings);
  });

  it('docs/operations.md has every metric as it is, and no other', () => {
    const documented = rowsOf('docs/operations.md').filter(([name]) =>
      /^`waybill_/.test(name ?? ''),
    );
    const table = Object.values(METRICS).map(({ name, kind, labels, summary }) => [
      `\`${name}\``,
      kind,
      labels.map((label) => `\`${label}\``).join(', '),
      summary,
    ]);
    expect(documented).toEqual(table);
  });

  it('docs/levels.md explains every level, weakest first', () => {
    const documented = rowsOf('docs/levels.md')
      .map(([level]) => level?.replaceAll('`', ''))
      .filter((level) => LEVELS.some((one) => one === level));
    expect(documented).toEqual([...LEVELS]);
  });

  it('the README has the table of the stores as they say it themselves: npm run stores', () => {
    const marked = /<!-- stores: .* -->\n\n([\s\S]*?)\n\n<!-- \/stores -->/.exec(read('README.md'));
    expect(marked?.[1]).toBe(storeTable(STORE_FACTORIES));
  });

  it('the decisions are numbered from 1 without a gap, in their names, their titles and wherever they are named', () => {
    const names = readdirSync(join(root, 'docs/decisions')).sort();
    const titles = names.map(
      (name) => /^# (\d+)\. \S/.exec(read(join('docs/decisions', name)))?.[1],
    );
    const numbers = names.map((_, index) => index + 1);
    expect(names.map((name) => /^(\d{4})-[a-z0-9-]+\.md$/.exec(name)?.[1])).toEqual(
      numbers.map((number) => String(number).padStart(4, '0')),
    );
    expect(titles).toEqual(numbers.map(String));
    const linked = pages.flatMap((page) => [
      ...read(page).matchAll(
        /\[[Dd]ecision (\d+)\]\((?:\.\/)?(?:docs\/)?(?:decisions\/)?(\d{4})-/g,
      ),
    ]);
    expect(linked.length).toBeGreaterThan(3);
    for (const [link, number, file] of linked)
      expect([link, Number(file)]).toEqual([link, Number(number)]);
  });

  it('every link to a file of the project leads to one', () => {
    const dead = pages.flatMap((page) =>
      [...read(page).matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
        .map(([, target = '']) => target)
        .filter((target) => !/^[a-z]+:/.test(target))
        .filter((target) => !existsSync(join(root, dirname(page), target)))
        .map((target) => `${page}: ${target}`),
    );
    expect(dead).toEqual([]);
  });
});
