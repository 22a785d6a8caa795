import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { fileURLToPath } from 'node:url';
import {
  ensureTmux,
  openTerminal,
  type Terminal,
  type TerminalOptions,
} from '../helpers/terminal.js';

const PLAY = fileURLToPath(new URL('./frames/play.js', import.meta.url));

let terminal: Terminal | undefined;

beforeAll(() => ensureTmux((line) => void process.stderr.write(`${line}\n`)));

afterEach(async () => {
  await terminal?.close();
  terminal = undefined;
});

async function play(options: Partial<TerminalOptions> = {}): Promise<Terminal> {
  terminal = await openTerminal({ command: [process.execPath, PLAY], ...options });
  return terminal;
}

const count = (lines: readonly string[], pattern: RegExp): number =>
  lines.filter((line) => pattern.test(line)).length;

/** The whole picture stands there, once. */
async function expectOnePicture(shown: Terminal, bar: RegExp): Promise<readonly string[]> {
  const once = [/^fetching/, /^Ctrl-C pauses/, /and 4 more/];
  return shown.untilRows(
    `one picture with ${bar}`,
    (rows) => bar.test(rows.join('\n')) && once.every((pattern) => count(rows, pattern) === 1),
  );
}

describe('a pull with ten retries in a real terminal', () => {
  it('is drawn once at every size, while lines that stay go above it, and leaves nothing behind', async () => {
    const shown = await play({ columns: 80, rows: 24 });
    // The widths of the bar: 40 at most, and what fits.
    await expectOnePicture(shown, /^fetching {2}━{20}─{20} {2}50 %$/mu);
    await shown.resize(40, 24);
    await expectOnePicture(shown, /^fetching {2}━{11}─{12,13} {2}50 %$/mu);
    await shown.resize(120, 30);
    await expectOnePicture(shown, /try 4: HTTP 503 from https:\/\/mlflow\.example/u);
    await shown.resize(30, 16);
    await shown.untilScreen(/^210 of 412 files, 2 failed$/mu);
    await shown.resize(80, 24);
    // It may have come while the window was low, and stand above what is shown.
    let lines: readonly string[] = [];
    while (!lines.includes('try 2 of shard-30: reset')) lines = await shown.history();
    await expectOnePicture(shown, /^fetching {2}━{20}─{20} {2}50 %$/mu);
    lines = await shown.history();
    expect(lines.filter((line) => line.startsWith('try 2 of shard-'))).toEqual([
      'try 2 of shard-10: reset',
      'try 2 of shard-20: reset',
      'try 2 of shard-30: reset',
    ]);
    await shown.type('q');
    expect(await shown.exitCode()).toBe(0);
    const left = (await shown.screen()).filter((line) => !line.startsWith('Pane is dead'));
    expect(count(left, /fetching {2}|Ctrl-C|% of|and 4 more/u)).toBe(0);
    expect(left.filter((line) => line !== '').at(-1)).toBe(
      '412 files, 624 GB: 410 published, 2 size',
    );
  });

  it('stays one picture when the window is low, and stands below what a shell wrote meanwhile', async () => {
    const shown = await play({
      command: ['sh', '-c', `"${process.execPath}" "${PLAY}"`],
      rows: 6,
    });
    await shown.untilRows('one picture', (rows) => count(rows, /^fetching/) === 1);
    expect(count(await shown.history(), /^fetching/)).toBeLessThan(2);
    await shown.type('q');
    expect(await shown.exitCode()).toBe(0);
  });

  it('is coloured, unless NO_COLOR says no', async () => {
    const shown = await play();
    await shown.untilScreen(/^Ctrl-C pauses it/mu);
    expect(await shown.colours()).toContain('\u001b[32m━');
    await shown.close();
    const plain = await play({ env: { NO_COLOR: '1' } });
    await plain.untilScreen(/^Ctrl-C pauses it/mu);
    expect(await plain.colours()).not.toContain('\u001b');
  });

  it('is ASCII where the locale is not UTF-8', async () => {
    const shown = await play({ env: { LC_ALL: 'C' } });
    const screen = await shown.untilScreen(/^Ctrl-C pauses it/mu);
    expect(screen).toMatch(/^fetching {2}#{20}\.{20} {2}50 %$/mu);
    expect(screen).toMatch(/^[\n -~]*$/u);
  });
});
