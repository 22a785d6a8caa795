/**
 * The real command line with a real local service, in a state folder of its own. What it prints with `--json` is held
 * to the shipped schemas. In a test:
 *
 *     const bed = openWaybill();
 *     const { exitCode, result } = await bed.run(['pull', uri, destination, '--json'], { env: minio.env });
 *     const pulling = bed.start(['pull', uri, destination]);
 *     await pulling.untilOutput(/fetching/u); pulling.signal('SIGINT'); ... await pulling.done;
 *     await bed.close();                        // always: stops the service, removes the folder
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NETWORK_VARIABLES } from '../../src/stores/lib/network-variables.js';
import { checkJsonOutput } from './json-output.js';
import { scratchFolder, scrubbedEnv } from './processes.js';
import { openTerminal, type Terminal, type TerminalOptions } from './terminal.js';

const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Another state folder than the bed's. */
  readonly stateDir?: string;
  /** Ends the command, and fails, after so long; 5 minutes by default. */
  readonly timeoutMs?: number;
  /** What runs the command, as `env` does: a program and its arguments. */
  readonly runner?: readonly string[];
  /** The script of another Waybill's command (releases.ts). */
  readonly main?: string;
  /** What stands on stdin; nothing by default. */
  readonly stdin?: string;
}

/** What a command left. */
export interface WaybillRun {
  /** As a shell counts it: 128 and the number of the signal that ended it. */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The last line of stdout, where it is a JSON object; else empty. */
  readonly result: Readonly<Record<string, unknown>>;
  /** Every line of stdout that is a JSON object. */
  readonly events: readonly Readonly<Record<string, unknown>>[];
}

/** A command that runs. */
export interface RunningWaybill {
  readonly pid: number;
  readonly done: Promise<WaybillRun>;
  stdout(): string;
  stderr(): string;
  signal(name: NodeJS.Signals): void;
  /** Resolves once stdout and stderr together match; fails when the command ends before. */
  untilOutput(pattern: RegExp): Promise<void>;
}

export interface WaybillBed {
  readonly stateDir: string;
  /** A folder for destinations and the like, removed at the end. */
  readonly dir: string;
  run(args: readonly string[], options?: RunOptions): Promise<WaybillRun>;
  start(args: readonly string[], options?: RunOptions): RunningWaybill;
  /** Runs a command in a terminal of its own, whose process is the command itself. */
  inTerminal(args: readonly string[], options?: Partial<TerminalOptions>): Promise<Terminal>;
  /** All that the service has written into its state folder as text: logs, records. */
  stateText(): string;
  /** `waybill down --force`, then the folder is removed. */
  close(): Promise<void>;
}

/** Makes a state folder and a scratch folder. `base` is where they lie, the temp folder by default. */
export function openWaybill(base: string = scratchFolder('e2e')): WaybillBed {
  const stateDir = join(base, 'state');
  const dir = join(base, 'work');
  mkdirSync(dir, { recursive: true });
  const withDefaults = (options: RunOptions): RunOptions => ({ stateDir, cwd: dir, ...options });
  return {
    stateDir,
    dir,
    run: (args, options = {}) => runWaybill(args, withDefaults(options)),
    start: (args, options = {}) => startWaybill(args, withDefaults(options)),
    inTerminal: (args, options = {}) =>
      openTerminal({
        cwd: dir,
        ...options,
        command: [process.execPath, MAIN, ...args],
        env: { ...placesOf(stateDir), ...shellsOwn(), ...options.env },
      }),
    stateText: () => textOfFolder(stateDir),
    close: async () => {
      await runWaybill(['down', '--force'], { stateDir, cwd: dir });
      rmSync(base, { recursive: true, force: true });
    },
  };
}

/** Runs a command to its end; its failure is a result. */
export async function runWaybill(
  args: readonly string[],
  options: RunOptions = {},
): Promise<WaybillRun> {
  return startWaybill(args, options).done;
}

/** Starts a command. Settings of whoever runs the tests do not reach it. */
export function startWaybill(args: readonly string[], options: RunOptions = {}): RunningWaybill {
  const { stateDir, timeoutMs = 300_000 } = options;
  const [program = '', ...words] = [
    ...(options.runner ?? []),
    process.execPath,
    options.main ?? MAIN,
    ...args,
  ];
  const child = spawn(program, words, {
    env: scrubbedEnv({ ...placesOf(stateDir), ...options.env }),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const said = { out: '', error: '' };
  const listeners = new Set<() => void>();
  const heard = (): void => listeners.forEach((listener) => listener());
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said.out += text;
    heard();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said.error += text;
    heard();
  });
  child.stdin.on('error', () => undefined).end(options.stdin ?? '');
  let isOver = false;
  const done = new Promise<WaybillRun>((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      const name = ['waybill', ...args].join(' ');
      reject(new Error(`${name} did not end in ${timeoutMs} ms:\n${said.out}\n${said.error}`));
    }, timeoutMs);
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      isOver = true;
      heard();
      const exitCode = code ?? 128 + (SIGNAL_NUMBERS[signal ?? ''] ?? 0);
      const ended = { args, env: options.env ?? {}, stdout: said.out, exitCode };
      try {
        // Another release answers for its own schemas.
        if (options.main === undefined) checkJsonOutput({ ...ended, wasKilled: code === null });
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
      }
      resolve(runOf(exitCode, said.out, said.error));
    });
  });
  // Whoever started it may look at its end later.
  done.catch(() => undefined);
  return {
    pid: child.pid ?? 0,
    done,
    stdout: () => said.out,
    stderr: () => said.error,
    signal: (name) => void child.kill(name),
    untilOutput: (pattern) =>
      new Promise<void>((resolve, reject) => {
        const look = (): void => {
          if (pattern.test(said.out + said.error)) resolve();
          else if (isOver) reject(new Error(`ended before ${pattern}:\n${said.out}${said.error}`));
          else return;
          listeners.delete(look);
        };
        listeners.add(look);
        look();
      }),
  };
}

/** Which service a command talks to, and where it finds what it needs. */
function placesOf(stateDir: string | undefined): Record<string, string> {
  const cache = process.env['WAYBILL_CACHE_DIR'];
  const temporal = process.env['WAYBILL_TEMPORAL_CLI'];
  return {
    WAYBILL_SERVICE: 'background',
    ...(stateDir === undefined ? {} : { WAYBILL_STATE_DIR: stateDir }),
    ...(cache === undefined ? {} : { WAYBILL_CACHE_DIR: cache }),
    ...(temporal === undefined ? {} : { WAYBILL_TEMPORAL_CLI: temporal }),
  };
}

/** What a terminal's command gets of this environment, so that its request equals one of `run`: the way to the network. */
function shellsOwn(): Record<string, string> {
  const { settings, secrets } = NETWORK_VARIABLES;
  const names = ['HOME', ...settings, ...secrets];
  const own = scrubbedEnv();
  const found = names.map((name) => [name, own[name]] as const);
  return Object.fromEntries(found.flatMap(([name, value]) => (value ? [[name, value]] : [])));
}

const SIGNAL_NUMBERS: Readonly<Record<string, number>> = { SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };

function runOf(exitCode: number, stdout: string, stderr: string): WaybillRun {
  const lines = stdout.split('\n').filter((line) => line !== '');
  const events = lines.map(parseObject).filter((value) => value !== undefined);
  return { exitCode, stdout, stderr, events, result: parseObject(lines.at(-1) ?? '') ?? {} };
}

function parseObject(line: string): Readonly<Record<string, unknown>> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

function textOfFolder(folder: string): string {
  if (!existsSync(folder)) return '';
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => textIfThere(join(entry.parentPath, entry.name)))
    .join('\n');
}

/** Empty for a file that its service has just removed. */
function textIfThere(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
