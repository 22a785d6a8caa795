/** Whole pulls from a real MLRun server: what its own client logged, proven, overwritten, killed and resumed. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createHash, randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startMinio, type Minio } from '../../helpers/minio.js';
import { startMlrun, type Mlrun } from '../../helpers/mlrun.js';
import { digestsOfTree } from '../../helpers/tree.js';
import { openWaybill, type WaybillBed, type WaybillRun } from '../../helpers/waybill.js';

const BUCKET = 'mlrun-data';
const SHA1_OF_NOTHING = '0'.repeat(40);

/** What a project of MLRun's own client holds after some work. */
const LOG = `
import pandas as pd
import mlrun.feature_store as fs
from mlrun.datastore.targets import CSVTarget, ParquetTarget
project = mlrun.get_or_create_project('churn', context=os.path.join(os.getcwd(), 'context'))
at = os.path.join(root, 'churn')
for tag, body in (('v1', b'hello'), ('v2', b'hello world')):
    project.log_artifact('notes', body=body, local_path='notes.txt', artifact_path=at, tag=tag)
project.log_dataset('rows', df=pd.DataFrame({'a': [1, 2]}), format='csv', artifact_path=at, stats=True)
open('m.pkl', 'wb').write(b'model' * 100)
open('near.txt', 'w').write('near')
project.log_model('model', model_dir=os.getcwd(), model_file='m.pkl', artifact_path=at, labels={'team': 'a'},
                  metrics={'acc': 0.9}, extra_data={'body.txt': b'in a body', 'near': 'near.txt'})
def train(context, x: int):
    context.log_artifact('weights', body=('iteration %d' % x).encode(), local_path='w.txt')
mlrun.new_function().run(handler=train, name='tune', project='churn', hyperparams={'x': [1, 3, 2]},
                         artifact_path=at + '/{{run.uid}}')
features = fs.FeatureSet('features', entities=[fs.Entity('id')])
features.metadata.project = 'churn'
features.set_targets([CSVTarget('csv', path=at + '/f/data.csv'), ParquetTarget('pq', path=at + '/f/pq')], with_defaults=False)
features.save()
fs.ingest(features, pd.DataFrame({'id': [1, 2], 'v': [3, 4]}))
vector = fs.FeatureVector('vector', features=['features.v'])
vector.metadata.project = 'churn'
vector.save()
fs.get_offline_features('store://feature-vectors/churn/vector', target=ParquetTarget(path=at + '/vector.parquet'))
`;

let mlrun: Mlrun;
let minio: Minio;
let bed: WaybillBed;

beforeAll(async () => {
  [mlrun, minio] = await Promise.all([startMlrun({ allowedPaths: 'gs://none' }), startMinio()]);
  bed = openWaybill();
  await Promise.all([mlrun.python(LOG), minio.createBucket(BUCKET)]);
}, 600_000);

afterAll(async () => {
  await bed.close();
  await Promise.all([mlrun.stop(), minio.stop()]);
  rmSync(bed.dir, { recursive: true, force: true });
});

const to = (name: string): string => join(bed.dir, name);

function run(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<WaybillRun> {
  return bed.run(args, { env: { ...mlrun.env, ...env } });
}

/** Pulls, and must succeed; the receipt of a tree. */
async function pull(uri: string, name: string, env = {}): Promise<Record<string, unknown>> {
  const done = await run(['pull', uri, to(name), '--json'], env);
  expect(done.result).toMatchObject({ ok: true, exitCode: 0 });
  return done.result;
}

/** A part of the large file is on disk, and written down. */
async function untilRecorded(folder: string): Promise<void> {
  for (let tries = 0; tries < 9_000; tries += 1) {
    const names = existsSync(folder) ? readdirSync(folder) : [];
    const parts = names.filter((name) => name.endsWith('.parts'));
    if (parts.some((name) => statSync(join(folder, name)).size > 200)) return;
    await sleep(20);
  }
  throw new Error('no part of the model was recorded');
}

const sha1 = (bytes: Buffer | string): string => createHash('sha1').update(bytes).digest('hex');

describe('through the API server', () => {
  it('brings a model with what its extra_data names, its file proven by the SHA-1 that was recorded', async () => {
    await pull('store://models/churn/model', 'model');
    expect([...(await digestsOfTree(to('model'))).keys()].sort()).toEqual([
      'body.txt',
      'm.pkl',
      'model_spec.yaml',
      'near.txt',
    ]);
    expect(readFileSync(to('model/m.pkl'), 'utf8')).toBe('model'.repeat(100));
    const manifest = readFileSync(to('model/.waybill/manifest.ndjson'), 'utf8');
    const line = JSON.parse(manifest.split('\n')[1] ?? '') as Record<string, unknown>;
    expect(line).toMatchObject({
      path: 'm.pkl',
      level: 'provider',
      comparedDigests: ['sha1'],
      expectedFrom: 'sha1 of the registry',
    });
    const source = JSON.parse(readFileSync(to('model/.waybill/source.json'), 'utf8')) as object;
    expect(source).toMatchObject({
      registry: 'mlrun',
      api: 'v1',
      record: {
        kind: 'model',
        metadata: { labels: { team: 'a' } },
        spec: { metrics: { acc: 0.9 } },
      },
    });
    const receipt = JSON.parse(readFileSync(to('model/.waybill/receipt.json'), 'utf8')) as object;
    expect(receipt).toMatchObject({
      source: {
        asked: 'store://models/churn/model',
        transport: 'proxied (the files lie on a disk that is not named here)',
        facts: { project: 'churn', key: 'model', kind: 'model' },
      },
    });
  });

  it('a second pull of a data set finds it in place; its statistics are in source.json', async () => {
    await pull('store://datasets/churn/rows', 'rows.csv');
    expect(readFileSync(to('rows.csv'), 'utf8')).toMatch(/^(index)?,?a\n/u);
    expect(readFileSync(to('.rows.csv.waybill/source.json'), 'utf8')).toContain('"stats"');
  });

  it('names a single file as its target does, in a folder', async () => {
    mkdirSync(to('folder'));
    await pull('store://churn/notes', 'folder/');
    expect(readFileSync(to('folder/notes.txt'), 'utf8')).toBe('hello world');
  });

  it('finds an iteration by its tag and by its run', async () => {
    const listed = await run(['ls', 'store://churn', '-q']);
    expect(listed.stdout).toContain('store://artifacts/churn/tune_weights#2:latest\n');
    await pull('store://churn/tune_weights#2:latest', 'second');
    expect(readFileSync(to('second'), 'utf8')).toBe('iteration 3');
    const { record } = JSON.parse(readFileSync(to('.second.waybill/source.json'), 'utf8')) as {
      record: { metadata: { tree: string } };
    };
    await pull(`store://artifacts/churn/tune_weights#3@${record.metadata.tree}`, 'third');
    expect(readFileSync(to('third'), 'utf8')).toBe('iteration 2');
  });

  it('follows a link to the best iteration', async () => {
    const target_path = join(mlrun.root, 'best.txt');
    writeFileSync(target_path, 'best');
    const tree = 'run-of-best';
    await mlrun.putArtifact('churn', 'best', { spec: { target_path } }, { tree, iter: 4 });
    const link = { kind: 'link', spec: { link_iteration: 4, link_key: 'best', link_tree: tree } };
    await mlrun.putArtifact('churn', 'best', link, { tree });
    await pull('store://churn/best', 'best');
    expect(readFileSync(to('best'), 'utf8')).toBe('best');
    const receipt = JSON.parse(readFileSync(to('.best.waybill/receipt.json'), 'utf8')) as object;
    expect(receipt).toMatchObject({ source: { facts: { linkedFrom: 'best#0', iter: '4' } } });
  });

  it('brings the offline data of a feature vector', async () => {
    await pull('store://feature-vectors/churn/vector', 'vector.parquet');
    expect(readFileSync(to('vector.parquet')).subarray(0, 4).toString()).toBe('PAR1');
  });

  it('says that the bytes of a version are another one’s, which MLRun does not', async () => {
    const done = await run(['pull', 'store://churn/notes:v1', to('v1'), '--json']);
    expect(done.result).toMatchObject({ ok: false, exitCode: 6, code: 'WB_VERSION_OVERWRITTEN' });
    expect(done.stdout).toContain(
      'version overwritten in the store: 5 bytes were recorded for it, 11 are there',
    );
  });

  it('says so by the SHA-1 too, where the size is the same', async () => {
    const target_path = join(mlrun.root, 'same-size.bin');
    writeFileSync(target_path, 'new!!');
    const record = { metadata: { hash: sha1('old!!') }, spec: { target_path, size: 5 } };
    await mlrun.putArtifact('churn', 'same-size', record);
    const done = await run(['pull', 'store://churn/same-size', to('same-size'), '--json']);
    expect(done.result).toMatchObject({ ok: false, exitCode: 6, code: 'WB_VERSION_OVERWRITTEN' });
    expect(done.stdout).toContain(
      `sha1 ${sha1('old!!')} was recorded for it, ${sha1('new!!')} is there`,
    );
  });
});

describe('past the API server', () => {
  it('reads files of a disk that is here under another path', async () => {
    const env = { WAYBILL_PATH_MAP: `/home/other=${mlrun.root}` };
    mkdirSync(join(mlrun.root, 'tree/deep'), { recursive: true });
    writeFileSync(join(mlrun.root, 'tree/deep/a.txt'), 'a');
    await mlrun.putArtifact('churn', 'tree', {
      kind: 'dir',
      spec: { target_path: '/home/other/tree/' },
    });
    await pull('store://churn/tree', 'tree', env);
    expect(readFileSync(to('tree/deep/a.txt'), 'utf8')).toBe('a');
    // Both targets of the feature set, each in its folder.
    await pull('store://feature-sets/churn/features', 'features', {
      ALLOW_LOCAL_ROOTS: mlrun.root,
    });
    expect(readFileSync(to('features/csv'), 'utf8')).toMatch(/^id,v\n/u);
    const refused = await run(['pull', 'store://churn/tree', to('unmapped'), '--json']);
    expect(refused.result).toMatchObject({ ok: false, exitCode: 5 });
    expect(refused.stdout).toContain('WAYBILL_PATH_MAP=/home/other=');
  });

  it('reads a model from S3, and goes on after a kill with what it had', async () => {
    const model = randomBytes(48 * 1024 * 1024);
    await minio.putObject(BUCKET, 'm/model.bin', model);
    await minio.putObject(BUCKET, 'm/plots/a.html', Buffer.from('plot'));
    await mlrun.putArtifact('churn', 'large', {
      kind: 'model',
      metadata: { hash: sha1(model) },
      spec: {
        target_path: `s3://${BUCKET}/m/`,
        model_file: 'model.bin',
        size: model.length,
        extra_data: { plot: 'plots/a.html' },
      },
    });
    const args = ['pull', 'store://models/churn/large', to('large'), '--max-bandwidth', '4MiB/s'];
    const env = { ...mlrun.env, ...minio.env };
    const pulling = bed.start([...args, '--json'], { env });
    await untilRecorded(to('large/.waybill/partial'));
    const { result } = await bed.run(['doctor', '--json']);
    const { processes } = result as { processes?: { worker?: number } };
    process.kill(processes?.worker ?? 0, 'SIGKILL');
    expect((await pulling.done).result).toMatchObject({ ok: true, exitCode: 0 });
    expect(readFileSync(to('large/model.bin')).equals(model)).toBe(true);
    expect(readFileSync(to('large/plots/a.html'), 'utf8')).toBe('plot');
    const receipt = JSON.parse(readFileSync(to('large/.waybill/receipt.json'), 'utf8')) as object;
    expect(receipt).toMatchObject({
      levels: { provider: 2 },
      source: { transport: 'direct (AWS_ACCESS_KEY_ID is set for s3:)' },
    });
  });

  it('fails what the record names and the store lacks, by its name, and brings the rest', async () => {
    await minio.putObject(BUCKET, 'part/m.bin', Buffer.from('m'));
    await mlrun.putArtifact('churn', 'part', {
      kind: 'model',
      spec: {
        target_path: `s3://${BUCKET}/part/`,
        model_file: 'm.bin',
        extra_data: { gone: 'gone.txt' },
      },
    });
    const done = await run(['pull', 'store://models/churn/part', to('part'), '--json'], minio.env);
    expect(done.result).toMatchObject({ ok: false, exitCode: 3 });
    expect(done.stdout).toContain('gone.txt');
    expect(readFileSync(to('part/m.bin'), 'utf8')).toBe('m');
  });
});

describe('what is refused', () => {
  it.each([
    ['http://169.254.169.254/latest/meta-data', 5, /link-local or metadata/u],
    ['ds://profile/x', 2, /datastore profile/u],
    ['memory://x', 2, /memory of a process/u],
    ['/etc/passwd', 5, /passes nothing on|does not permit/u],
    ['file:///etc/passwd', 5, /passes nothing on|does not permit/u],
  ])('rule 4: a record that leads to %s', async (target_path, exitCode, says) => {
    await mlrun.putArtifact('churn', 'hostile', { spec: { target_path, size: 1 } });
    const at = to(`hostile-${exitCode}-${target_path.length}`);
    const done = await run(['pull', 'store://churn/hostile', at, '--json']);
    expect(done.result).toMatchObject({ ok: false, exitCode });
    expect(done.stdout).toMatch(says);
  });

  it.each([
    ['store://nobody/x', /there is no project nobody; there is churn/u],
    ['store://churn/nothing', /project churn has .*notes/u],
    ['store://churn/notes:v9', /there is notes:v1/u],
    ['store://churn/notes@no-such-tree', /there is notes:v1/u],
    ['store://churn/notes^no-such-uid', /no uid/u],
    ['store://feature-sets/churn/none', /project churn has features/u],
  ])('%s is not found, and what there is is said', async (uri, says) => {
    const done = await run(['ls', uri, '--json']);
    expect(done.result).toMatchObject({ ok: false, exitCode: 4, code: 'WB_NOT_FOUND' });
    expect(done.stdout).toMatch(says);
  });

  it('no server named, and one that is none', async () => {
    const none = await bed.run(['ls', 'store://churn/notes', '--json']);
    expect(none.result).toMatchObject({ exitCode: 2 });
    expect(none.stdout).toContain('MLRUN_DBPATH');
    const other = await run(['ls', 'store://churn/notes', '--json'], {
      MLRUN_DBPATH: minio.endpoint,
    });
    expect(other.result).toMatchObject({ ok: false });
    expect(other.result['exitCode']).not.toBe(4);
  });
});

describe('who asks', () => {
  it.each([
    [
      {
        MLRUN_HTTPDB__AUTHENTICATION__MODE: 'basic',
        MLRUN_HTTPDB__AUTHENTICATION__BASIC__USERNAME: 'me',
        MLRUN_HTTPDB__AUTHENTICATION__BASIC__PASSWORD: 'right-horse',
      },
      { MLRUN_HTTPDB__USER: 'me', MLRUN_HTTPDB__PASSWORD: 'right-horse' },
      { MLRUN_HTTPDB__USER: 'me', MLRUN_HTTPDB__PASSWORD: 'wrong-horse' },
      'MLRUN_HTTPDB__USER',
    ],
    [
      {
        MLRUN_HTTPDB__AUTHENTICATION__MODE: 'bearer',
        MLRUN_HTTPDB__AUTHENTICATION__BEARER__TOKEN: 'right-horse',
      },
      { MLRUN_HTTPDB__TOKEN: 'right-horse' },
      { MLRUN_HTTPDB__TOKEN: 'wrong-horse' },
      'MLRUN_HTTPDB__TOKEN',
    ],
  ])('signs in: %j', async (env, right, wrong, variable) => {
    const server = await startMlrun({ env });
    try {
      const at = { MLRUN_DBPATH: server.uri };
      const open = await bed.run(['ls', 'store://', '--json'], { env: { ...at, ...right } });
      expect(open.exitCode).toBe(0);
      // From MLRun's own file, as from the environment.
      const file = to('own.env');
      const lines = Object.entries({ ...at, ...right }).map(
        ([name, value]) => `export ${name}="${value}"\n`,
      );
      writeFileSync(file, lines.join(''));
      const fromFile = await bed.run(['ls', 'store://', '--json'], {
        env: { MLRUN_ENV_FILE: file },
      });
      expect(fromFile.exitCode).toBe(0);
      const refused = await bed.run(['ls', 'store://p/x', '--json'], { env: { ...at, ...wrong } });
      expect(refused.result).toMatchObject({ exitCode: 5, code: 'WB_UNAUTHENTICATED' });
      expect(refused.stdout).toContain(`does not accept ${variable}`);
      expect(refused.stdout + refused.stderr).not.toContain('wrong-horse');
      const nobody = await bed.run(['ls', 'store://p/x', '--json'], { env: at });
      expect(nobody.result).toMatchObject({ exitCode: 5, code: 'WB_UNAUTHENTICATED' });
      expect(nobody.stdout).toContain('set MLRUN_HTTPDB__USER');
    } finally {
      await server.stop();
    }
  });
});

it('holds a hash that is none to nothing', async () => {
  const target_path = join(mlrun.root, 'plain.bin');
  writeFileSync(target_path, 'x');
  await mlrun.putArtifact('churn', 'plain', {
    metadata: { hash: 'none' },
    spec: { target_path, size: 1 },
  });
  await pull('store://churn/plain', 'plain');
  await mlrun.putArtifact('churn', 'zeros', {
    metadata: { hash: SHA1_OF_NOTHING },
    spec: { target_path },
  });
  const done = await run(['pull', 'store://churn/zeros', to('zeros'), '--json']);
  expect(done.result).toMatchObject({ exitCode: 6 });
});
