import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { scratchFolder } from '../helpers/processes.js';
import { ensureFish, ensureZsh } from '../helpers/shells.js';
import { openTerminal, type Terminal } from '../helpers/terminal.js';
import { runCli } from './run-cli.js';

const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const say = (line: string): void => void process.stderr.write(`${line}\n`);

let dir: string;
const open: Terminal[] = [];
let marks = 0;

beforeAll(() => {
  dir = scratchFolder('completion');
  for (const folder of ['bin', 'home', 'work/models-here']) {
    mkdirSync(join(dir, folder), { recursive: true });
  }
  writeFileSync(join(dir, 'work/weights.bin'), '');
  writeFileSync(join(dir, 'work/waybill.toml'), '[connections.laboratory]\ntype = "s3"\n');
  const program = join(dir, 'bin/waybill');
  writeFileSync(program, `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`);
  chmodSync(program, 0o755);
});

afterAll(async () => {
  await Promise.all(open.map((terminal) => terminal.close()));
  rmSync(dir, { recursive: true, force: true });
});

async function openShell(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Terminal> {
  const terminal = await openTerminal({
    command,
    columns: 100,
    rows: 40,
    cwd: join(dir, 'work'),
    env: {
      HOME: join(dir, 'home'),
      PATH: `${join(dir, 'bin')}:${process.env['PATH'] ?? ''}`,
      WAYBILL_STATE_DIR: join(dir, 'state'),
      ...env,
    },
  });
  open.push(terminal);
  return terminal;
}

/** What is typed before the tabulator, and what stands in the line after it. */
const TYPED: readonly (readonly [string, string])[] = [
  ['waybill ver', 'waybill verify '],
  ['waybill pull --if-e', 'waybill pull --if-exists '],
  ['waybill pull x --if-exists upd', 'waybill pull x --if-exists update '],
  ['waybill pull --require pub', 'waybill pull --require published '],
  ['waybill pull --connection lab', 'waybill pull --connection laboratory '],
  ['waybill pull x mod', 'waybill pull x models-here/'],
  ['waybill pull wei', 'waybill pull weights.bin '],
  ['waybill ls s3', 'waybill ls s3://'],
  ['waybill config sh', 'waybill config show '],
  ['waybill completion fi', 'waybill completion fish '],
  ['waybill help doc', 'waybill help doctor '],
];

/** Types each line with a tabulator, and then an Enter's worth of nothing: a mark after the cursor. */
async function complete(terminal: Terminal, typed: string): Promise<string> {
  // Ctrl-U empties the line, Ctrl-L the screen.
  await terminal.type('\u0015\u000c');
  await terminal.type(`${typed}\t`);
  // The line of before may still be there: each has an end of its own.
  const end = `END${(marks += 1)}_`;
  await terminal.type(end);
  const screen = await terminal.untilScreen(new RegExp(end, 'u'));
  const line = screen.split('\n').find((row) => row.includes(end)) ?? '';
  return line.slice(line.indexOf('waybill'), line.indexOf(end));
}

async function expectCompletions(terminal: Terminal): Promise<void> {
  for (const [typed, expected] of TYPED) {
    expect([typed, await complete(terminal, typed)]).toEqual([typed, expected]);
  }
}

describe('completion', () => {
  it('works in bash', async () => {
    const terminal = await openShell(['bash', '--norc', '--noprofile'], { PS1: '> ' });
    await terminal.type('source <(waybill completion bash); echo rea""dy\n');
    await terminal.untilScreen(/^ready/mu);
    await expectCompletions(terminal);
    // Bash splits the word at "=" and ":".
    expect(await complete(terminal, 'waybill pull --require=pub')).toBe(
      'waybill pull --require=published ',
    );
    expect(await complete(terminal, 'waybill pull models:/churn@champion mod')).toBe(
      'waybill pull models:/churn@champion models-here/',
    );
  });

  it('works in zsh', async () => {
    const zsh = await ensureZsh(say);
    const functions = join(zsh.root, 'usr/share/zsh/functions');
    const triplet = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';
    const modules = join(zsh.root, 'usr/lib', triplet, 'zsh');
    const version = existsSync(modules) ? (readdirSync(modules)[0] ?? '') : '';
    // It knows no other places than those of an installed one, and says at its start that its editor is not there.
    const places = [
      `module_path=(${join(modules, version)})`,
      `fpath=(${functions} ${functions}/**/*(/))`,
      'zmodload zsh/zle',
      'setopt zle',
    ];
    const terminal = await openShell([zsh.path, '-f'], { ...zsh.env, PS1: '> ' });
    await terminal.type(
      (zsh.root === '/' ? '' : `${places.join('; ')}; `) +
        'autoload -Uz compinit; compinit -u -D; ' +
        'source <(waybill completion zsh); echo rea""dy\n',
    );
    await terminal.untilScreen(/^ready/mu);
    await expectCompletions(terminal);
  });

  it('works in fish', async () => {
    const fish = await ensureFish(say);
    const functions = join(fish.root, 'usr/share/fish/functions');
    const plain =
      `set -p fish_function_path ${functions}; set -g fish_autosuggestion_enabled 0; ` +
      'function fish_prompt; echo "> "; end; function fish_right_prompt; end';
    const terminal = await openShell([fish.path, '--no-config', '-C', plain], fish.env);
    await terminal.type('waybill completion fish | source; echo rea""dy\n');
    await terminal.untilScreen(/^ready/mu);
    await expectCompletions(terminal);
  });

  it('starts no service, and knows no pull where none runs', async () => {
    const stateDir = join(dir, 'untouched');
    const asked = await runCli(['__complete', 'pulls'], {
      env: { HOME: dir, WAYBILL_STATE_DIR: stateDir },
    });
    expect(asked).toMatchObject({ exitCode: 0, stdout: '', stderr: '' });
    expect(existsSync(stateDir)).toBe(false);
  });

  it('is not made for other shells, and says for which', async () => {
    const run = await runCli(['completion', 'ksh'], { env: { HOME: dir } });
    expect(run.exitCode).toBe(2);
    expect(run.stderr).toContain('bash, zsh, fish');
  });
});
