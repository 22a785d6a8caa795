/**
 * MLflow without a server, as a notebook uses it: what a program of Python leaves behind in a folder.
 *
 *     const said = await runMlflow({ cwd: folder, code: 'import mlflow; ...', args: ['file:./mlruns'] });
 */
import { ensureMlflowVenv } from '../../src/demo/mlflow-venv.js';
import { runTool } from '../../src/service/run-tool.js';
import { cacheFolder } from './cache.js';

/** Runs Python with `mlflow` importable in a folder, and gives what it printed; throws when it fails. */
export async function runMlflow(program: {
  readonly cwd: string;
  readonly code: string;
  readonly args?: readonly string[];
}): Promise<string> {
  const onProgress = (line: string): void => void process.stderr.write(`${line}\n`);
  const { python } = await ensureMlflowVenv({ cacheDir: cacheFolder(), onProgress });
  const { exitCode, output } = await runTool({
    command: 'env',
    cwd: program.cwd,
    args: [
      ...['-u', 'PYTHONDONTWRITEBYTECODE', '-u', 'MLFLOW_TRACKING_URI'],
      // MLflow 3 asks for this before it writes into a folder.
      ...['MLFLOW_ALLOW_FILE_STORE=true', python, '-W', 'ignore', '-c', program.code],
      ...(program.args ?? []),
    ],
  });
  if (exitCode !== 0) throw new Error(`the Python of the test failed:\n${output}`);
  return output;
}
