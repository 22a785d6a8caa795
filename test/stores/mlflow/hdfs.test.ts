/** A real MLflow whose runs keep their files on HDFS, which it cannot read itself. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { MlflowRun } from '../../../src/demo/mlflow-seed.js';
import { StoreRegistry } from '../../../src/stores/registry.js';
import { startHadoop, type Hadoop } from '../../helpers/hadoop.js';
import { startMlflow, type Mlflow } from '../../helpers/mlflow.js';
import { SUPER_USER } from '../hdfs/testbed.js';
import { failureOf, filesOf, resolve, textOf } from './bench.js';

let hadoop: Hadoop;
let mlflow: Mlflow;
let run: MlflowRun;

beforeAll(async () => {
  // Addresses with a host are no matter of course for a server, which would connect to it.
  const allowed = { MLFLOW_ALLOWED_HOST_ADDRESSED_ARTIFACT_SCHEMES: 'hdfs' };
  [hadoop, mlflow] = await Promise.all([startHadoop(), startMlflow({ env: allowed })]);
  const root = `hdfs://127.0.0.1:${hadoop.rpcPort}/mlruns`;
  run = await mlflow.createRun(await mlflow.createExperiment('hadoop', root));
  const folder = run.artifactUri.replace(/^hdfs:\/\/[^/]*/, '');
  await hadoop.putFile(`${folder}/model/MLmodel`, 'flavors: {}');
  await hadoop.putFile(`${folder}/model/data/weights.bin`, '0123456789');
  await mlflow.registerModel('churn', `${run.artifactUri}/model`, run.runId);
}, 300_000);

afterAll(async () => {
  await mlflow.stop();
  await hadoop.stop();
});

describe('a run whose files lie at hdfs://', () => {
  it('is read directly with the configuration of the cluster, as who MLflow is told', async () => {
    const settings = { ...hadoop.env, MLFLOW_KERBEROS_USER: SUPER_USER };
    const found = await resolve(mlflow.uri, 'models:/churn/1', { settings });
    expect(found.uri).toBe(`${run.artifactUri}/model`);
    expect(found.transport).toMatch(/^direct \(.*credentials for HDFS\)$/);
    const store = await new StoreRegistry().open({ uri: found.uri, settings, secrets: {} });
    expect(await filesOf(store)).toEqual(['MLmodel', 'data/weights.bin']);
    expect(await textOf(store, 'data/weights.bin', { offsetBytes: 7 })).toBe('789');
    const { digests = {}, pin } = await store.stat('MLmodel', { wantsDigests: true });
    expect([pin?.strength, ...Object.keys(digests)]).toEqual(['strong', 'md5crc']);
    await store.close();
  });

  it('cannot be had without: the server itself fails', async () => {
    const error = await failureOf('WB_UNAVAILABLE', resolve(mlflow.uri, 'models:/churn/1'));
    expect(error.message).toContain('500');
  });
});
