/** MLflow without a server: what a notebook leaves behind, read where it lies, and held against what MLflow itself fetches. */
import {
  copyFile,
  mkdir,
  mkdtemp,
  readFile,
  realpath,
  rename,
  rm,
  symlink,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { WaybillError } from '../../../src/model/errors.js';
import { mlflowFactory } from '../../../src/stores/mlflow/index.js';
import { StoreRegistry } from '../../../src/stores/registry.js';
import type { CatalogueLine, ConnectionSettings } from '../../../src/stores/store.js';
import { runMlflow } from '../../helpers/mlflow-on-disk.js';
import { failureOf, resolve } from './bench.js';
import { treeOf } from './trees.js';

/** What is logged, and what MLflow itself then downloads for each reference. */
const PROGRAM = `
import json, os, sys, mlflow
from pathlib import Path

class Echo(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input: list[str]) -> list[str]:
        return model_input

def log(uri, out):
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    client = mlflow.MlflowClient()
    mlflow.set_experiment('churn')
    src = Path(out) / 'src'
    (src / 'data').mkdir(parents=True)
    (src / 'data' / 'weights.bin').write_bytes(os.urandom(70000))
    (src / 'a b ü.txt').write_text('awkward')
    (src / 'empty').write_text('')
    with mlflow.start_run(run_name='first') as run:
        mlflow.log_artifacts(str(src), 'model')
        mlflow.log_metric('model_uploaded', 1)
        logged = mlflow.pyfunc.log_model(name='lm', python_model=Echo())
    with mlflow.start_run(run_name='empty') as empty:
        mlflow.log_metric('model_uploaded', 1, step=0)
        mlflow.log_metric('model_uploaded', 0, step=1)
    client.create_registered_model('reg')
    v1 = client.create_model_version('reg', f'{run.info.artifact_uri}/model', run.info.run_id)
    v2 = mlflow.register_model(f'models:/{logged.model_id}', 'reg')
    client.set_registered_model_alias('reg', 'champ', v1.version)
    client.transition_model_version_stage('reg', v1.version, 'Production')
    v3 = client.create_model_version('reg', f'{run.info.artifact_uri}/model', run.info.run_id)
    client.delete_model_version('reg', v3.version)
    gone = client.create_run(run.info.experiment_id)
    client.delete_run(gone.info.run_id)
    afar = client.create_experiment('afar', 's3://lake/mlflow')
    with mlflow.start_run(experiment_id=afar) as far: pass
    served = client.create_experiment('served', 'mlflow-artifacts:/7')
    with mlflow.start_run(experiment_id=served) as behind: pass
    outside = client.create_experiment('outside', (Path(out) / 'elsewhere').as_uri())
    with mlflow.start_run(experiment_id=outside) as apart:
        mlflow.log_text('apart', 'note.txt')
    refs = [f'runs:/{run.info.run_id}/model', f'runs:/{run.info.run_id}/lm',
            f'models:/{logged.model_id}', 'models:/reg/1', 'models:/reg/2', 'models:/reg@champ', 'models:/reg/Production',
            'models:/reg/latest']
    for at, ref in enumerate(refs):
        mlflow.artifacts.download_artifacts(ref, dst_path=str(Path(out) / 'theirs' / str(at)))
    return dict(run=run.info.run_id, empty=empty.info.run_id, gone=gone.info.run_id, far=far.info.run_id,
                behind=behind.info.run_id, apart=apart.info.run_id, model=logged.model_id,
                experiment=run.info.experiment_id, refs=refs)

said = {kind: log(uri, os.path.join(os.getcwd(), 'out', kind)) for kind, uri in
        dict(folder='file:./mlruns', database='sqlite:///mlflow.db').items()}
import sqlite3
log_only = sqlite3.connect('wal.db')
sqlite3.connect('mlflow.db').backup(log_only)
log_only.execute('PRAGMA journal_mode=WAL')
log_only.execute("INSERT INTO registered_models (name, workspace) VALUES ('in the log', 'default')")
log_only.commit()
print('SAID' + json.dumps(said), flush=True)
os._exit(0)
`;

interface Said {
  readonly run: string;
  readonly empty: string;
  readonly gone: string;
  readonly far: string;
  readonly behind: string;
  readonly apart: string;
  readonly model: string;
  readonly experiment: string;
  readonly refs: readonly string[];
}
type Kind = 'folder' | 'database';

let home: string;
let said: Readonly<Record<Kind, Said>>;

beforeAll(async () => {
  home = await realpath(await mkdtemp(join(tmpdir(), 'waybill-notebook-')));
  const output = await runMlflow({ cwd: home, code: PROGRAM });
  said = JSON.parse(/^SAID(.*)$/m.exec(output)?.[1] ?? '') as Readonly<Record<Kind, Said>>;
}, 300_000);
afterAll(() => rm(home, { recursive: true, force: true }));

/** As the command line makes it absolute. */
function trackingOf(kind: Kind, folder = home): string {
  return kind === 'folder'
    ? pathToFileURL(join(folder, 'mlruns')).href
    : `sqlite:///${folder}/mlflow.db`;
}

async function list(uri: string, settings: ConnectionSettings): Promise<CatalogueLine[]> {
  const lines: CatalogueLine[] = [];
  const found = mlflowFactory.listCatalogue?.({ uri, settings, secrets: {} }, {}) ?? [];
  for await (const line of found as AsyncIterable<CatalogueLine>) lines.push(line);
  return lines;
}

describe.each<Kind>(['folder', 'database'])('records in a %s', (kind) => {
  const at = (uri: string, settings: ConnectionSettings = {}) =>
    resolve(trackingOf(kind), uri, { settings });
  const refused = async (code: WaybillError['code'], uri: string, settings = {}): Promise<string> =>
    (await failureOf(code, at(uri, settings))).message;

  it('lead to the very files that MLflow fetches, for every form of a reference', async () => {
    for (const [index, reference] of said[kind].refs.entries()) {
      const { uri, transport } = await at(reference);
      expect(transport).toMatch(/^direct \(no server: the (folder|database) \//);
      const store = await new StoreRegistry().open({ uri, settings: {}, secrets: {} });
      const theirs = await treeOf(join(home, 'out', kind, 'theirs', String(index)));
      const ours = await treeOf(fileURLToPath(uri));
      await store.close();
      // MLflow writes this one itself into what it downloads of a registered model, and names a folder that was asked for.
      theirs.delete('registered_model_meta');
      theirs.delete('lm/registered_model_meta');
      const base = basename(reference);
      const inFolder = new Map([...ours].map(([path, text]) => [`${base}/${path}`, text]));
      expect(ours.size).toBeGreaterThan(0);
      expect([ours, inFolder]).toContainEqual(theirs);
    }
  });

  it('say what a reference meant', async () => {
    const { run, model } = said[kind];
    expect(await at('models:/reg@champ')).toMatchObject({
      revision: '1',
      facts: { modelName: 'reg', modelVersion: '1', alias: 'champ', runId: run },
    });
    expect(await at('models:/reg/latest')).toMatchObject({
      revision: '2',
      facts: { artifactUri: expect.stringContaining(`/models/${model}/`) as unknown },
    });
    expect(await at(`runs:/${run}`)).toMatchObject({
      revision: run,
      facts: {
        runStatus: 'FINISHED',
        experimentId: said[kind].experiment,
        warning: expect.stringContaining('made 1 LoggedModel(s)') as unknown,
      },
    });
    expect(
      (await at(`runs:/${said[kind].apart}`, { ALLOW_LOCAL_ROOTS: join(home, 'out') })).uri,
    ).toMatch(/elsewhere/);
  });

  it('that are not there are named, with what there is', async () => {
    const { run, empty, gone } = said[kind];
    const place = kind === 'folder' ? join(home, 'mlruns') : join(home, 'mlflow.db');
    expect(await refused('WB_NOT_FOUND', 'runs:/0123456789abcdef0123456789abcdef')).toContain(
      place,
    );
    expect(await refused('WB_NOT_FOUND', `runs:/${run}/nope`)).toMatch(
      /has no nope.*it has model\//,
    );
    expect(await refused('WB_NOT_FOUND', `runs:/${empty}/nope`)).toContain(`${empty} has no nope`);
    expect(await refused('WB_NOT_FOUND', 'models:/reg/3')).toMatch(/there is models:\/reg@champ/);
    expect(await refused('WB_NOT_FOUND', 'models:/reg@other')).toContain('with the alias other');
    expect(await refused('WB_NOT_FOUND', 'models:/reg/Staging')).toContain('in stage Staging');
    expect(await refused('WB_NOT_FOUND', 'models:/other/1')).toContain('has no model other');
    expect(await refused('WB_NOT_FOUND', 'models:/../reg/1')).toContain('has no');
    expect(await refused('WB_NOT_FOUND', 'models:/reg')).toContain('models:/reg/latest');
    await refused('WB_NOT_FOUND', `runs:/${gone}/x`);
  });

  it('say where files are that cannot be had without a server', async () => {
    const { far, behind } = said[kind];
    expect(await at(`runs:/${far}`)).toMatchObject({
      uri: expect.stringMatching(new RegExp(`^s3://lake/mlflow/${far}/artifacts$`)) as unknown,
      transport: expect.stringMatching(
        /^direct \(no server: .* says that the files lie there\)$/,
      ) as unknown,
    });
    const served = await refused('WB_CONFIG_INVALID', `runs:/${behind}`);
    expect(served).toMatch(/behind a server.*WAYBILL_PATH_MAP=mlflow-artifacts:\/=/);
    await mkdir(join(home, `kept-${kind}`, behind, 'artifacts'), { recursive: true });
    const map = { WAYBILL_PATH_MAP: `mlflow-artifacts:/7=${home}/kept-${kind}` };
    expect((await at(`runs:/${behind}`, map)).uri).toBe(
      pathToFileURL(join(home, `kept-${kind}`, behind, 'artifacts')).href,
    );
  });

  it('rule 4: lead to no other folder of this machine than their own and those that are allowed', async () => {
    const { apart, run } = said[kind];
    expect(await refused('WB_CONFIG_INVALID', `runs:/${apart}`)).toMatch(/ALLOW_LOCAL_ROOTS=\//);
    const allowed = { ALLOW_LOCAL_ROOTS: join(home, 'out') };
    expect((await at(`runs:/${apart}`, allowed)).transport).toMatch(/^direct/);
    await refused('WB_UNSAFE_PATH', `runs:/${run}/../../../../../etc`);
    const root = fileURLToPath((await at(`runs:/${run}`)).uri);
    await symlink('/etc', join(root, 'out'));
    try {
      await refused('WB_CONFIG_INVALID', `runs:/${run}/out`);
    } finally {
      await rm(join(root, 'out'));
    }
  });

  it('are listed: models with their aliases, experiments, runs by their names, and those that hold a model', async () => {
    const settings = { MLFLOW_TRACKING_URI: trackingOf(kind) };
    const { run, empty } = said[kind];
    expect(await list('models:/', settings)).toEqual([
      { uri: 'models:/reg/latest', kind: 'model', note: 'version 2' },
      { uri: 'models:/reg@champ', kind: 'alias', note: 'version 1' },
    ]);
    const experiments = await list('runs:/', settings);
    expect(experiments.map(({ uri }) => uri)).toEqual(
      expect.arrayContaining(['runs:/?experiment=churn', 'runs:/?experiment=afar']),
    );
    const runs = await list('runs:/?experiment=churn', settings);
    expect(runs).toEqual([
      { uri: `runs:/${empty}`, kind: 'run', note: 'empty, FINISHED' },
      { uri: `runs:/${run}`, kind: 'run', note: 'first, FINISHED' },
    ]);
    expect(await list('runs:/?experiment=churn&models-only', settings)).toEqual(runs.slice(1));
    const unknown = await failureOf('WB_NOT_FOUND', list('runs:/?experiment=nope', settings));
    expect(unknown.message).toContain('churn');
  });
});

describe('records that came from another machine', () => {
  it('say whose disk it was, and are read where path_map says that it is', async () => {
    const elsewhere = await realpath(await mkdtemp(join(tmpdir(), 'waybill-moved-')));
    try {
      const mlruns = join(home, 'mlruns');
      await rename(mlruns, join(elsewhere, 'mlruns'));
      const tracking = trackingOf('folder', elsewhere);
      const uri = `runs:/${said.folder.run}/model`;
      const missing = await failureOf('WB_NOT_FOUND', resolve(tracking, uri));
      expect(missing.message).toContain(`WAYBILL_PATH_MAP=${mlruns}=`);
      const map = (to: string) =>
        resolve(tracking, uri, { settings: { WAYBILL_PATH_MAP: `${mlruns}=${to}` } });
      const found = await map(join(elsewhere, 'mlruns'));
      expect(found.transport).toBe(`direct (path_map: ${mlruns} is ${elsewhere}/mlruns here)`);
      expect((await treeOf(fileURLToPath(found.uri))).size).toBe(3);
      expect((await failureOf('WB_NOT_FOUND', map('/nowhere'))).message).toContain('is it mounted');
      for (const wrong of ['/a', 'x=relative', '=/a']) {
        const settings = { WAYBILL_PATH_MAP: wrong };
        await failureOf('WB_CONFIG_INVALID', resolve(tracking, uri, { settings }));
      }
      await rename(join(elsewhere, 'mlruns'), mlruns);
    } finally {
      await rm(elsewhere, { recursive: true, force: true });
    }
  });
});

describe('a database', () => {
  const models = (file: string): Promise<CatalogueLine[]> =>
    list('models:/', { MLFLOW_TRACKING_URI: `sqlite:///${file}` });

  it('whose newest records are in its log alone is read with them, and neither is changed', async () => {
    const file = join(home, 'wal.db');
    const before = await Promise.all([readFile(file), readFile(`${file}-wal`)]);
    expect(before[1].length).toBeGreaterThan(0);
    expect((await models(file)).map(({ uri }) => uri)).toContain('models:/in the log/latest');
    expect(await Promise.all([readFile(file), readFile(`${file}-wal`)])).toEqual(before);
  });

  it('that was left in the middle of a change is not believed', async () => {
    const file = join(home, 'torn.db');
    await copyFile(join(home, 'mlflow.db'), file);
    await copyFile(join(home, 'mlflow.db'), `${file}-journal`);
    expect((await failureOf('WB_UNAVAILABLE', models(file))).message).toContain('in the middle');
    await rm(`${file}-journal`);
    expect(await models(file)).toHaveLength(2);
  });

  it('that is none, or none of MLflow, is named', async () => {
    await failureOf('WB_NOT_FOUND', models(join(home, 'none.db')));
    await failureOf('WB_UNSUPPORTED', models(join(home, 'mlruns', '0', 'meta.yaml')));
    await failureOf(
      'WB_NOT_FOUND',
      list('models:/', { MLFLOW_TRACKING_URI: 'file:///nowhere/mlruns' }),
    );
    await failureOf(
      'WB_CONFIG_INVALID',
      list('models:/', { MLFLOW_TRACKING_URI: 'file:./mlruns' }),
    );
    const mixed = {
      MLFLOW_TRACKING_URI: trackingOf('folder'),
      MLFLOW_REGISTRY_URI: 'http://127.0.0.1:9',
    };
    await failureOf('WB_UNSUPPORTED', list('models:/', mixed));
  });
});

describe('what is set', () => {
  const absolute = (settings: ConnectionSettings, cwd = home) =>
    mlflowFactory.placesHere?.absolute(settings, cwd)['MLFLOW_TRACKING_URI'];

  it.each([
    ['file:./mlruns', 'file:///w/mlruns'],
    ['file:mlruns', 'file:///w/mlruns'],
    ['./mlruns', 'file:///w/mlruns'],
    ['/data/ml runs', 'file:///data/ml%20runs'],
    ['file:///data/mlruns', 'file:///data/mlruns'],
    ['sqlite:///mlflow.db', 'sqlite:////w/mlflow.db'],
    ['sqlite:////data/mlflow.db', 'sqlite:////data/mlflow.db'],
    ['http://host:5000', 'http://host:5000'],
    ['databricks', 'databricks'],
  ])('%s is %s from the folder /w', (value, expected) => {
    expect(absolute({ MLFLOW_TRACKING_URI: value }, '/w')).toBe(expected);
  });

  it('is, where nothing is, what MLflow itself would take: mlruns with experiments, else mlflow.db', async () => {
    expect(absolute({})).toBe(trackingOf('folder'));
    await mkdir(join(home, 'db-only', 'mlruns'), { recursive: true });
    await copyFile(join(home, 'mlflow.db'), join(home, 'db-only', 'mlflow.db'));
    expect(absolute({}, join(home, 'db-only'))).toBe(trackingOf('database', join(home, 'db-only')));
    expect(absolute({}, '/nowhere')).toBeUndefined();
  });
});
