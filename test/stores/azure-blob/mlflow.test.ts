/** Runs and models of a real MLflow whose artifact root is a container of a real Azurite, which the server cannot read itself. */
import { join } from 'node:path';
import { readFileSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startAzurite, type Azurite } from '../../helpers/azurite.js';
import { startMlflow, type Mlflow } from '../../helpers/mlflow.js';
import { scratchFolder } from '../../helpers/processes.js';
import { digestsOfTree, expectedDigests, treeFiles, writeTree } from '../../helpers/tree.js';
import { openWaybill, type WaybillBed } from '../../helpers/waybill.js';

const FILES = treeFiles({ fileCount: 12, largeSizes: [3 * 1024 * 1024], names: [] });

let base: string;
let azurite: Azurite;
let mlflow: Mlflow;
let bed: WaybillBed;
let runId: string;

beforeAll(async () => {
  base = scratchFolder('azure-mlflow');
  [azurite, mlflow] = await Promise.all([startAzurite(), startMlflow()]);
  bed = openWaybill(join(base, 'waybill'));
  await azurite.createContainer('mlflow');
  const container = `wasbs://mlflow@${azurite.account}.blob.core.windows.net`;
  const run = await mlflow.createRun(await mlflow.createExperiment('azure', `${container}/root`));
  runId = run.runId;
  const tree = join(base, 'tree');
  await writeTree(tree, FILES);
  await azurite.putTree('mlflow', `${run.artifactUri.replace(`${container}/`, '')}/model`, tree);
  const version = await mlflow.registerModel('churn', `${run.artifactUri}/model`, runId);
  await mlflow.setAlias('churn', 'champion', version);
}, 300_000);

afterAll(async () => {
  await bed.close();
  await Promise.all([mlflow.stop(), azurite.stop()]);
  rmSync(base, { recursive: true, force: true });
}, 120_000);

describe('an artifact root in Azure', () => {
  it.each([
    ['a run', () => `runs:/${runId}/model`],
    ['a model by its alias', () => 'models:/churn@champion'],
  ])(
    'of %s is read directly, with the variables that MLflow has for it',
    async (what, source) => {
      const to = join(bed.dir, what.replaceAll(' ', '-'));
      const env = { ...mlflow.env, AZURE_STORAGE_CONNECTION_STRING: azurite.connectionString };
      const args = ['pull', source(), to, '--json'];
      const run = await bed.run(args, { env });
      expect({
        exitCode: run.exitCode,
        result: run.result,
        stderr: run.stderr.slice(-600),
      }).toMatchObject({
        exitCode: 0,
        result: {
          ok: true,
          levels: { provider: FILES.length },
        },
      });
      const receipt = JSON.parse(readFileSync(join(to, '.waybill/receipt.json'), 'utf8')) as object;
      expect(JSON.stringify(receipt)).toMatch(/direct \([^"]*has credentials for Azure\)/);
      expect(await digestsOfTree(to)).toEqual(expectedDigests(FILES));
    },
    300_000,
  );
});
