import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { WaybillError } from '../model/errors.js';
import { runTool } from '../service/run-tool.js';
import { ensureVenv } from './python-venv.js';
import type { Venv } from './python-venv.js';
import { startServerProcess } from './server-process.js';
import type { ServerProcess } from './server-process.js';

export const MLFLOW_VERSION = '3.17.2';
const REQUIREMENTS = [`mlflow==${MLFLOW_VERSION}`, 'boto3==1.44.5'];

/** An empty database, so that a server does not spend its first seconds on making tables. */
const TEMPLATE = 'mlflow-template.db';
/** Imported once with byte code being written, which some machines switch off: 14 s become 6 s a start. */
const WARM_UP = `
import sys, boto3, mlflow.cli, mlflow.server.fastapi_app
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
SqlAlchemyStore('sqlite:///' + sys.argv[1], 'mlflow-artifacts:/')`;

export interface EnsureMlflowOptions {
  readonly cacheDir: string;
  readonly onProgress: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * MLflow with boto3 in a Python environment in the cache, installed when it is not there yet.
 * @throws WaybillError WB_UNAVAILABLE when there is no Python or pip fails
 */
export async function ensureMlflowVenv(options: EnsureMlflowOptions): Promise<Venv> {
  return ensureVenv({
    ...options,
    folder: `venv-mlflow-${MLFLOW_VERSION}`,
    name: `MLflow ${MLFLOW_VERSION}`,
    requirements: REQUIREMENTS,
    cost: 'about 190 MB to fetch, 680 MB on disk, 1 to 2 minutes',
    finish: async ({ dir, python }) => {
      const unset = ['-u', 'PYTHONDONTWRITEBYTECODE', '-u', 'MLFLOW_TRACKING_URI'];
      const { exitCode, output } = await runTool({
        command: 'env',
        args: [...unset, python, '-c', WARM_UP, join(dir, TEMPLATE)],
        cwd: dir,
        signal: options.signal,
      });
      if (exitCode === 0) return;
      throw new WaybillError('WB_UNAVAILABLE', `MLflow does not run: ${output.slice(-2_000)}`);
    },
  });
}

/** Where a server keeps artifacts: on its own disk, or in a bucket. */
export type MlflowArtifacts =
  | 'local'
  | {
      readonly endpoint: string;
      readonly bucket: string;
      readonly accessKeyId: string;
      readonly secretAccessKey: string;
    };

export interface StartMlflowOptions {
  readonly venv: Venv;
  /** An own folder: database, artifacts and log lie in it. It may hold those of an earlier run. */
  readonly dir: string;
  readonly artifacts: MlflowArtifacts;
  readonly port: number;
  /** The environment to start from, with nothing of the user's own MLFLOW_* and AWS_* in it. */
  readonly baseEnv: Readonly<Record<string, string | undefined>>;
  readonly env?: Readonly<Record<string, string>>;
  /** Further arguments of `mlflow server`, such as `--no-serve-artifacts`. */
  readonly extraArgs?: readonly string[];
  /** `/ml/flow`: all that the server has is below this path. */
  readonly staticPrefix?: string;
  readonly signal?: AbortSignal | undefined;
}

export interface MlflowServer extends ServerProcess {
  /** The tracking URI: `http://127.0.0.1:PORT`, with the static prefix. */
  readonly uri: string;
  readonly dir: string;
}

/**
 * Starts `mlflow server` with one worker on 127.0.0.1 and waits until it answers.
 * @throws WaybillError WB_UNAVAILABLE with the end of its log
 */
export async function startMlflowServer(options: StartMlflowOptions): Promise<MlflowServer> {
  const { venv, dir, artifacts, port, staticPrefix } = options;
  await mkdir(dir, { recursive: true });
  const database = join(dir, 'mlflow.db');
  await copyFile(join(venv.dir, TEMPLATE), database, 1).catch(() => undefined);
  const uri = `http://127.0.0.1:${port}${staticPrefix ?? ''}`;
  const network = ['--host', '127.0.0.1', '--port', String(port), '--workers', '1'];
  const server = await startServerProcess({
    name: 'MLflow',
    command: venv.python,
    args: [
      ...['-m', 'mlflow', 'server', ...network],
      ...['--backend-store-uri', `sqlite:///${database}`],
      ...['--artifacts-destination', destinationOf(artifacts, dir)],
      ...(staticPrefix === undefined ? [] : ['--static-prefix', staticPrefix]),
      ...(options.extraArgs ?? []),
    ],
    cwd: dir,
    logFile: join(dir, 'mlflow.log'),
    env: {
      ...options.baseEnv,
      PYTHONDONTWRITEBYTECODE: undefined,
      MLFLOW_SERVER_ENABLE_JOB_EXECUTION: 'false',
      ...credentialsOf(artifacts),
      ...options.env,
    },
    readyTimeoutMs: 120_000,
    isReady: async () => (await fetch(`${uri}/health`)).ok,
    signal: options.signal,
  });
  return { ...server, uri, dir };
}

function destinationOf(artifacts: MlflowArtifacts, dir: string): string {
  return artifacts === 'local' ? join(dir, 'artifacts') : `s3://${artifacts.bucket}/mlflow`;
}

function credentialsOf(artifacts: MlflowArtifacts): Readonly<Record<string, string>> {
  if (artifacts === 'local') return {};
  return {
    MLFLOW_S3_ENDPOINT_URL: artifacts.endpoint,
    AWS_ACCESS_KEY_ID: artifacts.accessKeyId,
    AWS_SECRET_ACCESS_KEY: artifacts.secretAccessKey,
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_EC2_METADATA_DISABLED: 'true',
  };
}
