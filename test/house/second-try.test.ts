/** What `npm test` does about a suite that fails beside others (scripts/second-try.mjs). */
import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from '@jest/globals';
import { scratchFolder } from '../helpers/processes.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const scratch = scratchFolder('second-try');
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

type Suite = Readonly<Record<'passed' | 'failed' | 'skipped', number>> & { readonly path: string };
const suite = (name: string, passed: number, failed: number): Suite => ({
  path: join(root, `dist/test/${name}.test.js`),
  passed,
  failed,
  skipped: 0,
});

function run(verb: string, ...runs: readonly (readonly Suite[])[]) {
  const files = runs.map((suites, index) => {
    const file = join(scratch, `${index}.json`);
    writeFileSync(file, JSON.stringify(suites));
    return file;
  });
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(root, 'scripts/second-try.mjs'), verb, ...files],
    { encoding: 'utf8' },
  );
  return { status, stdout, stderr };
}

describe('a suite that failed beside others', () => {
  const first = [suite('a', 5, 0), suite('b', 3, 1), suite('c', 0, 1)];

  it('is run again, the others are not', () => {
    const { status, stdout } = run('list', first);
    expect(status).toBe(0);
    expect(stdout.trim().split('\n')).toEqual([suite('b', 0, 0).path, suite('c', 0, 0).path]);
  });

  it('counts as the second run has it, and is named as unsteady', () => {
    const { stderr } = run('tell', first, [suite('b', 4, 0), suite('c', 0, 1)]);
    expect(stderr).toContain('UNSTEADY: test/b.test.js');
    expect(stderr).not.toContain('test/c.test.js');
    expect(stderr.trim().split('\n').at(-1)).toBe('9 passed, 1 failed');
  });

  it('is not run again where none failed, and where many did: that is no accident', () => {
    expect(run('list', [suite('a', 5, 0)]).status).toBe(1);
    const many = ['a', 'b', 'c', 'd'].map((name) => suite(name, 1, 1));
    expect(run('list', many)).toMatchObject({ status: 1, stdout: '' });
  });
});
