/** A real MLflow before each kind of store: what comes through its artifact service, and whole pulls that are killed half-way. */
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { request } from 'undici';
import type { MlflowRun } from '../../../src/demo/mlflow-seed.js';
import { serviceFiles } from '../../../src/service/service-files.js';
import { readServiceRecord } from '../../../src/service/service-record.js';
import { StoreRegistry } from '../../../src/stores/registry.js';
import { startAzurite } from '../../helpers/azurite.js';
import { startFakeGcs } from '../../helpers/fake-gcs.js';
import { ADMIN, basicAuth } from '../../helpers/mlflow-auth.js';
import { startMlflow, type Mlflow } from '../../helpers/mlflow.js';
import { mlflowOnAzure, mlflowOnGcs } from '../../helpers/mlflow-roots.js';
import { scratchFolder } from '../../helpers/processes.js';
import { PASSWORD } from '../../helpers/proftpd.js';
import { SSHD_PASSWORD } from '../../helpers/sshd.js';
import { startToxiproxy, type ToxicProxy, type Toxiproxy } from '../../helpers/toxiproxy.js';
import { digestsOfTree, expectedDigests, treeFiles, writeTree } from '../../helpers/tree.js';
import { openWaybill, type WaybillBed } from '../../helpers/waybill.js';
import { failureOf, filesOf, open, resolve, textOf, withReference } from './bench.js';
import { onFtp, onSftp, type Started, type WithFolder } from './roots-with-accounts.js';

const MiB = 1024 * 1024;
const LONG_MS = 600_000;
const FILES = treeFiles({ fileCount: 6, largeSizes: [8 * MiB], names: [] });

interface Root {
  readonly name: string;
  start(): Promise<Started>;
}

const ROOTS: readonly Root[] = [
  {
    name: 'Azure',
    start: async () => {
      const azurite = await startAzurite();
      await azurite.createContainer('models');
      return { options: await mlflowOnAzure(azurite, 'models'), stop: () => azurite.stop() };
    },
  },
  {
    name: 'Google Cloud Storage',
    start: async () => {
      const google = await startFakeGcs();
      await google.createBucket('models');
      return { options: await mlflowOnGcs(google, 'models'), stop: () => google.stop() };
    },
  },
  { name: 'SFTP', start: onSftp },
  { name: 'FTP', start: onFtp },
];

const pathOf = ({ artifactUri }: MlflowRun): string =>
  artifactUri.replace(/^mlflow-artifacts:\/+/, '');

let toxiproxy: Toxiproxy;
let bed: WaybillBed;

beforeAll(async () => {
  toxiproxy = await startToxiproxy();
  bed = openWaybill(scratchFolder('mlflow-roots'));
  await bed.run(['up']);
}, LONG_MS);

afterAll(async () => {
  await bed.close();
  await toxiproxy.stop();
}, LONG_MS);

describe.each(ROOTS)('an MLflow server on $name', ({ name, start }) => {
  let mlflow: Mlflow;
  let root: Started;
  let run: MlflowRun;
  let proxy: ToxicProxy;

  beforeAll(async () => {
    root = await start();
    mlflow = await startMlflow(root.options);
    proxy = await toxiproxy.before(Number(new URL(mlflow.uri).port));
    run = await mlflow.createRun(await mlflow.createExperiment('proxied'));
    await mlflow.putArtifact(run.artifactUri, 'model/MLmodel', 'flavors: {}');
    await mlflow.putArtifact(run.artifactUri, 'model/data/weights.bin', '0123456789');
    await mlflow.putArtifact(run.artifactUri, 'model/empty.bin', '');
    const tree = join(bed.dir, `tree-of-${name}`);
    await writeTree(tree, FILES);
    // One after another: where two files come into a new folder at once, MLflow makes it twice, which SFTP and FTP refuse.
    for (const { path } of FILES) {
      await mlflow.putArtifact(run.artifactUri, `tree/${path}`, readFileSync(join(tree, path)));
    }
  }, LONG_MS);

  afterAll(async () => {
    await mlflow.stop();
    await root.stop();
  }, LONG_MS);

  it('signs no addresses: only those on S3 do', async () => {
    const url = `${mlflow.uri}/api/2.0/mlflow-artifacts/presigned/${pathOf(run)}/model/MLmodel`;
    const answer = await request(url);
    expect([answer.statusCode, await answer.body.text()]).toEqual([
      501,
      expect.stringContaining('Multipart download is not supported'),
    ]);
    await withReference(mlflow.uri, `runs:/${run.runId}/model`, (_store, { transport }) => {
      expect(transport).toBe('proxied (the server offers no presigned addresses)');
      return Promise.resolve();
    });
  });

  it(
    'sends chunks without length, range or pin, and tells files, empty files and folders apart',
    () =>
      withReference(mlflow.uri, `runs:/${run.runId}/model`, async (store) => {
        expect(await filesOf(store)).toEqual(['MLmodel', 'data/weights.bin', 'empty.bin']);
        expect(await store.stat('data/weights.bin')).toEqual({
          path: 'data/weights.bin',
          kind: 'file',
          sizeBytes: 10,
        });
        expect(await store.stat('data')).toEqual({ path: 'data', kind: 'directory' });
        const opened = await store.openRead('data/weights.bin', { offsetBytes: 4 });
        opened.body.destroy();
        expect(opened).toMatchObject({ offsetBytes: 0, ending: 'framing' });
        for (const field of ['lengthBytes', 'sizeBytes', 'pin', 'digests'] as const) {
          expect(opened[field]).toBeUndefined();
        }
        expect(await textOf(store, 'data/weights.bin')).toBe('0123456789');
        expect(await textOf(store, 'empty.bin')).toBe('');
      }),
    LONG_MS,
  );

  it(
    'hands out a LoggedModel',
    async () => {
      const body = { experiment_id: await mlflow.createExperiment('models'), name: 'net' };
      const made = await mlflow.api('logged-models', { body });
      const { model } = made as {
        model: { info: { model_id: string; artifact_uri: string } };
      };
      const { model_id: modelId, artifact_uri: artifactUri } = model.info;
      await mlflow.putArtifact(artifactUri, 'MLmodel', 'flavors: {}');
      await mlflow.putArtifact(artifactUri, 'data/weights.bin', '0123456789');
      await withReference(mlflow.uri, `models:/${modelId}`, async (store, { transport }) => {
        expect(transport).toBe('proxied (the server offers no presigned addresses)');
        expect(await filesOf(store)).toEqual(['MLmodel', 'data/weights.bin']);
        expect(await textOf(store, 'data/weights.bin')).toBe('0123456789');
      });
    },
    LONG_MS,
  );

  it(
    'answers 500 for a file that is not there, which is not found',
    () =>
      withReference(mlflow.uri, `runs:/${run.runId}/model`, async (store) => {
        const error = await failureOf('WB_NOT_FOUND', store.openRead('nope.bin'));
        expect(error).toMatchObject({ retryable: false, path: 'nope.bin' });
      }),
    LONG_MS,
  );

  it(
    'is pulled from byte for byte, although the worker is killed half-way, and the receipt says how',
    async () => {
      const to = join(bed.dir, `pulled-from-${name}`);
      const env = { MLFLOW_TRACKING_URI: `http://127.0.0.1:${proxy.port}` };
      await proxy.add('bandwidth', { rate: 500 });
      const pulling = bed.start(['pull', `runs:/${run.runId}/tree`, to, '--json'], { env });
      const published = await untilPublished(to);
      await killWorker();
      const kept = published.map((path) => statSync(path).ino);
      await proxy.remove('bandwidth');
      const { exitCode, stderr, result: pulled } = await pulling.done;
      expect({ exitCode, stderr: exitCode === 0 ? '' : stderr, pulled }).toMatchObject({
        exitCode: 0,
        pulled: { ok: true, filesFailed: 0, levels: { size: FILES.length } },
      });
      expect(await digestsOfTree(to)).toEqual(expectedDigests(FILES));
      expect(published.map((path) => statSync(path).ino)).toEqual(kept);
      const receipt = JSON.parse(readFileSync(join(to, '.waybill/receipt.json'), 'utf8')) as {
        source?: { transport?: string };
      };
      expect(receipt.source?.transport).toBe('proxied (the server offers no presigned addresses)');
    },
    LONG_MS,
  );
});

/** Kills the worker that runs now: the record may still name the last one. */
async function killWorker(): Promise<void> {
  for (let tries = 0; tries < 3_000; tries += 1) {
    const { worker } = readServiceRecord(serviceFiles(bed.stateDir).record) ?? {};
    try {
      if (worker !== undefined && process.kill(worker.pid, 'SIGKILL')) return;
    } catch {
      // It has ended: another one is being started.
    }
    await sleep(20);
  }
  throw new Error('no worker runs');
}

/** Waits until some small file has its name; the large one takes long. */
async function untilPublished(to: string): Promise<readonly string[]> {
  const large = FILES[0]?.path ?? '';
  const small = FILES.filter(({ path }) => path !== large).map(({ path }) => join(to, path));
  for (let tries = 0; tries < 9_000; tries += 1) {
    if (existsSync(join(to, large))) throw new Error('the large file is there already');
    const there = small.filter((path) => existsSync(path));
    if (there.length > 0) return there;
    await sleep(20);
  }
  throw new Error(`nothing came to ${to}`);
}

/** Addresses with a host are no matter of course for a server, which would connect to it. */
const ALLOWED = { MLFLOW_ALLOWED_HOST_ADDRESSED_ARTIFACT_SCHEMES: 'sftp,ftp' };

describe.each([
  { name: 'SFTP', start: onSftp, secret: SSHD_PASSWORD },
  { name: 'FTP', start: onFtp, secret: PASSWORD },
])('an MLflow server whose root on $name has a password in it', ({ start, secret }) => {
  let root: WithFolder;
  let mlflow: Mlflow;
  let address: string;
  let run: MlflowRun;

  /** A run that lies where its experiment says, with two files that nobody logged through the server. */
  async function runAt(name: string, location: string): Promise<MlflowRun> {
    const made = await mlflow.createRun(await mlflow.createExperiment(name, location));
    const inStorage = made.artifactUri.slice(made.artifactUri.indexOf('/mlflow/') + 1);
    const folder = join(root.folder, '..', inStorage);
    mkdirSync(join(folder, 'model/data'), { recursive: true });
    writeFileSync(join(folder, 'model/data/weights.bin'), '0123456789');
    writeFileSync(join(folder, 'model/50%25 #1;type=i'), 'odd');
    return made;
  }

  beforeAll(async () => {
    root = await start();
    mlflow = await startMlflow({ ...root.options, env: { ...root.options.env, ...ALLOWED } });
    mkdirSync(root.folder, { recursive: true });
    chmodSync(root.folder, 0o777);
    address = root.options.extraArgs?.[1] ?? '';
    run = await runAt('own root', `${address}/own`);
  }, LONG_MS);

  afterAll(async () => {
    await mlflow.stop();
    await root.stop();
  }, LONG_MS);

  it(
    'rule 3: repeats it of a file that it may not read, and Waybill says that the server lacks the right, without it',
    async () => {
      const served = await mlflow.createRun(await mlflow.createExperiment('unreadable'));
      await mlflow.putArtifact(served.artifactUri, 'model/locked.bin', 'nobody reads this');
      chmodSync(join(root.folder, pathOf(served), 'model/locked.bin'), 0);
      const url = `${mlflow.uri}/api/2.0/mlflow-artifacts/artifacts/${pathOf(served)}/model/locked.bin`;
      const answer = await request(url);
      expect([answer.statusCode, decodeURIComponent(await answer.body.text())]).toEqual([
        500,
        expect.stringContaining(secret),
      ]);
      await withReference(mlflow.uri, `runs:/${served.runId}/model`, async (store) => {
        const error = await failureOf('WB_PERMISSION_DENIED', store.openRead('locked.bin'));
        expect(error).toMatchObject({ retryable: false, scope: 'file', path: 'locked.bin' });
        expect(error.message).toMatch(/the storage behind it does not let it.*Permission denied/);
        expect(error.message).toContain('Its operator lets the account of the server');
        expect(decodeURIComponent(error.message)).not.toContain(secret);
      });
    },
    LONG_MS,
  );

  it(
    'rule 4: hands out a run that lies at such an address, unless the connection lists the place',
    async () => {
      const elsewhere = `${root.uri.replace('127.0.0.1', '127.0.0.2')} ${root.uri}/own2`;
      for (const settings of [{}, { WAYBILL_PREFIXES: elsewhere }]) {
        const extra = { settings: { ...root.settings, ...settings }, secrets: root.secrets };
        const found = await resolve(mlflow.uri, `runs:/${run.runId}/model`, extra);
        expect(found.uri).toMatch(/^mlflow-artifacts:.*via=proxied&run=/);
        expect(found.transport).toContain(`no prefixes of this connection list ${root.uri}/own`);
        expect(decodeURIComponent(JSON.stringify(found))).not.toContain(secret);
        const store = await open(mlflow.uri, found, extra);
        expect(await textOf(store, 'data/weights.bin')).toBe('0123456789');
        await store.close();
      }
    },
    LONG_MS,
  );

  it(
    'is passed by where the connection lists the place, with what the connection signs in with',
    async () => {
      const settings = { ...root.settings, WAYBILL_PREFIXES: `runs:/ ${root.uri}/own` };
      const extra = { settings, secrets: root.secrets };
      const found = await resolve(mlflow.uri, `runs:/${run.runId}/model`, extra);
      expect(found.uri).toBe(`${root.uri}/own/${run.runId}/artifacts/model`);
      expect(found.transport).toMatch(/^direct \(.*the prefixes of this connection list it\)$/);
      expect(decodeURIComponent(JSON.stringify(found))).not.toContain(secret);
      const store = await new StoreRegistry().open({ uri: found.uri, ...extra });
      expect(await filesOf(store)).toEqual(['50%25 #1;type=i', 'data/weights.bin']);
      expect(await textOf(store, 'data/weights.bin', { offsetBytes: 7 })).toBe('789');
      expect(await textOf(store, '50%25 #1;type=i')).toBe('odd');
      await store.close();
    },
    LONG_MS,
  );

  it(
    'may not know its way in: then an error says what to list, and whoever does that reads the files',
    async () => {
      const wrong = address.replace(/:[^:@/]*@/, ':not-the-password@');
      const { runId } = await runAt('wrong password', `${wrong}/wrong`);
      const extra = { settings: root.settings, secrets: root.secrets };
      const error = await failureOf(
        'WB_UNAVAILABLE',
        resolve(mlflow.uri, `runs:/${runId}/model`, extra),
      );
      expect(error.message).toContain('its log says why');
      expect(error.message).toContain('or let the connection list the place');
      expect(error.message).toContain(`"${root.uri}/wrong/${runId}/artifacts"]`);
      expect(error.message).not.toContain('not-the-password');
      const WAYBILL_PREFIXES = `${root.uri}/wrong/${runId}/artifacts`;
      const listed = { ...extra, settings: { ...root.settings, WAYBILL_PREFIXES } };
      const found = await resolve(mlflow.uri, `runs:/${runId}/model`, listed);
      expect(found.transport).toContain('the server cannot read its storage');
      const store = await new StoreRegistry().open({ uri: found.uri, ...listed });
      expect(await textOf(store, 'data/weights.bin')).toBe('0123456789');
      await store.close();
    },
    LONG_MS,
  );
});

describe('an MLflow server with basic-auth before a root on FTP', () => {
  it(
    'hands out a LoggedModel to whoever signs in, and to nobody else',
    async () => {
      const root = await onFtp();
      const auth = await basicAuth();
      const libraries = [root.options.env?.['PYTHONPATH'], auth.env['PYTHONPATH']].join(':');
      const mlflow = await startMlflow({
        extraArgs: [...auth.extraArgs, ...(root.options.extraArgs ?? [])],
        env: { ...root.options.env, ...auth.env, PYTHONPATH: libraries },
      });
      try {
        const code = [
          'import mlflow, pathlib, sys',
          'client = mlflow.MlflowClient()',
          "model = client.create_logged_model(client.create_experiment('guarded'), name='net')",
          'folder = pathlib.Path(sys.argv[1]); folder.mkdir()',
          "(folder / 'weights.bin').write_text('0123456789')",
          'client.log_model_artifacts(model.model_id, str(folder))',
          "print('MODEL', model.model_id)",
        ].join('\n');
        const said = await mlflow.python(code, [join(bed.dir, 'guarded')]);
        const reference = `models:/${/MODEL (\S+)/.exec(said)?.[1] ?? ''}`;
        await failureOf('WB_UNAUTHENTICATED', resolve(mlflow.uri, reference));
        await withReference(
          mlflow.uri,
          reference,
          async (store) => {
            expect(await filesOf(store)).toEqual(['weights.bin']);
            expect(await textOf(store, 'weights.bin')).toBe('0123456789');
          },
          { secrets: { ...ADMIN } },
        );
      } finally {
        await mlflow.stop();
        await root.stop();
      }
    },
    LONG_MS,
  );
});
