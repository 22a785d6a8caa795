/** `npm run rules`: a rule without a test, or a test of a rule that is not there, does not pass. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { scratchFolder } from '../helpers/processes.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));

describe('npm run rules', () => {
  let project: string;

  beforeAll(() => {
    project = scratchFolder('rules');
    mkdirSync(join(project, 'scripts'));
    cpSync(join(root, 'scripts/rules.mjs'), join(project, 'scripts/rules.mjs'));
    symlinkSync(join(root, 'node_modules'), join(project, 'node_modules'));
    write('docs/rules.md', '**1. One owner.** Words.\n\n**2. The journal** has words.\n');
  });

  afterAll(() => rmSync(project, { recursive: true, force: true }));

  function write(path: string, text: string): void {
    mkdirSync(dirname(join(project, path)), { recursive: true });
    writeFileSync(join(project, path), text);
  }

  function run(test: string): { exitCode: number | null; said: string } {
    write('test/one.test.ts', test);
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [join(project, 'scripts/rules.mjs')],
      { encoding: 'utf8' },
    );
    return { exitCode: status, said: stdout + stderr };
  }

  it('passes when every rule is named, in tests of every form', () => {
    const each = 'it.each([1])(`rule 2: a torn tail, ${1}`, () => {});';
    const { exitCode, said } = run(`describe('rule 1: owners', () => {\n${each}\n});`);
    expect(said).toContain('2 rules, 2 tests, 0 rules without a test');
    expect(exitCode).toBe(0);
  });

  it('fails on an empty row, and a comment fills none', () => {
    const { exitCode, said } = run("// rule 2: later\nit('rule 1: owners', () => {});");
    expect(said).toContain('no test names rule 2');
    expect(exitCode).toBe(1);
  });

  it('fails on a rule that is not there', () => {
    const { exitCode, said } = run("it('rules 1, 2 and 3: owners', () => {});");
    expect(said).toContain('names rule 3');
    expect(exitCode).toBe(1);
  });
});

describe('the safety rules', () => {
  it('each have a test that names them, and no test names another', () => {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [join(root, 'scripts/rules.mjs')],
      { encoding: 'utf8' },
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain('34 rules');
  });
});
