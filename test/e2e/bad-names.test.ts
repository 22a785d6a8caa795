/** Sources that are not there, at the command line: exit 4 and the name, or what else is wrong with the words. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { join } from 'node:path';
import { startCutServer, type CutServer } from '../helpers/cut-server.js';
import { startMinio, type Minio } from '../helpers/minio.js';
import { startMlflow, type Mlflow } from '../helpers/mlflow.js';
import { openWaybill, type WaybillBed } from '../helpers/waybill.js';
import { SECRET, expectRefusal, expectSilence } from './refusals.js';

const LONG_MS = 300_000;
const SOON = ['--give-up-after', '4s'];

/** Without it MLflow itself refuses an `artifact_uri` at another host; older ones do not ask. */
const ALLOW_OTHER_HOSTS = {
  MLFLOW_ALLOWED_HOST_ADDRESSED_ARTIFACT_SCHEMES: 'mlflow-artifacts',
};

let bed: WaybillBed;
let server: CutServer;

beforeAll(async () => {
  bed = openWaybill();
  server = await startCutServer();
}, LONG_MS);

afterAll(async () => {
  await server.stop();
  await bed.close();
}, LONG_MS);

describe('what is not there', () => {
  let minio: Minio;
  let mlflow: Mlflow;
  let runId: string;

  beforeAll(async () => {
    minio = await startMinio();
    await minio.createBucket('models');
    await minio.putObject('models', 'churn/model.bin', 'weights');
    mlflow = await startMlflow({ minio, env: ALLOW_OTHER_HOSTS });
    const run = await mlflow.createRun(await mlflow.createExperiment('churn'));
    runId = run.runId;
    await minio.putObject(
      'mlflow',
      `mlflow/${run.artifactUri.replace(/^mlflow-artifacts:\/+/u, '')}/model/weights.bin`,
      'weights',
    );
    const version = await mlflow.registerModel('churn', `${run.artifactUri}/model`, runId);
    await mlflow.setAlias('churn', 'champion', version);
  }, LONG_MS);

  afterAll(async () => {
    await mlflow.stop();
    await minio.stop();
  }, LONG_MS);

  it.each([
    { what: 'run', source: `runs:/${'0'.repeat(32)}/model`, says: /0{32}/u },
    { what: 'path of a run', source: 'runs:/RUN/nosuch', says: /nosuch/u },
    { what: 'registered model', source: 'models:/nosuch/1', says: /nosuch/u },
    { what: 'alias', source: 'models:/churn@nosuch', says: /nosuch/u },
    { what: 'version', source: 'models:/churn/99', says: /99/u },
    { what: 'stage', source: 'models:/churn/Production', says: /Production/u },
  ])(
    'an unknown $what of MLflow is exit 4, and named',
    async ({ source, says }) => {
      const env = { ...mlflow.env, MLFLOW_TRACKING_TOKEN: SECRET };
      const uri = source.replace('RUN', runId);
      await expectRefusal(bed, { source: uri, exitCode: 4, code: 'WB_NOT_FOUND', says, env });
    },
    LONG_MS,
  );

  it(
    'a file that MLflow answers with 500 for because its object is gone is exit 4',
    async () => {
      const run = await mlflow.createRun(await mlflow.createExperiment('gone'));
      const folder = run.artifactUri.replace(/^mlflow-artifacts:\/+/u, '');
      await minio.putObject('mlflow', `mlflow/${folder}/model/a.bin`, 'a');
      await expectRefusal(bed, {
        source: `runs:/${run.runId}/model/b.bin`,
        exitCode: 4,
        code: 'WB_NOT_FOUND',
        says: /b\.bin/u,
        env: { ...mlflow.env, WAYBILL_MLFLOW_TRANSPORT: 'proxied' },
      });
      const url = `${mlflow.uri}/api/2.0/mlflow-artifacts/artifacts/${folder}/model/b.bin`;
      expect((await fetch(url)).status).toBe(500);
    },
    LONG_MS,
  );

  it.each([
    { what: 'bucket', source: 's3://nosuch/churn', says: /nosuch/u },
    { what: 'prefix', source: 's3://models/nosuch/', says: /nosuch/u },
    { what: 'key', source: 's3://models/churn/nosuch.bin', says: /nosuch\.bin/u },
  ])(
    'an unknown $what of S3 is exit 4, and named',
    async ({ source, says }) => {
      const env = minio.env;
      const run = await expectRefusal(bed, {
        source,
        exitCode: 4,
        code: 'WB_NOT_FOUND',
        says,
        env,
      });
      expectSilence(bed, run, minio.secretAccessKey);
    },
    LONG_MS,
  );

  it(
    'rule 2: a wrong key of S3 is exit 5, never "not found", and is not told',
    async () => {
      const env = { ...minio.env, AWS_SECRET_ACCESS_KEY: SECRET };
      await expectRefusal(bed, {
        source: 's3://models/churn',
        args: SOON,
        exitCode: 5,
        code: 'WB_UNAUTHENTICATED',
        says: /.+/u,
        env,
      });
    },
    LONG_MS,
  );

  it(
    'an unknown file of HTTP, and of the disk, is exit 4',
    async () => {
      const source = `${server.url}/nosuch.bin`;
      const says = /nosuch\.bin/u;
      await expectRefusal(bed, { source, exitCode: 4, code: 'WB_NOT_FOUND', says });
      const path = join(bed.dir, 'nosuch.bin');
      await expectRefusal(bed, { source: path, exitCode: 4, code: 'WB_NOT_FOUND', says });
    },
    LONG_MS,
  );

  it(
    'a source that the filters leave nothing of is exit 4',
    async () => {
      await expectRefusal(bed, {
        source: 's3://models/churn',
        args: ['--include', '*.nosuch'],
        exitCode: 4,
        code: 'WB_NOTHING_MATCHES',
        says: /filters/u,
        env: minio.env,
      });
    },
    LONG_MS,
  );

  it(
    'an unknown scheme is exit 2, and the known ones are named',
    async () => {
      const source = `gopher://me:${SECRET}@host/x`;
      const says = /models.*s3/u;
      await expectRefusal(bed, { source, exitCode: 2, code: 'WB_UNSUPPORTED', says });
    },
    LONG_MS,
  );

  it(
    'rule 4: no credential of MLflow goes to the host that an artifact_uri names',
    async () => {
      const location = `mlflow-artifacts://127.0.0.1:${server.port}/elsewhere`;
      const experiment = await mlflow.createExperiment('elsewhere', location);
      const run = await mlflow.createRun(experiment);
      expect(run.artifactUri).toContain(String(server.port));
      const before = server.requests.length;
      await expectRefusal(bed, {
        source: `runs:/${run.runId}`,
        args: SOON,
        env: { ...mlflow.env, MLFLOW_TRACKING_TOKEN: SECRET },
        exitCode: 4,
        code: 'WB_NOT_FOUND',
        says: /.+/u,
      });
      const asked = server.requests.slice(before);
      expect(asked.length).toBeGreaterThan(0);
      for (const { headers } of asked) expect(JSON.stringify(headers)).not.toContain(SECRET);
    },
    LONG_MS,
  );
});
