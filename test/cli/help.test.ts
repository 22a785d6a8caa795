import { describe, expect, it } from '@jest/globals';
import type { Command } from 'commander';
import { readFileSync } from 'node:fs';
import { EXAMPLES } from '../../src/cli/help.js';
import { buildProgram } from '../../src/cli/program.js';
import { EXIT_CODES, TOPIC_NAMES, topicText } from '../../src/cli/topics.js';
import { ERRORS } from '../../src/model/errors.js';
import { runCli } from './run-cli.js';

function allOf(command: Command): Command[] {
  return [command, ...command.commands.flatMap(allOf)];
}

function programOf(dispatch: () => Promise<void> = () => Promise.resolve()): Command {
  const program = buildProgram('0', dispatch);
  for (const command of allOf(program)) {
    command
      .exitOverride()
      .configureOutput({ writeErr: () => undefined, getOutHelpWidth: () => 80 });
  }
  return program;
}

function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({ writeOut: (part) => (text += part) });
  command.outputHelp();
  return text;
}

const shown = allOf(programOf()).filter((command) => !command.name().startsWith('__'));
const names = shown.map((command) => command.name());

/** The words of an example as a shell makes them; undefined for a line that is not ours alone. */
function wordsOf(line: string): readonly string[] | undefined {
  const [, inner] = /^(?:[A-Z]+=\$\(|source <\()?(waybill [^|)>]*)/.exec(line) ?? [];
  const typed = inner?.replace('sha256:9f86...', `sha256:${'9f86'.repeat(16)}`);
  return typed?.match(/"[^"]*"|'[^']*'|\S+/g)?.map((word) => word.replace(/^(["'])(.*)\1$/, '$2'));
}

describe('--help', () => {
  it.each(names)('of %s shows examples first, and is nowhere wider than 80 columns', (name) => {
    const command = shown.find((one) => one.name() === name);
    const text = command === undefined ? '' : helpOf(command);
    expect(text.startsWith('Examples:\n')).toBe(true);
    expect(text.split('\n').filter((line) => line.length > 80)).toEqual([]);
  });

  it('says of every option what it does', () => {
    const mute = shown.flatMap((command) =>
      command.options
        .filter(({ description }) => description.length < 8)
        .map(({ flags }) => `${command.name()} ${flags}`),
    );
    expect(mute).toEqual([]);
  });

  it('gives examples that can be typed', async () => {
    const lines = Object.values(EXAMPLES).flatMap((examples) => examples.map(([line]) => line));
    for (const line of lines) {
      const words = wordsOf(line);
      expect([line, words?.[0]]).toEqual([line, 'waybill']);
      let ran = 0;
      const program = programOf(() => Promise.resolve(void (ran += 1)));
      await program.parseAsync(['node', ...(words ?? [])]);
      expect([line, ran]).toEqual([line, 1]);
    }
  });

  it('exits with 0 and is on stdout; without a command it is an error on stderr', async () => {
    for (const args of [
      ['--help'],
      ['help'],
      ['pull', '--help'],
      ['help', 'pull'],
      ['help', 'levels'],
    ]) {
      const run = await runCli(args);
      expect([args, run.exitCode, run.stderr]).toEqual([args, 0, '']);
      expect(run.stdout).not.toBe('');
    }
    const bare = await runCli([]);
    expect([bare.exitCode, bare.stdout]).toEqual([2, '']);
    expect(bare.stderr).toContain('waybill pull models:/');
  });
});

describe('the topics of help', () => {
  it.each(TOPIC_NAMES)('%s fits into 80 columns', (name) => {
    const lines = (topicText(name) ?? '').split('\n');
    expect(lines.length).toBeGreaterThan(4);
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
  });

  it('tell of every exit code, in the words of docs/exit-codes.md', () => {
    const page = readFileSync(new URL('../../../docs/exit-codes.md', import.meta.url), 'utf8');
    const rows = [...page.matchAll(/^\| (\d+) +\| (.*?) +\|/gm)].map(([, code, text]) => [
      code,
      text,
    ]);
    expect(Object.entries(EXIT_CODES)).toEqual(rows);
    const used = new Set(Object.values(ERRORS).map((row) => String(row.exitCode)));
    expect(rows.map(([code]) => code)).toEqual(expect.arrayContaining([...used]));
  });
});
