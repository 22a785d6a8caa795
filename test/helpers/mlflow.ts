/**
 * A real MLflow server and what to put into it. In a test:
 *
 *     const mlflow = await startMlflow();                           // artifacts on the server's own disk
 *     const mlflow = await startMlflow({ minio, bucket: 'mlflow' }); // artifacts in a bucket (created)
 *     const experiment = await mlflow.createExperiment('churn');
 *     const run = await mlflow.createRun(experiment);
 *     await mlflow.putTree(run.artifactUri, 'model', folder);       // through the proxied artifact service
 *     const version = await mlflow.registerModel('churn', `${run.artifactUri}/model`, run.runId);
 *     await mlflow.setAlias('churn', 'champion', version);
 *     ... models:/churn@champion with mlflow.env as the environment ...
 *     await mlflow.python('import mlflow; ...');                    // anything else: log_model, log_artifacts
 *     await mlflow.cli(['artifacts', 'download', '-u', 'models:/churn@champion', '-d', out]);
 *     await mlflow.stop();
 */
import { mlflowSeeder } from '../../src/demo/mlflow-seed.js';
import type { MlflowSeeder } from '../../src/demo/mlflow-seed.js';
import { ensureMlflowVenv, startMlflowServer } from '../../src/demo/mlflow-venv.js';
import type { MlflowServer } from '../../src/demo/mlflow-venv.js';
import { runTool } from '../../src/service/run-tool.js';
import type { ToolResult } from '../../src/service/run-tool.js';
import { cacheFolder } from './cache.js';
import type { Minio } from './minio.js';
import { freePort } from './ports.js';
import { scratchFolder, scrubbedEnv } from './processes.js';

export interface MlflowOptions {
  /** Keep artifacts in this MinIO; on the server's disk when absent. */
  readonly minio?: Minio;
  /** The bucket in it, created when it is not there; `mlflow` by default. Artifacts lie under `mlflow/`. */
  readonly bucket?: string;
  readonly extraArgs?: readonly string[];
  /** `/ml/flow`: all that the server has is below this path. */
  readonly staticPrefix?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** An earlier run's `dir` and `port`, to start the same server again. */
  readonly dir?: string;
  readonly port?: number;
}

export interface Mlflow extends MlflowServer, MlflowSeeder {
  /** What a client of this server has in its environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Runs Python with `mlflow` importable and the tracking URI set; throws when it fails. */
  python(code: string, args?: readonly string[]): Promise<string>;
  /** Runs the `mlflow` command; its failure is a result. */
  cli(args: readonly string[]): Promise<ToolResult>;
}

/** Starts an MLflow server on a free port; its environment in the cache is made when it is not there. */
export async function startMlflow(options: MlflowOptions = {}): Promise<Mlflow> {
  const onProgress = (line: string): void => void process.stderr.write(`${line}\n`);
  const venv = await ensureMlflowVenv({ cacheDir: cacheFolder(), onProgress });
  const bucket = options.bucket ?? 'mlflow';
  if (options.minio !== undefined) await createBucket(options.minio, bucket);
  const server = await startMlflowServer({
    venv,
    dir: options.dir ?? scratchFolder('mlflow'),
    artifacts: options.minio === undefined ? 'local' : { ...options.minio, bucket },
    port: options.port ?? (await freePort()),
    baseEnv: scrubbedEnv(),
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(options.staticPrefix === undefined ? {} : { staticPrefix: options.staticPrefix }),
    ...(options.extraArgs === undefined ? {} : { extraArgs: options.extraArgs }),
  });
  const env = { MLFLOW_TRACKING_URI: server.uri };
  const settings = Object.entries({ ...env, ...options.minio?.env, ...options.env }).map(
    ([name, value]) => `${name}=${value}`,
  );
  const runPython = (args: readonly string[]): Promise<ToolResult> =>
    runTool({
      command: 'env',
      args: ['-u', 'PYTHONDONTWRITEBYTECODE', ...settings, venv.python, ...args],
    });
  return {
    ...server,
    env,
    ...mlflowSeeder(server.uri),
    python: async (code, args = []) => {
      const { exitCode, output } = await runPython(['-c', code, ...args]);
      if (exitCode !== 0) throw new Error(`the Python of the test failed:\n${output}`);
      return output;
    },
    cli: (args) => runPython(['-m', 'mlflow', ...args]),
  };
}

async function createBucket(minio: Minio, bucket: string): Promise<void> {
  try {
    await minio.createBucket(bucket);
  } catch (error) {
    if (!(error instanceof Error && error.name.startsWith('BucketAlready'))) throw error;
  }
}
