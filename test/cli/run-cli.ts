import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { checkJsonOutput } from '../helpers/json-output.js';

const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));

/** How a run of the command line ended. */
export interface CliRun {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the compiled command line as a process of its own, with nothing of this one's environment but PATH; JSON is held to its schema. */
export function runCli(
  args: readonly string[],
  options: { readonly env?: Record<string, string>; readonly cwd?: string } = {},
): Promise<CliRun> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [MAIN, ...args], {
      cwd: options.cwd,
      env: { PATH: process.env['PATH'], ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.once('error', reject);
    child.once('close', (exitCode) => {
      const ended = { args, stdout, exitCode: exitCode ?? 128, wasKilled: exitCode === null };
      try {
        checkJsonOutput({ ...ended, env: options.env ?? {} });
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
      }
      resolve({ exitCode, stdout, stderr });
    });
  });
}

/** The lines of NDJSON output, parsed. */
export function jsonLines(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
