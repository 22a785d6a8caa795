/** A real MLflow whose runs keep their files on Google Cloud Storage, for which it has neither library nor credentials. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { StoreRegistry } from '../../../src/stores/registry.js';
import { startFakeGcs } from '../../helpers/fake-gcs.js';
import type { FakeGcs } from '../../helpers/fake-gcs.js';
import { startMlflow } from '../../helpers/mlflow.js';
import type { Mlflow } from '../../helpers/mlflow.js';
import type { MlflowRun } from '../../../src/demo/mlflow-seed.js';
import { failureOf, filesOf, resolve, textOf } from './bench.js';

let google: FakeGcs;
let mlflow: Mlflow;
let run: MlflowRun;

beforeAll(async () => {
  [google, mlflow] = await Promise.all([startFakeGcs(), startMlflow()]);
  await google.createBucket('models');
  run = await mlflow.createRun(await mlflow.createExperiment('google', 'gs://models/runs'));
  const prefix = run.artifactUri.replace('gs://models/', '');
  await google.putObject('models', `${prefix}/model/MLmodel`, 'flavors: {}');
  await google.putObject('models', `${prefix}/model/data/weights.bin`, '0123456789');
  await mlflow.registerModel('churn', `${run.artifactUri}/model`, run.runId);
}, 300_000);

afterAll(async () => {
  await mlflow.stop();
  await google.stop();
});

describe('a run whose files lie at gs://', () => {
  it('is read directly by who has access, with pins and digests', async () => {
    const extra = { settings: { ...google.env } };
    const found = await resolve(mlflow.uri, 'models:/churn/1', extra);
    expect(found.uri).toBe(`${run.artifactUri}/model`);
    expect(found.transport).toMatch(/^direct \(.*credentials for Google Cloud Storage\)$/);
    const settings = { ...extra.settings, ...found.settings };
    const store = await new StoreRegistry().open({ uri: found.uri, settings, secrets: {} });
    expect(await filesOf(store)).toEqual(['MLmodel', 'data/weights.bin']);
    expect(await textOf(store, 'data/weights.bin', { offsetBytes: 7 })).toBe('789');
    const { digests = {}, pin } = await store.stat('MLmodel');
    expect([pin?.strength, ...Object.keys(digests)]).toEqual(['strong', 'crc32c', 'md5']);
    await store.close();
  });

  it('cannot be had without: the server itself fails', async () => {
    const error = await failureOf('WB_UNAVAILABLE', resolve(mlflow.uri, 'models:/churn/1'));
    expect(error.message).toContain('500');
  });
});
