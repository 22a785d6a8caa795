/** A person at a shell who types what `waybill doctor` prints. */
import { spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  linkSync,
  mkdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DoctorCheck } from '../../src/service/doctor.js';
import { cachedTemporalCliPath, ensureTemporalCli } from '../../src/service/temporal-cli.js';
import { cacheFolder } from '../helpers/cache.js';
import { checkJsonOutput } from '../helpers/json-output.js';
import { openRoot } from '../helpers/open-root.js';
import { scratchFolder } from '../helpers/processes.js';

const WELL_WITHIN_MS = 90_000;

export type Environment = Readonly<Record<string, string>>;

export interface Shell {
  /** Holds everything below; `state`, `cache` and `home` are in it. */
  readonly base: string;
  readonly stateDir: string;
  readonly cacheDir: string;
  /** The Temporal CLI of the tests. */
  readonly cliPath: string;
  run(script: string, options?: ShellOptions): Promise<ShellRun>;
  doctor(options?: ShellOptions): Promise<Examined>;
  /** Types the command of each finding, top to bottom, until nothing is found; answers what was typed. */
  mend(options?: ShellOptions, examined?: Examined): Promise<string[]>;
  close(): Promise<void>;
}

export interface ShellOptions {
  readonly env?: Environment;
  readonly userId?: number | undefined;
  /** Lines that this shell was given before. */
  readonly before?: readonly string[];
}

export interface ShellRun {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Examined {
  readonly exitCode: number;
  readonly checks: readonly DoctorCheck[];
  readonly processes: Readonly<Record<string, number | undefined>>;
}

/** Makes the folders, and a `waybill` on the PATH. */
export async function openShell(): Promise<Shell> {
  const base = scratchFolder('doctor');
  const shell = new RealShell(base);
  await shell.prepare();
  return shell;
}

class RealShell implements Shell {
  readonly stateDir: string;
  readonly cacheDir: string;
  cliPath = '';
  readonly #root = openRoot();
  readonly #serving: ReturnType<typeof spawn>[] = [];

  constructor(readonly base: string) {
    this.stateDir = join(base, 'state');
    this.cacheDir = join(base, 'cache');
  }

  async prepare(): Promise<void> {
    const onProgress = (line: string): void => void process.stderr.write(`${line}\n`);
    const explicitPath = process.env['WAYBILL_TEMPORAL_CLI'];
    const cli = await ensureTemporalCli({ cacheDir: cacheFolder(), explicitPath, onProgress });
    this.cliPath = cli.path;
    mkdirSync(join(this.base, 'bin'));
    mkdirSync(join(this.base, 'home'));
    giveCli(cli.path, this.cacheDir);
    const waybill = join(this.base, 'bin', 'waybill');
    const main = this.#root.path('dist/src/cli/main.js');
    writeFileSync(waybill, `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`);
    chmodSync(waybill, 0o755);
  }

  run(script: string, options: ShellOptions = {}): Promise<ShellRun> {
    const child = this.#spawn(script, options);
    return new Promise((resolve, reject) => {
      const said = { stdout: '', stderr: '' };
      child.stdout?.setEncoding('utf8').on('data', (text: string) => (said.stdout += text));
      child.stderr?.setEncoding('utf8').on('data', (text: string) => (said.stderr += text));
      child.once('error', reject);
      child.once('close', (code) => resolve({ exitCode: code ?? 128, ...said }));
    });
  }

  async doctor(options: ShellOptions = {}): Promise<Examined> {
    const script = [...(options.before ?? []), 'waybill doctor --json'].join('\n');
    const { exitCode, stdout, stderr } = await this.run(script, options);
    const last = stdout.trimEnd().split('\n').at(-1) ?? '';
    if (!last.startsWith('{')) throw new Error(`no report:\n${stdout}\n${stderr}`);
    checkJsonOutput({
      args: ['doctor', '--json'],
      stdout: `${last}\n`,
      exitCode,
      wasKilled: false,
    });
    const report = JSON.parse(last) as Omit<Examined, 'exitCode'>;
    return { exitCode, checks: report.checks, processes: report.processes };
  }

  async mend(options: ShellOptions = {}, examined?: Examined): Promise<string[]> {
    const typed: string[] = [];
    // What a shell keeps of a command is its variables.
    const before = (): string[] => typed.filter((line) => /^(export|unset) /u.test(line));
    const deadlineMs = performance.now() + WELL_WITHIN_MS;
    for (let report = examined; ; report = undefined) {
      const seen = report ?? (await this.doctor({ ...options, before: before() }));
      const { checks, exitCode } = seen;
      const bad = checks.filter(({ result }) => result !== 'ok');
      if (bad.length === 0 && exitCode === 0) return typed;
      if (performance.now() > deadlineMs) {
        throw new Error(`typed ${JSON.stringify(typed)}, and still: ${JSON.stringify(bad)}`);
      }
      const next = bad.find(
        ({ remedy }) => remedy !== undefined && !typed.includes(remedy),
      )?.remedy;
      // A worker that comes up, a namespace that gets around: they need a moment, no command.
      if (next === undefined) await sleep(200);
      else await this.#type(next, before(), options);
      if (next !== undefined) typed.push(next);
    }
  }

  async #type(command: string, before: string[], options: ShellOptions): Promise<void> {
    if (command.startsWith('waybill worker')) {
      this.#serving.push(this.#spawn(`exec ${command}`, options));
      return;
    }
    const { exitCode, stdout, stderr } = await this.run([...before, command].join('\n'), options);
    if (exitCode !== 0) throw new Error(`${command} ended with ${exitCode}:\n${stdout}\n${stderr}`);
  }

  #spawn(script: string, { env, userId }: ShellOptions): ReturnType<typeof spawn> {
    return spawn('sh', ['-c', script], {
      cwd: this.base,
      env: {
        PATH: `${join(this.base, 'bin')}:/usr/bin:/bin`,
        HOME: join(this.base, 'home'),
        WAYBILL_STATE_DIR: this.stateDir,
        WAYBILL_CACHE_DIR: this.cacheDir,
        WAYBILL_SERVICE: 'background',
        ...env,
      },
      ...(userId === undefined ? {} : { uid: userId, gid: userId }),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  async close(): Promise<void> {
    for (const child of this.#serving) {
      const ended = new Promise((resolve) => child.once('close', resolve));
      if (child.kill('SIGKILL')) await ended;
    }
    await this.run('waybill down --force');
    this.#root.close();
    rmSync(this.base, { recursive: true, force: true });
  }
}

/** Puts a Temporal CLI into a cache folder. */
export function giveCli(source: string, cacheDir: string): void {
  const target = cachedTemporalCliPath(cacheDir);
  mkdirSync(dirname(target), { recursive: true });
  try {
    linkSync(source, target);
  } catch {
    copyFileSync(source, target);
  }
}

/** A folder that belongs to a user. */
export function folderOf(path: string, userId: number, mode = 0o700): string {
  mkdirSync(path, { recursive: true });
  chmodSync(path, mode);
  chownSync(path, userId, userId);
  return path;
}
