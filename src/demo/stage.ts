import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { WaybillError } from '../model/errors.js';

/** Where the demo speaks. */
export interface DemoIo {
  /** What goes on, a line at a time. */
  readonly say: (line: string) => void;
  /** The proof of a scene, one line. */
  readonly prove: (line: string) => void;
}

export interface StageOptions {
  readonly io: DemoIo;
  readonly cacheDir: string;
  /** What may be inherited: the PATH and the like, no address and no credential. */
  readonly env: Readonly<Record<string, string>>;
  /** A Temporal CLI that was found or got. */
  readonly temporalCli: string;
  readonly signal: AbortSignal;
}

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A folder, a state and an environment of its own, and the real command in them. */
export interface Stage {
  /** Everything that the demo makes lies in it. */
  readonly dir: string;
  readonly io: DemoIo;
  readonly signal: AbortSignal;
  /** The environment of the commands; their own state, their own configuration, none of the user's. */
  readonly env: Readonly<Record<string, string>>;
  /** Shows and runs a Waybill command; what it says is shown indented unless `isQuiet`. */
  waybill(args: readonly string[], options?: { isQuiet?: boolean }): Promise<CommandResult>;
  /** Done when the stage is struck, the latest first. */
  onStrike(work: () => Promise<void>): void;
  /** Stops the service and takes everything away; `isKept` leaves the folder. */
  strike(isKept: boolean): Promise<void>;
}

const MAIN = fileURLToPath(new URL('../cli/main.js', import.meta.url));

/** Sets the stage in a new folder of the temp folder. */
export async function setStage(options: StageOptions): Promise<Stage> {
  const { io, signal } = options;
  const dir = await mkdtemp(join(tmpdir(), 'waybill-demo-'));
  const config = join(dir, 'config');
  await mkdir(config);
  const env = {
    ...options.env,
    XDG_CONFIG_HOME: config,
    WAYBILL_STATE_DIR: join(dir, 'state'),
    WAYBILL_CACHE_DIR: options.cacheDir,
    WAYBILL_TEMPORAL_CLI: options.temporalCli,
    WAYBILL_SERVICE: 'background',
  };
  const struck: (() => Promise<void>)[] = [];
  const running = new Set<ChildProcess>();
  const waybill: Stage['waybill'] = async (args, { isQuiet = false } = {}) => {
    signal.throwIfAborted();
    if (!isQuiet) io.say(`  $ waybill ${args.map(shown).join(' ')}`);
    return runCommand({ args, dir, env, signal, running, ...(isQuiet ? {} : { say: io.say }) });
  };
  return {
    dir,
    io,
    signal,
    env,
    waybill,
    onStrike: (work) => void struck.unshift(work),
    strike: async (isKept) => {
      // A command that still runs would start the service again.
      await Promise.all([...running].map(endNow));
      for (const work of struck) await work().catch(() => undefined);
      await runCommand({ args: ['down', '--force'], dir, env }).catch(() => undefined);
      if (!isKept) await rm(dir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

interface CommandRun {
  readonly args: readonly string[];
  readonly dir: string;
  readonly env: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  readonly say?: (line: string) => void;
  /** Commands that have not ended yet. */
  readonly running?: Set<ChildProcess>;
}

async function endNow(child: ChildProcess): Promise<void> {
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
  });
  child.kill('SIGKILL');
  await ended;
}

async function runCommand(run: CommandRun): Promise<CommandResult> {
  // Of its own group: a Ctrl-C at the terminal is the demo's to answer.
  const child = spawn(process.execPath, [MAIN, ...run.args], {
    cwd: run.dir,
    env: run.env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  run.running?.add(child);
  child.once('close', () => run.running?.delete(child));
  const end = (): void => void child.kill('SIGTERM');
  run.signal?.addEventListener('abort', end, { once: true });
  const said = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    createInterface({ input: child[stream] }).on('line', (line) => {
      said[stream] += `${line}\n`;
      run.say?.(`    ${line}`);
    });
  }
  const exitCode = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
  run.signal?.removeEventListener('abort', end);
  run.signal?.throwIfAborted();
  return { exitCode, ...said };
}

function shown(argument: string): string {
  return /^[\w@%+=:,./-]+$/u.test(argument) ? argument : `'${argument.replaceAll("'", `'\\''`)}'`;
}

/** What a scene throws when its proof does not hold. */
export function unproven(what: string): WaybillError {
  return new WaybillError('WB_UNEXPECTED', `the demo could not show it: ${what}`, {
    operation: 'demo',
  });
}
