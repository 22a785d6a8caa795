import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface ToolRun {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  /** Called for each line of either stream, as it comes. */
  readonly onLine?: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
  /** The run is ended after this time; no limit by default. */
  readonly timeoutMs?: number;
}

export interface ToolResult {
  /** The exit code; undefined when the tool was not found or was ended by a signal. */
  readonly exitCode: number | undefined;
  /** What stdout and stderr said, in the order it came; the last 64 KiB. */
  readonly output: string;
}

const KEPT_CHARACTERS = 64 * 1024;

/**
 * Runs a foreign tool with the environment of this process, in a process group of its own, so that an
 * abort ends what the tool itself has started too. A tool that cannot be started is a result, not an error.
 * @throws the signal's reason when aborted
 */
export async function runTool(run: ToolRun): Promise<ToolResult> {
  run.signal?.throwIfAborted();
  const child = spawn(run.command, [...run.args], {
    cwd: run.cwd,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const endGroup = (): void => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      // The group is gone already, which is what was wanted.
    }
  };
  run.signal?.addEventListener('abort', endGroup, { once: true });
  process.once('exit', endGroup);
  const timer = run.timeoutMs === undefined ? undefined : setTimeout(endGroup, run.timeoutMs);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      output = `${output}${line}\n`.slice(-KEPT_CHARACTERS);
      run.onLine?.(line);
    });
  }
  try {
    const exitCode = await new Promise<number | undefined>((resolve) => {
      child.once('error', (error) => {
        output += `${error.message}\n`;
        resolve(undefined);
      });
      child.once('close', (code) => resolve(code ?? undefined));
    });
    run.signal?.throwIfAborted();
    return { exitCode, output };
  } finally {
    clearTimeout(timer);
    process.off('exit', endGroup);
    run.signal?.removeEventListener('abort', endGroup);
  }
}
