/** Waybill as a user gets it: packed, installed elsewhere, owned by root and read-only for everybody else. */
import { spawn } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  linkSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureTemporalCli } from '../../../src/service/temporal-cli.js';
import { cacheFolder } from '../../helpers/cache.js';
import { scratchFolder } from '../../helpers/processes.js';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const TIMEOUT_MS = 600_000;

/** How a command ended. */
export interface Ended {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** The whole environment, but for PATH and WAYBILL_TEMPORAL_CLI. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** A program and its arguments that runs the command, as `env` does. */
  readonly runner?: readonly string[];
  /** Told the process id. */
  readonly onStart?: (pid: number) => void;
}

export interface Installation {
  /** A folder of the test's own, which every user may enter; the rest lies below it. */
  readonly dir: string;
  readonly tarball: string;
  /** `lib/node_modules/waybill`. */
  readonly packageDir: string;
  readonly binDir: string;
  /** A Temporal CLI that every user may run. */
  readonly temporal: string;
  /** Runs `waybill` with nothing of this process's environment. */
  run(args: readonly string[], options?: RunOptions): Promise<Ended>;
  remove(): void;
}

/** This tree as `npm run build` leaves it: with the code in few files, which the tests beside this one do without. */
async function built(dir: string): Promise<string> {
  const folder = join(dir, 'built');
  const compiled = ['dist/src', 'dist/workflow-bundle.js', 'src/cli/schema', 'scripts'];
  const pages = ['docs', 'ops', 'README.md', 'CHANGELOG.md', 'LICENSE', 'package.json'];
  for (const path of [...compiled, ...pages]) {
    cpSync(join(ROOT, path), join(folder, path), { recursive: true, preserveTimestamps: true });
  }
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  await mustRun(process.execPath, ['scripts/bundle-code.mjs'], {}, folder);
  return folder;
}

/** Packs this tree and installs it with npm. */
export async function installWaybill(): Promise<Installation> {
  const dir = scratchFolder('installed');
  const ownEnv = process.env as Record<string, string>;
  await mustRun(
    'npm',
    ['pack', '--loglevel=error', '--pack-destination', dir],
    ownEnv,
    await built(dir),
  );
  const tarball = join(dir, readdirSync(dir).find((name) => name.endsWith('.tgz')) ?? '');
  const prefix = join(dir, 'prefix');
  const quiet = ['--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'];
  await mustRun('npm', ['install', '--global', '--prefix', prefix, ...quiet, tarball], ownEnv, dir);
  const cli = await ensureTemporalCli({
    cacheDir: cacheFolder(),
    explicitPath: process.env['WAYBILL_TEMPORAL_CLI'],
    onProgress: (line) => process.stderr.write(`${line}\n`),
  });
  // The cache may lie in a home that others cannot enter.
  mkdirSync(join(dir, 'temporal'));
  const temporal = join(dir, 'temporal', 'temporal');
  linkOrCopy(cli.path, temporal);
  const binDir = join(prefix, 'bin');
  const path = [binDir, join(process.execPath, '..'), '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
  return {
    dir,
    tarball,
    packageDir: join(prefix, 'lib/node_modules/waybill'),
    binDir,
    temporal,
    run: (args, options = {}) => {
      const [program = '', ...words] = [
        ...(options.runner ?? []),
        join(binDir, 'waybill'),
        ...args,
      ];
      const env = { PATH: path.join(':'), WAYBILL_TEMPORAL_CLI: temporal, ...options.env };
      return run(program, words, env, options.cwd ?? dir, options.onStart);
    },
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
}

/** Runs a program to its end; its failure is a result. */
export function run(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  cwd: string,
  onStart?: (pid: number) => void,
): Promise<Ended> {
  const child = spawn(program, [...args], { env, cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  onStart?.(child.pid ?? 0);
  const said = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said.stderr += text));
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`${program} ${args.join(' ')}: no end\n${said.stdout}\n${said.stderr}`));
    }, TIMEOUT_MS);
    child.once('error', reject);
    child.once('close', (code) => {
      clearTimeout(timer);
      resolve({ exitCode: code ?? -1, ...said });
    });
  });
}

/** Runs a program that has to succeed. */
export async function mustRun(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  cwd: string,
): Promise<string> {
  const { exitCode, stdout, stderr } = await run(program, args, env, cwd);
  if (exitCode === 0) return stdout;
  throw new Error(`${program} ${args.join(' ')} ended with ${exitCode}:\n${stdout}\n${stderr}`);
}

/** What `go` needs to work in another home as in this one: its folder on the PATH, its caches, its proxy. */
export async function ownGo(): Promise<Readonly<Record<string, string>>> {
  const names = ['GOMODCACHE', 'GOCACHE', 'GOPROXY', 'GOSUMDB', 'GOROOT'];
  const said = await mustRun('go', ['env', ...names], process.env as Record<string, string>, '/');
  const values = said.split('\n');
  const env = Object.fromEntries(names.map((name, index) => [name, values[index] ?? '']));
  const { GOROOT = '', ...rest } = env;
  const path = [join(process.execPath, '..'), join(GOROOT, 'bin'), '/usr/bin', '/bin'];
  return { ...rest, PATH: path.join(':') };
}

function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to);
  }
}
