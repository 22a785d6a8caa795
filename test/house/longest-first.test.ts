/** The order in which Jest runs the suites (scripts/longest-first.mjs), and what it knows of them (test/seconds.json). */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const seconds = JSON.parse(readFileSync(join(root, 'test/seconds.json'), 'utf8')) as Record<
  string,
  number
>;

/** The suites in the order in which they would run; `failed` did so the last time. */
function ordered(suites: readonly string[], failed = ''): string[] {
  const script = `
    const [url, folder, failed, ...suites] = process.argv.slice(1);
    const { default: LongestFirst } = await import(url);
    const sequencer = new LongestFirst();
    sequencer.hasFailed = ({ path }) => path === folder + failed + '.test.js';
    const tests = suites.map((suite) => ({ path: folder + suite + '.test.js' }));
    const sorted = sequencer.sort(tests).map(({ path }) => path.slice(folder.length, -8));
    console.log(JSON.stringify(sorted));`;
  const words = [`${root}scripts/longest-first.mjs`, `${root}dist/test/`, failed, ...suites];
  const args = ['--input-type=module', '-e', script, '--', ...words];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as string[];
}

describe('the order of the suites', () => {
  it('is the longest first, as they are known to be, then by name; what failed comes before', () => {
    const long = Object.keys(seconds).sort((a, b) => (seconds[b] ?? 0) - (seconds[a] ?? 0));
    const [first = '', second = ''] = long;
    expect(ordered(['model/b', second, 'model/a', first])).toEqual([
      first,
      second,
      'model/a',
      'model/b',
    ]);
    expect(ordered([first, second, 'model/a'], 'model/a')).toEqual(['model/a', first, second]);
  });

  it('speaks of suites that are there', () => {
    const gone = Object.keys(seconds).filter(
      (suite) => !existsSync(join(root, 'test', `${suite}.test.ts`)),
    );
    expect(gone).toEqual([]);
  });
});
