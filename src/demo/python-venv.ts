import { access, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WaybillError } from '../model/errors.js';
import { withInstallLock } from '../service/install-lock.js';
import { runTool } from '../service/run-tool.js';

export interface VenvOptions {
  /** Waybill's cache folder. */
  readonly cacheDir: string;
  /** The folder in the cache; changes when the requirements do: `venv-mlflow-3.17.2`. */
  readonly folder: string;
  /** What the lines of progress call it: `MLflow`. */
  readonly name: string;
  /** Pinned, as pip reads them. */
  readonly requirements: readonly string[];
  /** Such as `about 180 MB to fetch, 1 to 2 minutes`. */
  readonly cost: string;
  readonly onProgress: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
  /** Finds the interpreter, where a later one would not do; absent: any Python of 3.10 or later. */
  readonly findPython?: (signal?: AbortSignal) => Promise<string | undefined>;
  /** Made once, after the packages are there; part of what makes the folder complete. */
  readonly finish?: (venv: Venv) => Promise<void>;
}

/** A Python environment of its own, in the cache. */
export interface Venv {
  readonly dir: string;
  /** Absolute path of its interpreter. */
  readonly python: string;
}

const PYTHONS = ['python3', 'python3.13', 'python3.12', 'python3.11', 'python3.10'];
const OLD_ENOUGH = 'import sys, venv, ensurepip; sys.exit(0 if sys.version_info >= (3, 10) else 9)';
const REPORT_EVERY_MS = 10_000;

/** A Python of 3.10 or later that can make environments; undefined when there is none. */
export async function findPython(signal?: AbortSignal): Promise<string | undefined> {
  for (const command of PYTHONS) {
    const { exitCode } = await runTool({ command, args: ['-c', OLD_ENOUGH], signal });
    if (exitCode === 0) return command;
  }
  return undefined;
}

/**
 * Makes a Python environment in the cache, or finds it there. A folder that was not finished is made
 * again. Safe to call from many processes at once.
 * @throws WaybillError WB_UNAVAILABLE when there is no Python, or with the last lines of pip; the
 *   signal's reason when aborted
 */
export async function ensureVenv(options: VenvOptions): Promise<Venv> {
  const dir = join(options.cacheDir, options.folder);
  const venv: Venv = { dir, python: join(dir, 'bin', 'python') };
  if (await isComplete(dir)) return venv;
  await mkdir(options.cacheDir, { recursive: true });
  const lock = {
    path: `${dir}.lock`,
    signal: options.signal,
    onWait: (pid: number): void =>
      options.onProgress(`${options.name}: process ${pid} is installing it; waiting for it`),
  };
  await withInstallLock(lock, async () => {
    if (!(await isComplete(dir))) await install(options, venv);
  });
  return venv;
}

async function install(options: VenvOptions, venv: Venv): Promise<void> {
  const { name, onProgress, signal } = options;
  const python = await (options.findPython ?? findPython)(signal);
  if (python === undefined && options.findPython !== undefined) {
    throw failed(name, 'there is no Python of the version that it needs, with its venv module');
  }
  if (python === undefined) {
    throw failed(name, 'there is no Python 3.10 or later with its venv module (python3-venv)');
  }
  onProgress(`${name}: installing with pip into ${venv.dir}, ${options.cost}, once`);
  await rm(venv.dir, { recursive: true, force: true });
  const made = await runTool({ command: python, args: ['-m', 'venv', venv.dir], signal });
  if (made.exitCode !== 0) throw failed(name, made.output);
  const started = performance.now();
  let collected = 0;
  const timer = setInterval(() => {
    const seconds = Math.round((performance.now() - started) / 1000);
    onProgress(`${name}: ${collected} packages so far, ${seconds} s`);
  }, REPORT_EVERY_MS);
  try {
    const pip = ['-m', 'pip', 'install', '--no-input', '--disable-pip-version-check'];
    const { exitCode, output } = await runTool({
      command: venv.python,
      args: [...pip, '--no-compile', '--prefer-binary', ...options.requirements],
      signal,
      onLine: (line) => {
        if (line.startsWith('Collecting ')) collected += 1;
      },
    });
    if (exitCode !== 0) throw failed(name, output);
    await options.finish?.(venv);
  } finally {
    clearInterval(timer);
  }
  await writeFile(join(venv.dir, 'complete'), `${options.requirements.join('\n')}\n`);
}

async function isComplete(dir: string): Promise<boolean> {
  try {
    await access(join(dir, 'complete'));
    return true;
  } catch {
    return false;
  }
}

function failed(name: string, why: string): WaybillError {
  const last = why.trimEnd().split('\n').slice(-5).join('\n');
  return new WaybillError('WB_UNAVAILABLE', `${name} could not be installed: ${last}`, {
    operation: 'install',
  });
}
