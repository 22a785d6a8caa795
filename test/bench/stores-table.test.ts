/** The table of docs/stores.md: measured rows replace those of the same store, and nothing else. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { raceCell } from '../../bench/stores/races.js';
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
    expect(new Set(ROWS.map(({ store }) => store))).toEqual(new Set(known));
  });

  it('compares with the fastest of the others, and names those that did not run', () => {
    const said: string[] = [];
    const row = (contender: string, seconds?: number, problem?: string) => ({
      contender,
      place: 'tmpfs' as const,
      ...(seconds === undefined ? {} : { seconds }),
      ...(problem === undefined ? {} : { problem }),
    });
    const waybill = row('waybill', 1);
    const rclone = row('rclone v1 --transfers 32', 2);
    const hashed = row('sftp -r + openssl', 0.1);
    const all = [waybill, rclone, row('sftp -r', 0.5), hashed];
    const cell = (rows: Parameters<typeof raceCell>[0]) =>
      raceCell(rows, (line) => said.push(line));
    expect(cell(all)).toBe('1.00 s, 2.00 x sftp');
    expect(cell([waybill, rclone, row('lftp mirror', undefined, 'no such package')])).toBe(
      '1.00 s, 0.50 x rclone, lftp mirror did not run',
    );
    expect(said).toContain('  lftp mirror: no such package');
    expect(cell([waybill])).toBe('1.00 s');
    expect(cell([row('waybill', undefined, 'exit 5')])).toBe('**exit 5**');
  });
});
