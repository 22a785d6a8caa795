/**
 * A real terminal without a window: tmux, which keeps the picture that a program draws. In a test:
 *
 *     const terminal = await openTerminal({ command: ['bash', '--norc'], columns: 80, rows: 24, env });
 *     await terminal.type('ls\n');
 *     await terminal.untilScreen(/total/u);
 *     await terminal.resize(40, 20);
 *     await terminal.close();
 */
import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { ensureDebianProgram, type DebianProgram } from './debian.js';
import { scratchFolder } from './processes.js';

const run = promisify(execFile);

/** tmux, the system's own or from Debian's packages in the cache. */
export async function ensureTmux(onProgress: (line: string) => void): Promise<DebianProgram> {
  const packages = ['tmux', 'libevent-core-2.1-7', 'libutempter0', 'libtinfo6'];
  return ensureDebianProgram({ name: 'tmux', binary: '/usr/bin/tmux', packages }, onProgress);
}

export interface TerminalOptions {
  readonly command: readonly string[];
  readonly columns?: number;
  readonly rows?: number;
  readonly cwd?: string;
  /** All of it: nothing of this process is inherited but PATH. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface Terminal {
  /** What is on the screen, a string a row, blanks at the ends cut off. */
  screen(): Promise<string[]>;
  /** The screen as one text, with the escape sequences of its colours. */
  colours(): Promise<string>;
  /** The screen with what has scrolled away. */
  history(): Promise<string[]>;
  /** Types text; `\n` is Enter, `\t` the tabulator, `\x03` Ctrl-C. */
  type(text: string): Promise<void>;
  resize(columns: number, rows: number): Promise<void>;
  /** Resolves once the screen as one text matches; fails with it after two minutes. */
  untilScreen(pattern: RegExp): Promise<string>;
  /** Resolves once the rows are so: a look may fall into the moment in which a picture is drawn anew. */
  untilRows(what: string, isSo: (rows: readonly string[]) => boolean): Promise<readonly string[]>;
  /** The exit code, once the program has ended by itself; one that a signal ends has none. */
  exitCode(): Promise<number>;
  /** The process id of the program. */
  pid(): Promise<number>;
  /** Closes the terminal as a window is closed: the program hears of it by SIGHUP, and may go on. */
  close(): Promise<void>;
}

const LIMIT_MS = 120_000;
const LOOK_MS = 25;

/** Opens a terminal and runs the command in it; the picture stays when it has ended. */
export async function openTerminal(options: TerminalOptions): Promise<Terminal> {
  const program = await ensureTmux((line) => process.stderr.write(`${line}\n`));
  const dir = scratchFolder('terminal');
  const { columns = 80, rows = 24 } = options;
  const env = {
    PATH: process.env['PATH'] ?? '',
    LC_ALL: 'C.UTF-8',
    SHELL: '/bin/sh',
    ...program.env,
    TMUX_TMPDIR: dir,
  };
  const tmux = async (...args: readonly string[]): Promise<string> => {
    const { stdout } = await run(program.path, ['-u', '-L', 'test', '-f', '/dev/null', ...args], {
      env,
      cwd: options.cwd,
    });
    return stdout;
  };
  const inside = Object.entries({ LC_ALL: 'C.UTF-8', TERM: 'screen', ...options.env });
  const command = [
    'env',
    '-i',
    `PATH=${env.PATH}`,
    ...inside.map(([name, value]) => `${name}=${value}`),
    ...options.command,
  ];
  const size = ['-x', String(columns), '-y', String(rows)];
  // The options have to stand before the program starts: it may end at once.
  await tmux(
    ...[
      'start-server',
      ';',
      'set',
      '-g',
      'remain-on-exit',
      'on',
      ';',
      'set',
      '-g',
      'status',
      'off',
    ],
    ...[';', 'new-session', '-d', ...size, '--', ...command],
  );
  const capture = async (...more: readonly string[]): Promise<string[]> =>
    (await tmux('capture-pane', '-p', ...more)).replace(/\n+$/, '').split('\n');
  const deadStatus = async (): Promise<string> =>
    (await tmux('display-message', '-p', '#{pane_dead}:#{pane_dead_status}:#{pid}')).trim();
  const until = async <T>(what: string, look: () => Promise<T | undefined>): Promise<T> => {
    const deadlineMs = performance.now() + LIMIT_MS;
    for (;;) {
      const found = await look();
      if (found !== undefined) return found;
      if (performance.now() > deadlineMs) {
        throw new Error(`${what} was waited for in vain:\n${(await capture()).join('\n')}`);
      }
      await sleep(LOOK_MS);
    }
  };
  return {
    screen: () => capture(),
    colours: async () => (await capture('-e')).join('\n'),
    history: () => capture('-S', '-'),
    // tmux ends its own command at a semicolon that ends a word.
    type: async (text) => void (await tmux('send-keys', '-l', '--', text.replace(/;$/, '\\;'))),
    resize: async (width, height) =>
      void (await tmux('resize-window', '-x', String(width), '-y', String(height))),
    untilScreen: (pattern) =>
      until(String(pattern), async () => {
        const text = (await capture()).join('\n');
        return pattern.test(text) ? text : undefined;
      }),
    untilRows: (what, isSo) =>
      until(what, async () => {
        const rows = await capture();
        return isSo(rows) ? rows : undefined;
      }),
    exitCode: () =>
      until('the end of the program', async () => {
        const [isDead, status = '', server] = (await deadStatus()).split(':');
        if (isDead === '1' && status !== '') return Number(status);
        // tmux 3.3 sometimes misses that its program has ended: told again, it asks for the status.
        if (isDead === '1') process.kill(Number(server), 'SIGCHLD');
        return undefined;
      }),
    pid: async () => Number((await tmux('display-message', '-p', '#{pane_pid}')).trim()),
    close: async () => {
      await tmux('kill-server').catch(() => undefined);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
