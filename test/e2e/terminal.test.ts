/** One pull in a real terminal: keys, signals and a closed window, and what the pull does then. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ensureTmux, type Terminal, type TerminalOptions } from '../helpers/terminal.js';
import { openWaybill, type WaybillBed } from '../helpers/waybill.js';
import { startSlowSource, UNRECORDED_BYTES, type SlowSource } from './half-way.js';

/** A command with two paths of the temp folder stays on one line. */
const WIDE = 300;
const LONG_MS = 300_000;
const MiB = 1024 * 1024;

let source: SlowSource;
let bed: WaybillBed;
let terminal: Terminal | undefined;
let count = 0;
let uri: string;
let destination: string;

beforeAll(async () => {
  await ensureTmux((line) => void process.stderr.write(`${line}\n`));
  source = await startSlowSource();
  bed = openWaybill();
  expect((await bed.run(['setup', '-q'])).exitCode).toBe(0);
}, LONG_MS);

afterAll(async () => {
  await source.stop();
  await bed.close();
}, LONG_MS);

beforeEach(() => {
  source.slowDown();
  count += 1;
  uri = source.uri(`pull-${count}`);
  destination = join(bed.dir, `pull-${count}`, 'model.bin');
});

afterEach(async () => {
  await terminal?.close();
  terminal = undefined;
});

/** The pull in a terminal, with its picture drawn and a part of it recorded. */
async function pullHalfWay(options: Partial<TerminalOptions> = {}): Promise<Terminal> {
  terminal = await bed.inTerminal(['pull', uri, destination], { columns: WIDE, ...options });
  await source.untilHalfWay(destination);
  await terminal.untilScreen(/^Ctrl-C /mu);
  return terminal;
}

async function statusOf(): Promise<{ state?: string; phase?: string; isIdle: boolean }> {
  const { result } = await bed.run(['status', destination, '--json']);
  const { state, progress, inFlight } = result as {
    state?: string;
    progress?: { phase: string };
    inFlight?: readonly unknown[];
  };
  return { ...(state && { state }), ...(progress && progress), isIdle: inFlight?.length === 0 };
}

/** Its command has left; what its workers had in hand is put down a moment later. */
async function untilPaused(): Promise<void> {
  for (;;) {
    const { state, phase, isIdle } = await statusOf();
    expect(state).toBe('running');
    if (phase === 'paused' && isIdle) return;
    await sleep(100);
  }
}

/**
 * Its command has left at once: whether it pauses depends on how far its word has got. If it does, it does so before the
 * source hurries: what is in the sockets then would come twice.
 */
async function untilSettled(): Promise<void> {
  for (let looks = 0; looks < 12; looks += 1) {
    const { state, phase, isIdle } = await statusOf();
    expect(state).toBe('running');
    if (phase === 'paused' && isIdle) return;
    await sleep(100);
  }
}

/** It runs in the background, and is let to its end. */
async function expectGoesOn(): Promise<void> {
  source.hurry();
  expect(await bed.run(['watch', destination])).toMatchObject({ exitCode: 0 });
  source.expectWhole(destination);
}

/** The same command goes on with it, and what was kept does not come twice. */
async function expectResumable(
  where: WaybillBed = bed,
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  const served = source.bytesServed(`pull-${count}`);
  source.hurry();
  const { exitCode, stderr } = await where.run(['pull', uri, destination], { env });
  expect([exitCode, exitCode === 0 ? '' : stderr]).toEqual([0, '']);
  source.expectWhole(destination);
  const again = source.bytesServed(`pull-${count}`) - served;
  expect(again).toBeLessThanOrEqual(UNRECORDED_BYTES + MiB);
}

/** Whether a process lives; one that has ended and that its parent has not asked for yet does not. */
function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/u.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

async function untilGone(pid: number): Promise<void> {
  while (isAlive(pid)) await sleep(50);
}

const words = (screen: readonly string[]): string[] =>
  screen.filter((line) => line !== '' && !line.startsWith('Pane is dead'));

describe('a pull in a terminal', () => {
  it(
    'that is closed goes on by itself to its end, with the service that it started',
    async () => {
      const shown = await pullHalfWay();
      const pid = await shown.pid();
      await shown.close();
      await expectGoesOn();
      // The command has seen the end too, and does not stay.
      await untilGone(pid);
    },
    LONG_MS,
  );

  it(
    'stops at Ctrl-C: no byte flows any more, what is kept and the command to go on stand there, exit 130',
    async () => {
      const shown = await pullHalfWay();
      await shown.type('\x03');
      expect(await shown.exitCode()).toBe(130);
      await source.expectStopped(`pull-${count}`);
      await untilPaused();
      const left = words(await shown.screen());
      expect(left.slice(-2)).toEqual([
        expect.stringMatching(/^Kept: [\d.]+ MB of 42 MB, in .*model\.bin$/u),
        `Go on with: waybill pull ${uri} ${destination}`,
      ]);
      // The picture is gone.
      expect(left.join('\n')).not.toMatch(/^fetching {2}|^Ctrl-C pauses/mu);
      expect(existsSync(destination)).toBe(false);
      await expectResumable();
    },
    LONG_MS,
  );

  it(
    'is left at once by a second Ctrl-C, which cancels nothing',
    async () => {
      const shown = await pullHalfWay();
      const { result } = await bed.run(['doctor', '--json']);
      const { worker } = result['processes'] as { worker: number };
      // As long as its worker stands still the pull cannot answer that it is paused.
      process.kill(worker, 'SIGSTOP');
      try {
        await shown.type('\x03');
        await shown.untilScreen(/^pausing at the next part; Ctrl-C again leaves at once$/mu);
        await shown.type('\x03');
        expect(await shown.exitCode()).toBe(130);
      } finally {
        if (isAlive(worker)) process.kill(worker, 'SIGCONT');
      }
      expect(words(await shown.screen()).slice(-2)).toEqual([
        'Left at once; nothing is cancelled: the pull pauses, or goes on in the background.',
        `Look: waybill status ${destination}   Go on with: waybill pull ${uri} ${destination}`,
      ]);
      await untilSettled();
      await expectResumable();
    },
    LONG_MS,
  );

  it(
    'is left at once by two Ctrl-C that arrive together',
    async () => {
      const shown = await pullHalfWay();
      await shown.type('\x03\x03');
      expect(await shown.exitCode()).toBe(130);
      expect(words(await shown.screen()).join('\n')).toContain(
        'Left at once; nothing is cancelled',
      );
      await untilSettled();
      await expectResumable();
    },
    LONG_MS,
  );

  it(
    'goes to the background by the key d, and there to its end',
    async () => {
      const shown = await pullHalfWay();
      await shown.type('d');
      expect(await shown.exitCode()).toBe(0);
      const [, id = ''] = /goes on in the background as (\S+)\.$/mu.exec(
        words(await shown.screen()).join('\n'),
      ) ?? [''];
      expect(await bed.run(['status', id, '--json'])).toMatchObject({
        result: { state: 'running', destination },
      });
      await expectGoesOn();
    },
    LONG_MS,
  );

  it(
    'stops at SIGTERM as at Ctrl-C, with exit 143',
    async () => {
      const shown = await pullHalfWay();
      process.kill(await shown.pid(), 'SIGTERM');
      expect(await shown.exitCode()).toBe(143);
      await source.expectStopped(`pull-${count}`);
      await untilPaused();
      expect(words(await shown.screen()).at(-1)).toMatch(/^Go on with: waybill pull /u);
      await expectResumable();
    },
    LONG_MS,
  );

  it(
    'goes on at SIGHUP, and the command with it',
    async () => {
      const shown = await pullHalfWay();
      process.kill(await shown.pid(), 'SIGHUP');
      source.hurry();
      expect(await shown.exitCode()).toBe(0);
      source.expectWhole(destination);
    },
    LONG_MS,
  );

  it(
    'goes on when its command is killed; the same command joins it, and its Ctrl-C only stops watching',
    async () => {
      const killed = await pullHalfWay();
      const pid = await killed.pid();
      process.kill(pid, 'SIGKILL');
      await untilGone(pid);
      await killed.close();
      const joined = await pullHalfWay();
      await joined.untilScreen(/joined: it was running already/u);
      await joined.type('\x03');
      expect(await joined.exitCode()).toBe(130);
      const left = words(await joined.screen()).join('\n');
      expect(left).toContain(
        'Stopped watching; the pull goes on, because another command started it.',
      );
      expect(left).toMatch(/Look: waybill watch \S+ {3}Stop it: waybill pause \S+/u);
      const { state, phase } = await statusOf();
      expect([state, phase]).toEqual(['running', expect.not.stringContaining('paused')]);
      await expectGoesOn();
    },
    LONG_MS,
  );

  it(
    'is one picture at every width of its window',
    async () => {
      const shown = await pullHalfWay({ columns: 80 });
      for (const [columns, bar] of [
        [40, '23,26'],
        [120, '40'],
        [80, '40'],
      ] as const) {
        await shown.resize(columns, 24);
        await shown.untilScreen(new RegExp(`^fetching {2}[━─]{${bar}} +\\d+ %$`, 'mu'));
        await shown.untilRows(`one picture of ${columns} columns`, (rows) =>
          ['fetching', 'Ctrl-C pauses'].every(
            (start) => rows.filter((row) => row.startsWith(start)).length === 1,
          ),
        );
      }
      source.hurry();
      expect(await shown.exitCode()).toBe(0);
      expect(words(await shown.screen()).at(-1)).toBe('1 file, 42 MB: 1 size');
    },
    LONG_MS,
  );
});

describe('a pull whose service lives with its command, as in a container', () => {
  const env = { WAYBILL_SERVICE: 'inline' };

  /** Ends a command in a terminal half-way; its exit code, once no process of it is left. */
  async function stopHalfWay(
    inline: WaybillBed,
    how: 'SIGTERM' | 'Ctrl-C' | 'SIGKILL',
  ): Promise<number | undefined> {
    terminal = await inline.inTerminal(['pull', uri, destination], { env, columns: WIDE });
    await source.untilHalfWay(destination);
    await terminal.untilScreen(/^Ctrl-C pauses it$/mu);
    const { result } = await inline.run(['doctor', '--json'], { env });
    const processes = Object.values(result['processes'] as Record<string, number>);
    expect(processes.length).toBeGreaterThanOrEqual(3);
    if (how === 'Ctrl-C') await terminal.type('\x03');
    else process.kill(await terminal.pid(), how);
    if (how === 'SIGKILL') {
      // What it leaves ends by itself.
      for (const one of processes) await untilGone(one);
      await terminal.close();
      return undefined;
    }
    const exitCode = await terminal.exitCode();
    expect(words(await terminal.screen()).at(-1)).toMatch(/^Go on with: waybill pull /u);
    await terminal.close();
    expect(processes.filter(isAlive)).toEqual([]);
    return exitCode;
  }

  it(
    'stops at SIGTERM and at Ctrl-C, and ends when it is killed; no process is left, and the same command goes on each time',
    async () => {
      const inline = openWaybill();
      try {
        expect(await stopHalfWay(inline, 'SIGTERM')).toBe(143);
        expect(await stopHalfWay(inline, 'Ctrl-C')).toBe(130);
        await stopHalfWay(inline, 'SIGKILL');
        await expectResumable(inline, env);
      } finally {
        await inline.close();
      }
    },
    LONG_MS,
  );

  it(
    'goes on to its end when the terminal is closed',
    async () => {
      const inline = openWaybill();
      try {
        terminal = await inline.inTerminal(['pull', uri, destination], { env, columns: WIDE });
        await source.untilHalfWay(destination);
        const pid = await terminal.pid();
        await terminal.close();
        source.hurry();
        await untilGone(pid);
        source.expectWhole(destination);
      } finally {
        await inline.close();
      }
    },
    LONG_MS,
  );
});
