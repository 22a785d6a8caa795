import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jsonLines, runCli } from './run-cli.js';

let cwd: string;

const env = (): Record<string, string> => ({ HOME: cwd });

beforeAll(() => {
  cwd = realpathSync(mkdtempSync(join(tmpdir(), 'waybill-cli-')));
  mkdirSync(join(cwd, 'tree/deep'), { recursive: true });
  writeFileSync(join(cwd, 'tree/a.bin'), 'hello');
  writeFileSync(join(cwd, 'tree/deep/b.txt'), 'x');
});

afterAll(() => rmSync(cwd, { recursive: true, force: true }));

describe('the command line', () => {
  it('knows its version and its help without loading Temporal', async () => {
    const version = await runCli(['--version']);
    expect(version).toMatchObject({ exitCode: 0, stdout: '0.1.0\n', stderr: '' });
    const help = await runCli(['pull', '--help']);
    expect(help.exitCode).toBe(0);
    expect(help.stdout.startsWith('Examples:\n  # a registered model')).toBe(true);
  });

  it('says how to look at the cluster that was named, where that does not answer', async () => {
    const run = await runCli(['pulls', '--cluster', '127.0.0.1:9'], { env: env(), cwd });
    expect(run.exitCode).toBe(10);
    expect(run.stderr).toMatch(/^ {2}Run `waybill doctor --cluster 127\.0\.0\.1:9`\.$/mu);
  });

  it.each([
    [['pul', 'x'], 'Did you mean pull?'],
    [['pul', 'x'], 'waybill --help lists the commands'],
    [['verify', '--quik'], 'Did you mean --quick?'],
    [['pull', 'x', '--nosuch'], 'waybill pull --help shows how'],
    [['pull', 'x', '--inclde', 'y'], 'Did you mean --include?'],
    [['pull'], "missing required argument 'source'"],
    [['pull', 'ftpx://h/x', 'out'], 'no store reads ftpx:'],
    [['pull', 'tree', 's3://bucket/x'], 'not yet'],
    [['pull', 'tree', 'out', '--if-exists', 'burn'], '--if-exists: "burn" is none of update'],
    [['pull', 'tree', 'out', '--expect', 'sha256:12'], '64 hexadecimal digits'],
    [['pull', 'tree', 'out', '--detach'], 'WAYBILL_SERVICE=background'],
    [['config', 'shw'], 'shw'],
  ])('answers %j with exit 2 and says what is wrong', async (args, said) => {
    const run = await runCli(args, { cwd, env: { ...env(), WAYBILL_SERVICE: 'inline' } });
    expect(run.exitCode).toBe(2);
    expect(run.stderr).toContain(said);
    expect(run.stdout).toBe('');
  });

  it('shows no stack without --debug, and the cause with it', async () => {
    const plain = await runCli(['verify', 'nosuch'], { cwd, env: env() });
    expect(plain.exitCode).toBe(4);
    expect(plain.stderr).not.toMatch(/\n\s+at /);
    const debug = await runCli(['verify', 'nosuch', '--debug'], { cwd, env: env() });
    expect(debug.stderr).toMatch(/\n\s+at /);
  });

  it('rule 3: never prints a secret of an address, whatever fails', async () => {
    const source = 'nosuch://me:hunter22@host/x?sig=abcdef123';
    const run = await runCli(['pull', source, 'out', '--debug', '--json'], { cwd, env: env() });
    expect(run.exitCode).toBe(2);
    expect(run.stdout + run.stderr).not.toMatch(/hunter22|abcdef123/);
  });
});

describe('--json', () => {
  it.each([
    [['pull', 'x', '--nosuch', '--json'], 'WB_USAGE'],
    [['pull', 'ftpx://h/x', 'out', '--json'], 'WB_UNSUPPORTED'],
    [['pull', '--json', '--', ''], 'WB_USAGE'],
    [['pull', '--json'], 'WB_USAGE'],
    [['pull', 'x', 'y', 'z', '--json'], 'WB_USAGE'],
    [['pull', 'tree', 'out', '--max-bytes', 'lots', '--json'], 'WB_USAGE'],
    [['nosuch', '--json'], 'WB_USAGE'],
    [['watch', 'a', 'b', '--json'], 'WB_USAGE'],
    [['config', 'shw', '--json'], 'WB_USAGE'],
    [['verify', '--nosuch', '--json'], 'WB_USAGE'],
  ])('ends with a result line that fits the schema, also for %j', async (args, code) => {
    const run = await runCli(args, { cwd, env: env() });
    const last = jsonLines(run.stdout).at(-1);
    expect(last).toMatchObject({ type: 'result', ok: false, exitCode: 2, code, failures: [] });
  });

  it('of a dry run says per file what would happen, and touches nothing', async () => {
    const run = await runCli(['pull', 'tree', 'out', '-n', '--json'], { cwd, env: env() });
    expect(run.exitCode).toBe(0);
    const lines = jsonLines(run.stdout);
    expect(lines.map(({ path, verdict }) => [path, verdict])).toEqual([
      ['a.bin', 'fetch'],
      ['deep/b.txt', 'fetch'],
      [undefined, undefined],
    ]);
    expect(lines.at(-1)).toMatchObject({ ok: true, destination: join(cwd, 'out'), bytes: 6 });
    expect(existsSync(join(cwd, 'out'))).toBe(false);
  });
});

describe('the commands that need no service', () => {
  it('ls lists one level, or everything', async () => {
    const one = await runCli(['ls', 'tree', '-q'], { cwd, env: env() });
    expect(one.stdout.trim().split('\n').sort()).toEqual(['a.bin', 'deep/']);
    const all = await runCli(['ls', 'tree', '-r', '--json'], { cwd, env: env() });
    const files = jsonLines(all.stdout).filter(({ kind }) => kind === 'file');
    expect(files.map(({ path, sizeBytes }) => [path, sizeBytes])).toEqual([
      ['a.bin', 5],
      ['deep/b.txt', 1],
    ]);
  });

  it('a dry run names a conflict and exits with 9', async () => {
    mkdirSync(join(cwd, 'mine'));
    writeFileSync(join(cwd, 'mine/a.bin'), 'mine');
    const run = await runCli(['pull', 'tree', 'mine', '-n'], { cwd, env: env() });
    expect(run.exitCode).toBe(9);
    expect(run.stdout).toContain('Waybill did not write it');
    expect(readFileSync(join(cwd, 'mine/a.bin'), 'utf8')).toBe('mine');
  });

  it('seal and verify agree, and verify names what changed with exit 6', async () => {
    mkdirSync(join(cwd, 'sealed'));
    writeFileSync(join(cwd, 'sealed/x'), 'one');
    writeFileSync(join(cwd, 'sealed/gone'), 'two');
    const sealed = await runCli(['seal', 'sealed', '-q'], { cwd, env: env() });
    expect(sealed.stdout).toMatch(/^[0-9a-f]{64}\n$/);
    expect((await runCli(['verify', 'sealed'], { cwd, env: env() })).exitCode).toBe(0);
    writeFileSync(join(cwd, 'sealed/x'), 'eno');
    rmSync(join(cwd, 'sealed/gone'));
    writeFileSync(join(cwd, 'sealed/new'), '');
    const run = await runCli(['verify', 'sealed'], { cwd, env: env() });
    expect(run.exitCode).toBe(6);
    expect(run.stdout).toMatch(/changed +x .*\n|missing +gone .*\n|extra +new .*\n/);
    expect(run.stdout.trim().split('\n').at(-1)).toContain('1 changed, 1 missing, 1 extra');
  });

  it('config show prints every value with its origin, and no secret', async () => {
    const run = await runCli(['config', 'show', '--json'], {
      cwd,
      env: {
        ...env(),
        WAYBILL_CONCURRENCY: '7',
        WAYBILL_TRACKING_URI: 'http://u:hunter22@host:5000',
      },
    });
    const [shown] = jsonLines(run.stdout);
    expect(shown?.['settings']).toContainEqual({
      name: 'concurrency',
      value: '7',
      origin: 'WAYBILL_CONCURRENCY',
    });
    expect(run.stdout).not.toContain('hunter22');
  });

  it('stores names the forms of every store', async () => {
    const run = await runCli(['stores'], { cwd, env: env() });
    for (const form of ['s3://bucket/prefix', 'models:/', '/absolute/path']) {
      expect(run.stdout).toContain(form);
    }
    expect(run.stdout).toMatch(/^ {2}pin +strong: ETag$/m);
    expect(run.stdout).toMatch(/^ {2}level +size to published$/m);
  });
});
