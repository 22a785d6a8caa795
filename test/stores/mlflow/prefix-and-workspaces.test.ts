/** A real MLflow below a path of its host (`--static-prefix`), which keeps teams apart (`--enable-workspaces`). */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import * as z from 'zod';
import { mlflowFactory } from '../../../src/stores/mlflow/index.js';
import type { CatalogueLine } from '../../../src/stores/store.js';
import { startMlflow } from '../../helpers/mlflow.js';
import type { Mlflow } from '../../helpers/mlflow.js';
import { failureOf, filesOf, resolve, textOf, withReference } from './bench.js';

const TEAM = { MLFLOW_WORKSPACE: 'team-a' };
const Run = z.object({
  run: z.object({ info: z.object({ run_id: z.string(), artifact_uri: z.string() }) }),
});

let mlflow: Mlflow;
let runId: string;

/** The answer of a call, as JSON where there is one; by the team, but for its own making. */
async function call(method: string, route: string, body?: unknown): Promise<unknown> {
  const isFile = typeof body === 'string';
  const answer = await fetch(`${mlflow.uri}/api/${route}`, {
    method,
    headers: {
      ...(route.endsWith('/workspaces') ? {} : { 'x-mlflow-workspace': 'team-a' }),
      ...(isFile ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: isFile ? body : JSON.stringify(body) }),
  });
  const text = await answer.text();
  expect([route, answer.ok, answer.ok ? '' : text]).toEqual([route, true, '']);
  return text === '' ? {} : JSON.parse(text);
}

beforeAll(async () => {
  mlflow = await startMlflow({ staticPrefix: '/ml/flow', extraArgs: ['--enable-workspaces'] });
  expect(mlflow.uri).toMatch(/\/ml\/flow$/);
  await call('POST', '3.0/mlflow/workspaces', { name: 'team-a' });
  const made = await call('POST', '2.0/mlflow/experiments/create', { name: 'churn' });
  const { experiment_id } = z.object({ experiment_id: z.string() }).parse(made);
  const body = { experiment_id, run_name: 'night' };
  const { info } = Run.parse(await call('POST', '2.0/mlflow/runs/create', body)).run;
  runId = info.run_id;
  const place = info.artifact_uri.replace(/^mlflow-artifacts:\//, '');
  const service = '2.0/mlflow-artifacts/artifacts';
  await call('PUT', `${service}/${place}/model/weights.bin`, '0123456789');
  await call('POST', '2.0/mlflow/registered-models/create', { name: 'churn' });
  const source = `${info.artifact_uri}/model`;
  await call('POST', '2.0/mlflow/model-versions/create', { name: 'churn', source, run_id: runId });
}, 300_000);
afterAll(() => mlflow.stop());

async function list(uri: string, settings = {}): Promise<CatalogueLine[]> {
  const lines: CatalogueLine[] = [];
  const all = { MLFLOW_TRACKING_URI: mlflow.uri, ...settings };
  const found = mlflowFactory.listCatalogue?.({ uri, settings: all, secrets: {} }, {}) ?? [];
  for await (const line of found as AsyncIterable<CatalogueLine>) lines.push(line);
  return lines;
}

describe('a server with a static prefix and workspaces', () => {
  it.each(['models:/churn/1', 'models:/churn/latest', 'RUN'])('gives its team %s', async (form) => {
    const uri = form === 'RUN' ? `runs:/${runId}/model` : form;
    await withReference(
      mlflow.uri,
      uri,
      async (store, { transport }) => {
        expect(transport).toBe('proxied (the server offers no presigned addresses)');
        expect(await filesOf(store)).toEqual(['weights.bin']);
        expect(await textOf(store, 'weights.bin', { offsetBytes: 7 })).toBe('789');
      },
      { settings: TEAM },
    );
  });

  it('is listed by who belongs to the workspace, and is empty for others', async () => {
    expect((await list('models:/', TEAM)).map(({ uri }) => uri)).toEqual(['models:/churn/latest']);
    expect(await list('runs:/?experiment=churn', TEAM)).toEqual([
      { uri: `runs:/${runId}`, kind: 'run', note: 'night, RUNNING' },
    ]);
    expect(await list('models:/')).toEqual([]);
    await failureOf('WB_NOT_FOUND', list('runs:/?experiment=churn'));
  });

  it('has nothing of a team for who names no workspace, or another one', async () => {
    for (const settings of [{}, { MLFLOW_WORKSPACE: 'team-b' }]) {
      await failureOf('WB_NOT_FOUND', resolve(mlflow.uri, 'models:/churn/1', { settings }));
      await failureOf('WB_NOT_FOUND', resolve(mlflow.uri, `runs:/${runId}/model`, { settings }));
    }
  });

  it('says what to look at where its prefix is left out', async () => {
    const { origin } = new URL(mlflow.uri);
    const error = await failureOf(
      'WB_CONFIG_INVALID',
      resolve(origin, 'models:/churn/1', { settings: TEAM }),
    );
    expect(error.message).toContain('--static-prefix');
  });
});
