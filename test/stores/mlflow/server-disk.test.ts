/** A real MLflow without its artifact service, as `--no-serve-artifacts` makes it: runs lie in a folder of the server. */
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { pathToFileURL } from 'node:url';
import { startMlflow } from '../../helpers/mlflow.js';
import type { MlflowRun } from '../../../src/demo/mlflow-seed.js';
import type { Mlflow } from '../../helpers/mlflow.js';
import { failureOf, filesOf, resolve, textOf, withReference } from './bench.js';

let folder: string;
let mlflow: Mlflow;
let run: MlflowRun;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-mlruns-'));
  mlflow = await startMlflow({
    extraArgs: ['--no-serve-artifacts', '--default-artifact-root', folder],
  });
  run = await mlflow.createRun(await mlflow.createExperiment('on disk'));
  for (const [path, text] of [
    ['model/MLmodel', 'flavors: {}'],
    ['model/data/weights.bin', '0123456789'],
    ['model/empty.bin', ''],
  ] as const) {
    const place = join(pathOf(run), path);
    await mkdir(dirname(place), { recursive: true });
    await writeFile(place, text);
  }
}, 180_000);
afterAll(() => mlflow.stop());

function pathOf({ artifactUri }: MlflowRun): string {
  return artifactUri.replace(/^file:\/\//, '');
}

describe("a run on the server's own disk", () => {
  it('is read through the server, with ranges and a weak pin', () =>
    withReference(mlflow.uri, `runs:/${run.runId}/model`, async (store, { transport, facts }) => {
      expect(transport).toBe("proxied (the files lie on the server's disk)");
      expect(facts?.['artifactUri']).toBe(`${run.artifactUri}/model`);
      expect(await filesOf(store)).toEqual(['MLmodel', 'data/weights.bin', 'empty.bin']);
      expect(store.capabilities).toMatchObject({ ranges: 'yes', pin: 'weak' });
      const { pin } = await store.stat('data/weights.bin');
      const again = { offsetBytes: 4, ...(pin ? { pin } : {}) };
      expect(await textOf(store, 'data/weights.bin', again)).toBe('456789');
      expect(await textOf(store, 'empty.bin')).toBe('');
      await failureOf('WB_NOT_FOUND', store.openRead('nope.bin'));
      await failureOf('WB_NOT_FOUND', store.openRead('data'));
      await writeFile(join(pathOf(run), 'model/data/weights.bin'), 'changed, and longer');
      await failureOf('WB_SOURCE_CHANGED', store.openRead('data/weights.bin', again));
    }));

  it('rule 4: is read from the disk only inside a folder that is allowed', async () => {
    const uri = `runs:/${run.runId}/model`;
    const here = pathToFileURL(join(pathOf(run), 'model')).href;
    const allowed = await resolve(mlflow.uri, uri, { settings: { ALLOW_LOCAL_ROOTS: folder } });
    expect(allowed).toMatchObject({ uri: here, transport: expect.stringMatching(/^direct/) });
    for (const root of ['/nowhere', `${folder}-other`, join(folder, 'deeper')]) {
      const other = await resolve(mlflow.uri, uri, { settings: { ALLOW_LOCAL_ROOTS: root } });
      expect(other.uri).toMatch(/^mlflow-artifacts:/);
    }
  });

  it('is found by a registered version that points into it', async () => {
    await mlflow.api('registered-models/create', { body: { name: 'loose' } });
    const body = { name: 'loose', source: run.artifactUri, run_id: run.runId };
    await mlflow.api('model-versions/create', { body });
    await withReference(mlflow.uri, 'models:/loose/1/model', async (store) => {
      expect(await filesOf(store)).toEqual(['MLmodel', 'data/weights.bin', 'empty.bin']);
    });
  });

  it('an artifact service that is switched off is a setting to mend, not a failure to wait out', async () => {
    const asked = resolve(mlflow.uri, 'mlflow-artifacts:/1/model');
    const error = await asked.then(
      async ({ uri, settings = {} }) => {
        const { mlflowFactory } = await import('../../../src/stores/mlflow/index.js');
        const store = await mlflowFactory.open({
          uri,
          settings: { MLFLOW_TRACKING_URI: mlflow.uri, ...settings },
          secrets: {},
        });
        await failureOf('WB_CONFIG_INVALID', store.openRead('MLmodel'));
        return failureOf('WB_CONFIG_INVALID', store.stat(''));
      },
      (reason: unknown) => failureOf('WB_CONFIG_INVALID', Promise.reject(reason)),
    );
    expect(error).toMatchObject({ retryable: false });
    expect(error.message).toContain('--serve-artifacts');
  });
});

describe('a run whose files are on the disk of whoever logged it', () => {
  const ALICE = '/home/waybill-alice/mlruns';
  let there: MlflowRun;

  beforeAll(async () => {
    there = await mlflow.createRun(await mlflow.createExperiment('alice', `file://${ALICE}/7`));
  });

  it('says whose path it is and what to do, for the run and for a part of it', async () => {
    for (const uri of [`runs:/${there.runId}`, `runs:/${there.runId}/model`]) {
      const { message } = await failureOf('WB_NOT_FOUND', resolve(mlflow.uri, uri));
      expect(message).toContain(`${ALICE}/7/${there.runId}/artifacts`);
      expect(message).toContain(`WAYBILL_PATH_MAP=${ALICE}=/`);
    }
  });

  it('is read where path_map says that its disk is mounted', async () => {
    const mount = await mkdtemp(join(tmpdir(), 'waybill-mount-'));
    const files = join(mount, '7', there.runId, 'artifacts/model');
    await mkdir(files, { recursive: true });
    await writeFile(join(files, 'weights.bin'), 'of alice');
    const uri = `runs:/${there.runId}/model`;
    const at = (map: string, more = {}) =>
      resolve(mlflow.uri, uri, { settings: { WAYBILL_PATH_MAP: map, ...more } });
    expect(await at(`${ALICE}=${mount}`)).toMatchObject({
      uri: pathToFileURL(files).href,
      transport: `direct (path_map: ${ALICE} is ${mount} here)`,
    });
    // The longest that fits counts, and a map of something else changes nothing.
    expect((await at(`/home=/nowhere,${ALICE}=${mount}`)).uri).toBe(pathToFileURL(files).href);
    const { message } = await failureOf('WB_NOT_FOUND', at('/home=/nowhere'));
    expect(message).toContain('is it mounted');
    await failureOf('WB_NOT_FOUND', at('/home/waybill=/nowhere'));
    await failureOf(
      'WB_NOT_FOUND',
      at(`${ALICE}=${mount}`, { WAYBILL_MLFLOW_TRANSPORT: 'proxied' }),
    );
    const other = { settings: { WAYBILL_PATH_MAP: `${ALICE}=${mount}` } };
    await failureOf('WB_NOT_FOUND', resolve(mlflow.uri, `runs:/${there.runId}/nope`, other));
  });
});
