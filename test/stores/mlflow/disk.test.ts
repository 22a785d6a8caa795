/** References and files of a real MLflow that keeps its artifacts on its own disk. */
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import * as z from 'zod';
import { listRegistry } from '../../../src/stores/mlflow/list-registry.js';
import { startMlflow } from '../../helpers/mlflow.js';
import type { MlflowRun } from '../../../src/demo/mlflow-seed.js';
import type { Mlflow } from '../../helpers/mlflow.js';
import { failureOf, filesOf, listAll, resolve, textOf, withReference } from './bench.js';

let mlflow: Mlflow;
let experiment: string;
let run: MlflowRun;
let modelId: string;

async function makeLoggedModel(name: string, runId: string): Promise<{ id: string; uri: string }> {
  const body = { experiment_id: experiment, name, source_run_id: runId };
  const made = await mlflow.api('logged-models', { body });
  const { model } = z
    .object({
      model: z.object({ info: z.object({ model_id: z.string(), artifact_uri: z.string() }) }),
    })
    .parse(made);
  return { id: model.info.model_id, uri: model.info.artifact_uri };
}

/** A folder or file of a run on the server's disk. */
function onDisk(of: MlflowRun, path: string): string {
  return join(mlflow.dir, 'artifacts', of.artifactUri.replace(/^mlflow-artifacts:\/+/, ''), path);
}

beforeAll(async () => {
  mlflow = await startMlflow();
  experiment = await mlflow.createExperiment('churn experiment');
  run = await mlflow.createRun(experiment, 'first run');
  await mlflow.putArtifact(run.artifactUri, 'model/MLmodel', 'flavors: {}');
  await mlflow.putArtifact(run.artifactUri, 'model/data/weights.bin', 'version one');
  await mlflow.putArtifact(run.artifactUri, 'model/empty.bin', '');
  await mlflow.putArtifact(run.artifactUri, 'notes.txt', 'hello');
  await mlflow.api('runs/update', { body: { run_id: run.runId, status: 'FINISHED' } });
  const one = await mlflow.registerModel('churn', `${run.artifactUri}/model`, run.runId);
  const made = await makeLoggedModel('logged', run.runId);
  modelId = made.id;
  await mlflow.putArtifact(made.uri, 'MLmodel', 'logged model');
  await mlflow.putArtifact(made.uri, 'data/weights.bin', 'version two');
  const version = {
    name: 'churn',
    source: `models:/${modelId}`,
    run_id: run.runId,
    model_id: modelId,
  };
  await mlflow.api('model-versions/create', { body: version });
  const two = '2';
  await mlflow.setAlias('churn', 'champion', one);
  await mlflow.setAlias('churn', 'challenger', two);
  const body = {
    name: 'churn',
    version: one,
    stage: 'Production',
    archive_existing_versions: false,
  };
  await mlflow.api('model-versions/transition-stage', { body });
}, 180_000);
afterAll(() => mlflow.stop());

describe('a registered model', () => {
  const one = ['MLmodel', 'data/weights.bin', 'empty.bin'];
  const two = ['MLmodel', 'data/weights.bin'];

  it.each([
    ['models:/churn/1', '1', one],
    ['models:/churn/2', '2', two],
    ['models:/churn/latest', '2', two],
    ['models:/churn/LATEST', '2', two],
    ['models:/churn/Production', '1', one],
    ['models:/churn@champion', '1', one],
    ['models:/churn@challenger', '2', two],
    ['models:/churn@champion/data', '1', ['weights.bin']],
    ['models:/churn/2/data', '2', ['weights.bin']],
  ])('%s is version %s', (uri, version, files) =>
    withReference(mlflow.uri, uri, async (store, { revision, facts }) => {
      expect(revision).toBe(version);
      expect(facts).toMatchObject({ modelName: 'churn', modelVersion: version, runId: run.runId });
      expect(await filesOf(store)).toEqual(files);
    }),
  );

  it('is a single file where the reference names one', () =>
    withReference(mlflow.uri, 'models:/churn@champion/data/weights.bin', async (store) => {
      expect(await store.stat('')).toMatchObject({ kind: 'file', sizeBytes: 11 });
      expect(await textOf(store, '')).toBe('version one');
    }));

  it('records what was asked and what it was, for the receipt', async () => {
    const { facts, transport } = await resolve(mlflow.uri, 'models:/churn@champion');
    expect(facts).toEqual({
      alias: 'champion',
      modelName: 'churn',
      modelVersion: '1',
      runId: run.runId,
      artifactUri: `${run.artifactUri}/model`,
    });
    expect(transport).toBe('proxied (the server offers no presigned addresses)');
    expect((await resolve(mlflow.uri, 'models:/churn/Production')).facts).toMatchObject({
      stage: 'Production',
    });
  });

  it.each([
    ['an alias', 'models:/churn@nope'],
    ['a version', 'models:/churn/9'],
    ['a stage without versions', 'models:/churn/Staging'],
    ['a stage that MLflow does not have', 'models:/churn/champion'],
  ])('without %s that was asked for names those that there are', async (_, uri) => {
    const error = await failureOf('WB_NOT_FOUND', resolve(mlflow.uri, uri));
    expect(error.message).toContain('models:/churn@champion (version 1)');
    expect(error.message).toContain('models:/churn/latest (version 2)');
  });

  it('that does not exist is not found', async () => {
    for (const uri of ['models:/nope/1', 'models:/nope@x', 'models:/nope/latest']) {
      const error = await failureOf('WB_NOT_FOUND', resolve(mlflow.uri, uri));
      expect(error.message).toContain('nope');
    }
  });

  it('is looked up in the registry of MLFLOW_REGISTRY_URI, its files at the tracking server', async () => {
    const settings = { MLFLOW_REGISTRY_URI: `${mlflow.uri}/` };
    await withReference(
      mlflow.uri,
      'models:/churn@champion',
      async (store) => {
        expect(await textOf(store, 'data/weights.bin')).toBe('version one');
      },
      { settings },
    );
    const nowhere = { MLFLOW_REGISTRY_URI: 'http://127.0.0.1:9' };
    const asked = resolve(mlflow.uri, 'models:/churn@champion', { settings: nowhere });
    expect((await failureOf('WB_UNAVAILABLE', asked)).message).toContain('127.0.0.1:9');
  });
});

describe('a LoggedModel', () => {
  it('is found by its id, whole and in parts', async () => {
    await withReference(mlflow.uri, `models:/${modelId}`, async (store, { revision, facts }) => {
      expect(revision).toBe(modelId);
      expect(facts).toMatchObject({ modelId, modelName: 'logged', runId: run.runId });
      expect(await filesOf(store)).toEqual(['MLmodel', 'data/weights.bin']);
    });
    await withReference(mlflow.uri, `models:/${modelId}/data/weights.bin`, async (store) => {
      expect(await textOf(store, '')).toBe('version two');
    });
  });

  it('is found by the run that made it and its name', () =>
    withReference(mlflow.uri, `runs:/${run.runId}/logged`, async (store, { facts }) => {
      expect(facts).toMatchObject({ modelId, modelName: 'logged', runId: run.runId });
      expect(await filesOf(store)).toEqual(['MLmodel', 'data/weights.bin']);
    }));

  it('that does not exist says how registered models are written', async () => {
    const error = await failureOf('WB_NOT_FOUND', resolve(mlflow.uri, 'models:/churn'));
    expect(error.message).toContain('models:/churn/latest');
    expect(error.message).toContain('models:/churn@<alias>');
  });

  it('fact 1: never stands in for files of the run without a word', async () => {
    const both = await mlflow.createRun(experiment);
    await mlflow.putArtifact(both.artifactUri, 'twice/run-only.txt', 'of the run');
    const { uri } = await makeLoggedModel('twice', both.runId);
    await mlflow.putArtifact(uri, 'model-only.txt', 'of the model');
    await withReference(mlflow.uri, `runs:/${both.runId}/twice`, async (store, { facts }) => {
      expect(await filesOf(store)).toEqual(['model-only.txt']);
      expect(facts?.['warning']).toContain(`${both.artifactUri}/twice`);
    });
    // What the LoggedModel lacks is taken from the run.
    await withReference(mlflow.uri, `runs:/${both.runId}/twice/run-only.txt`, async (store) => {
      expect(await textOf(store, '')).toBe('of the run');
    });
  });
});

describe('a run', () => {
  it('is resolved to its own files, and says that its LoggedModels are not among them', () =>
    withReference(mlflow.uri, `runs:/${run.runId}`, async (store, { revision, facts }) => {
      expect(revision).toBe(run.runId);
      expect(facts).toMatchObject({
        runId: run.runId,
        runName: 'first run',
        runStatus: 'FINISHED',
        experimentId: experiment,
        artifactUri: run.artifactUri,
      });
      expect((await listAll(store)).map(({ path, kind }) => `${kind} ${path}`)).toEqual([
        'directory model',
        'file model/MLmodel',
        'directory model/data',
        'file model/data/weights.bin',
        'file model/empty.bin',
        'file notes.txt',
      ]);
    }));

  it('has a folder or a file where the reference names one', async () => {
    await withReference(mlflow.uri, `runs:/${run.runId}/model/data`, async (store) => {
      expect(await filesOf(store)).toEqual(['weights.bin']);
    });
    await withReference(mlflow.uri, `runs:/${run.runId}/notes.txt`, async (store) => {
      expect(await store.stat('')).toMatchObject({ path: '', kind: 'file', sizeBytes: 5 });
      expect(await textOf(store, '')).toBe('hello');
    });
  });

  it('without the path that was asked for names what it has', async () => {
    const error = await failureOf('WB_NOT_FOUND', resolve(mlflow.uri, `runs:/${run.runId}/nope`));
    expect(error.message).toContain('it has model/, notes.txt');
  });

  it('that does not exist is not found', async () => {
    const error = await failureOf('WB_NOT_FOUND', resolve(mlflow.uri, 'runs:/0123456789abcdef'));
    expect(error.message).toContain('0123456789abcdef');
  });

  it('without any files is not found, not waited for', async () => {
    const empty = await mlflow.createRun(experiment);
    await withReference(mlflow.uri, `runs:/${empty.runId}`, async (store) => {
      await failureOf('WB_NOT_FOUND', store.stat(''));
    });
  });

  it('that is running or deleted is fetched with a warning', async () => {
    const other = await mlflow.createRun(experiment);
    await mlflow.putArtifact(other.artifactUri, 'part.txt', 'so far');
    const running = await resolve(mlflow.uri, `runs:/${other.runId}`);
    expect(running.facts?.['warning']).toContain('is RUNNING: files may still be added');
    await mlflow.api('runs/delete', { body: { run_id: other.runId } });
    await withReference(mlflow.uri, `runs:/${other.runId}`, async (store, { facts }) => {
      expect(facts?.['warning']).toContain('is deleted');
      expect(await filesOf(store)).toEqual(['part.txt']);
    });
  });
});

describe('the artifact service', () => {
  it.each(['mlflow-artifacts:/', 'mlflow-artifacts://HOST/'])(
    '%s names its files',
    async (form) => {
      const root = form.replace('HOST', new URL(mlflow.uri).host);
      const path = run.artifactUri.replace(/^mlflow-artifacts:\/+/, '');
      await withReference(mlflow.uri, `${root}${path}/model/`, async (store) => {
        expect(await filesOf(store)).toEqual(['MLmodel', 'data/weights.bin', 'empty.bin']);
      });
    },
  );

  it('names of a listing that has no size are files of 0 bytes, and are empty', () =>
    withReference(mlflow.uri, `runs:/${run.runId}/model`, async (store) => {
      const entries = await listAll(store);
      expect(entries.find(({ path }) => path === 'empty.bin')).toEqual({
        path: 'empty.bin',
        kind: 'file',
        sizeBytes: 0,
      });
      expect(await textOf(store, 'empty.bin')).toBe('');
    }));

  it('a file, an empty folder and a missing path list alike, and are told apart all the same', () =>
    withReference(mlflow.uri, `runs:/${run.runId}`, async (store) => {
      await mkdir(onDisk(run, 'hollow'), { recursive: true });
      expect(await listAll(store, 'hollow')).toEqual([]);
      expect(await store.stat('hollow')).toEqual({ path: 'hollow', kind: 'directory' });
      await failureOf('WB_NOT_FOUND', listAll(store, 'notes.txt'));
      await failureOf('WB_NOT_FOUND', listAll(store, 'missing'));
      await failureOf('WB_NOT_FOUND', store.openRead('model'));
    }));

  it('fact 2: a file that is shorter than listed announces it, so that it is refused', async () => {
    const other = await mlflow.createRun(experiment);
    await mlflow.putArtifact(other.artifactUri, 'shrinks.bin', 'x'.repeat(100));
    await withReference(mlflow.uri, `runs:/${other.runId}`, async (store) => {
      const [listed] = await listAll(store);
      expect(listed?.sizeBytes).toBe(100);
      await writeFile(onDisk(other, 'shrinks.bin'), 'x'.repeat(50));
      const opened = await store.openRead('shrinks.bin');
      opened.body.destroy();
      expect(opened).toMatchObject({ ending: 'length', lengthBytes: 50, sizeBytes: 50 });
    });
  });

  it('rule 12: pins by an ETag that is made of time and size, so weakly', async () => {
    const other = await mlflow.createRun(experiment);
    await mlflow.putArtifact(other.artifactUri, 'file.bin', '0123456789');
    await withReference(mlflow.uri, `runs:/${other.runId}`, async (store) => {
      const first = await store.openRead('file.bin', { lengthBytes: 4 });
      first.body.destroy();
      expect(first.pin?.strength).toBe('weak');
      expect(first.modifiedAt).toMatch(/Z$/);
      expect(first.answeredAt).toMatch(/Z$/);
      const pin = first.pin ?? { strength: 'weak', value: '' };
      expect(await textOf(store, 'file.bin', { offsetBytes: 4, pin })).toBe('456789');
      await writeFile(onDisk(other, 'file.bin'), 'another length');
      await failureOf('WB_SOURCE_CHANGED', store.openRead('file.bin', { offsetBytes: 4, pin }));
    });
  });

  it('a name that the server would take for another one is refused, not fetched wrongly', async () => {
    const other = await mlflow.createRun(experiment);
    await mlflow.putArtifact(other.artifactUri, 'a b.txt', 'the wrong one');
    await writeFile(onDisk(other, 'a%20b.txt'), 'the right one');
    await writeFile(onDisk(other, 'part#1.txt'), 'unreachable');
    await withReference(mlflow.uri, `runs:/${other.runId}`, async (store) => {
      expect(await filesOf(store)).toEqual(['a b.txt', 'a%20b.txt', 'part#1.txt']);
      for (const path of ['a%20b.txt', 'part#1.txt']) {
        const error = await failureOf('WB_UNSUPPORTED', store.openRead(path));
        expect(error).toMatchObject({ scope: 'file', path });
      }
      expect(await textOf(store, 'a b.txt')).toBe('the wrong one');
    });
  });

  it('a broken link makes the whole folder fail, which is no missing folder', async () => {
    const other = await mlflow.createRun(experiment);
    await mlflow.putArtifact(other.artifactUri, 'good.txt', 'x');
    await symlink('/nowhere/at/all', onDisk(other, 'broken'));
    await withReference(mlflow.uri, `runs:/${other.runId}`, async (store) => {
      const error = await failureOf('WB_UNAVAILABLE', listAll(store));
      expect(error.message).toContain('500');
    });
  });

  it('rule 24: a folder that links to itself ends', async () => {
    const other = await mlflow.createRun(experiment);
    await mlflow.putArtifact(other.artifactUri, 'good.txt', 'x');
    await symlink('.', onDisk(other, 'loop'));
    await withReference(mlflow.uri, `runs:/${other.runId}`, async (store) => {
      const listed = await listAll(store).then(
        (entries) => entries.length,
        (error: { code?: string }) => error.code,
      );
      // The server's own limit on links, seen as a failure of the listing or as its end.
      expect(
        typeof listed === 'number'
          ? listed < 200
          : ['WB_UNAVAILABLE', 'WB_USAGE'].includes(String(listed)),
      ).toBe(true);
    });
  });

  it('fact 5: is never asked with HEAD, whose answers are of other code', async () => {
    await withReference(mlflow.uri, `runs:/${run.runId}`, async (store) => {
      await store.stat('notes.txt');
      await textOf(store, 'notes.txt');
    });
    expect(mlflow.logTail()).toContain('"GET /');
    expect(mlflow.logTail()).not.toContain('"HEAD /');
  });
});

describe('the registry', () => {
  const lines = async (uri: string): Promise<unknown[]> => {
    const found: unknown[] = [];
    const settings = { MLFLOW_TRACKING_URI: mlflow.uri };
    for await (const line of listRegistry({ uri, settings, secrets: {} })) found.push(line);
    return found;
  };

  it('lists models with their aliases', async () => {
    expect(await lines('models:/')).toEqual([
      { uri: 'models:/churn/latest', kind: 'model', note: 'version 2' },
      { uri: 'models:/churn@challenger', kind: 'alias', note: 'version 2' },
      { uri: 'models:/churn@champion', kind: 'alias', note: 'version 1' },
    ]);
  });

  it('lists experiments, and the runs of one', async () => {
    expect(await lines('runs:/')).toContainEqual({
      uri: 'runs:/?experiment=churn experiment',
      kind: 'experiment',
      note: `id ${experiment}`,
    });
    expect(await lines('runs:/?experiment=churn experiment')).toContainEqual({
      uri: `runs:/${run.runId}`,
      kind: 'run',
      note: 'first run, FINISHED',
    });
  });

  it('lists nothing of an experiment that does not exist', async () => {
    await failureOf('WB_NOT_FOUND', lines('runs:/?experiment=nope'));
    await failureOf('WB_USAGE', lines('runs:/?owner=me'));
  });
});
