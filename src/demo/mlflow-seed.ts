import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { request } from 'undici';
import * as z from 'zod';
import { WaybillError } from '../model/errors.js';

const PUTS_AT_ONCE = 8;

export interface MlflowRun {
  readonly runId: string;
  /** Such as `mlflow-artifacts:/1/<run id>/artifacts`. */
  readonly artifactUri: string;
}

/** Puts runs, artifacts and models into a running MLflow server through its REST API. */
export interface MlflowSeeder {
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
}

/** A seeder of the server at `uri`. It throws WB_UNEXPECTED with what the server said. */
export function mlflowSeeder(uri: string): MlflowSeeder {
  const api: MlflowSeeder['api'] = async (route, { query, body }) => {
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
    if (answer.statusCode >= 300) throw refused(`${route}: ${answer.statusCode} ${text}`);
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
  if (folder === artifactUri) throw refused(`${artifactUri} is not behind the artifact service`);
  const encoded = `${folder}/${path}`.split('/').map(encodeURIComponent).join('/');
  const answer = await request(`${uri}/api/2.0/mlflow-artifacts/artifacts/${encoded}`, {
    method: 'PUT',
    headers: { 'content-length': String(sizeBytes) },
    body,
    headersTimeout: 300_000,
  });
  const text = await answer.body.text();
  if (answer.statusCode >= 300) throw refused(`PUT ${path}: ${answer.statusCode} ${text}`);
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

function refused(what: string): WaybillError {
  return new WaybillError('WB_UNEXPECTED', what, { operation: 'seed MLflow' });
}
