/** The table of docs/stores.md: measured rows replace those of the same store, and nothing else. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { ROWS } from '../../bench/stores/rows.js';
import { withRows } from '../../bench/stores/table.js';
import { STORE_FACTORIES } from '../../src/stores/index.js';

const document = readFileSync(
  fileURLToPath(new URL('../../../docs/stores.md', import.meta.url)),
  'utf8',
);

describe('docs/stores.md', () => {
  it('takes a row of a store, and another one in its place', () => {
    const once = withRows(document, ['| shelf (a shelf) | 1 | 2 |']);
    expect(once).toContain('| shelf (a shelf) | 1 | 2 |\n');
    const twice = withRows(once, ['| shelf (a shelf) | 3 | 4 |']);
    expect(twice).toBe(once.replace('| 1 | 2 |', '| 3 | 4 |'));
    expect(() => withRows('nothing', [])).toThrow('has no line');
  });

  it('tries stores under the names that `waybill stores` gives', () => {
    const known = STORE_FACTORIES.map(({ name }) => name);
    for (const { store } of ROWS) expect(known).toContain(store);
  });
});
