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
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { request } from 'undici';
import { z } from 'zod';
import { ensureMlflowVenv, startMlflowServer } from '../../src/demo/mlflow-venv.js';
import type { MlflowServer } from '../../src/demo/mlflow-venv.js';
import { runTool } from '../../src/service/run-tool.js';
import type { ToolResult } from '../../src/service/run-tool.js';
import { cacheFolder } from './cache.js';
import type { Minio } from './minio.js';
import { freePort } from './ports.js';
import { scratchFolder, scrubbedEnv } from './processes.js';

const PUTS_AT_ONCE = 8;

export interface MlflowOptions {
  /** Keep artifacts in this MinIO; on the server's disk when absent. */
  readonly minio?: Minio;
  /** The bucket in it, created when it is not there; `mlflow` by default. Artifacts lie under `mlflow/`. */
  readonly bucket?: string;
  readonly extraArgs?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** An earlier run's `dir` and `port`, to start the same server again. */
  readonly dir?: string;
  readonly port?: number;
}

export interface MlflowRun {
  readonly runId: string;
  /** Such as `mlflow-artifacts:/1/<run id>/artifacts`. */
  readonly artifactUri: string;
}

export interface Mlflow extends MlflowServer {
  /** What a client of this server has in its environment. */
  readonly env: Readonly<Record<string, string>>;
  /** One call of the REST API: GET with `query`, POST with `body`; throws on any status but 2xx. */
  api(route: string, input: { query?: Record<string, string>; body?: unknown }): Promise<unknown>;
  createExperiment(name: string, artifactLocation?: string): Promise<string>;
  createRun(experimentId: string, name?: string): Promise<MlflowRun>;
  /** Puts one artifact; `artifactUri` is a run's, with the scheme `mlflow-artifacts:`. */
  putArtifact(artifactUri: string, path: string, body: Buffer | string): Promise<void>;
  /** Puts every file below `dir` under `<artifactUri>/<path>/`. */
  putTree(artifactUri: string, path: string, dir: string): Promise<void>;
  /** Makes the registered model if there is none, and a version of it; returns the version. */
  registerModel(name: string, source: string, runId?: string): Promise<string>;
  setAlias(name: string, alias: string, version: string): Promise<void>;
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
    ...seeder(server.uri),
    python: async (code, args = []) => {
      const { exitCode, output } = await runPython(['-c', code, ...args]);
      if (exitCode !== 0) throw new Error(`the Python of the test failed:\n${output}`);
      return output;
    },
    cli: (args) => runPython(['-m', 'mlflow', ...args]),
  };
}

type Seeder = Omit<Mlflow, keyof MlflowServer | 'env' | 'python' | 'cli'>;

/** Everything that is a request to a running server at `uri`. */
export function seeder(uri: string): Seeder {
  const api: Seeder['api'] = async (route, { query, body }) => {
    const answer = await request(`${uri}/api/2.0/mlflow/${route}`, {
      ...(query === undefined ? {} : { query }),
      ...(body === undefined
        ? {}
        : {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify(body),
          }),
    });
    const text = await answer.body.text();
    if (answer.statusCode >= 300) throw new Error(`${route}: ${answer.statusCode} ${text}`);
    return JSON.parse(text) as unknown;
  };
  const put = (artifactUri: string, path: string, from: Upload): Promise<void> =>
    putArtifact(uri, artifactUri, path, from);
  return {
    api,
    createExperiment: async (name, artifactLocation) => {
      const location =
        artifactLocation === undefined ? {} : { artifact_location: artifactLocation };
      const made = await api('experiments/create', { body: { name, ...location } });
      return z.object({ experiment_id: z.string() }).parse(made).experiment_id;
    },
    createRun: async (experimentId, name) => {
      const body = { experiment_id: experimentId, run_name: name, start_time: Date.now() };
      const { run } = runSchema.parse(await api('runs/create', { body }));
      return { runId: run.info.run_id, artifactUri: run.info.artifact_uri };
    },
    putArtifact: (artifactUri, path, body) =>
      put(artifactUri, path, { body: Buffer.from(body), sizeBytes: Buffer.byteLength(body) }),
    putTree: (artifactUri, path, dir) => putTree(put, artifactUri, path, dir),
    registerModel: async (name, source, runId) => {
      await api('registered-models/create', { body: { name } }).catch((error: unknown) => {
        if (!String(error).includes('RESOURCE_ALREADY_EXISTS')) throw error;
      });
      const body = { name, source, ...(runId === undefined ? {} : { run_id: runId }) };
      return versionSchema.parse(await api('model-versions/create', { body })).model_version
        .version;
    },
    setAlias: async (name, alias, version) => {
      await api('registered-models/alias', { body: { name, alias, version } });
    },
  };
}

const runSchema = z.object({
  run: z.object({ info: z.object({ run_id: z.string(), artifact_uri: z.string() }) }),
});
const versionSchema = z.object({
  model_version: z.object({ version: z.union([z.string(), z.number()]).transform(String) }),
});

interface Upload {
  readonly body: Buffer | ReturnType<typeof createReadStream>;
  readonly sizeBytes: number;
}

async function putArtifact(
  uri: string,
  artifactUri: string,
  path: string,
  { body, sizeBytes }: Upload,
): Promise<void> {
  const folder = artifactUri.replace(/^mlflow-artifacts:\/+/u, '');
  if (folder === artifactUri) throw new Error(`${artifactUri} is not behind the artifact service`);
  const encoded = `${folder}/${path}`.split('/').map(encodeURIComponent).join('/');
  const answer = await request(`${uri}/api/2.0/mlflow-artifacts/artifacts/${encoded}`, {
    method: 'PUT',
    headers: { 'content-length': String(sizeBytes) },
    body,
    headersTimeout: 300_000,
  });
  const text = await answer.body.text();
  if (answer.statusCode >= 300) throw new Error(`PUT ${path}: ${answer.statusCode} ${text}`);
}

async function putTree(
  put: (artifactUri: string, path: string, from: Upload) => Promise<void>,
  artifactUri: string,
  prefix: string,
  dir: string,
): Promise<void> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const next = entries.filter((entry) => entry.isFile()).values();
  const lane = async (): Promise<void> => {
    for (const entry of next) {
      const file = join(entry.parentPath, entry.name);
      const path = [prefix, file.slice(dir.length + 1)].filter((part) => part !== '').join('/');
      const { size } = await stat(file);
      const body = size === 0 ? Buffer.alloc(0) : createReadStream(file);
      await put(artifactUri, path, { body, sizeBytes: size });
    }
  };
  await Promise.all(Array.from({ length: PUTS_AT_ONCE }, lane));
}

async function createBucket(minio: Minio, bucket: string): Promise<void> {
  try {
    await minio.createBucket(bucket);
  } catch (error) {
    if (!(error instanceof Error && error.name.startsWith('BucketAlready'))) throw error;
  }
}
