/** A real MLflow before each kind of store: what comes through its artifact service, and whole pulls that are killed half-way. */
import { chmodSync, existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { request } from 'undici';
import type { MlflowRun } from '../../../src/demo/mlflow-seed.js';
import { serviceFiles } from '../../../src/service/service-files.js';
import { readServiceRecord } from '../../../src/service/service-record.js';
import { startAzurite } from '../../helpers/azurite.js';
import { startFakeGcs } from '../../helpers/fake-gcs.js';
import { startMlflow, type Mlflow, type MlflowOptions } from '../../helpers/mlflow.js';
import {
  mlflowOnAzure,
  mlflowOnFtp,
  mlflowOnGcs,
  mlflowOnSftp,
} from '../../helpers/mlflow-roots.js';
import { scratchFolder } from '../../helpers/processes.js';
import { PASSWORD, startProftpd } from '../../helpers/proftpd.js';
import { SSHD_PASSWORD, startSshd } from '../../helpers/sshd.js';
import { startToxiproxy, type ToxicProxy, type Toxiproxy } from '../../helpers/toxiproxy.js';
import { digestsOfTree, expectedDigests, treeFiles, writeTree } from '../../helpers/tree.js';
import { openWaybill, type WaybillBed } from '../../helpers/waybill.js';
import { failureOf, filesOf, textOf, withReference } from './bench.js';

const MiB = 1024 * 1024;
const LONG_MS = 600_000;
const FILES = treeFiles({ fileCount: 6, largeSizes: [8 * MiB], names: [] });

interface Started {
  readonly options: MlflowOptions;
  readonly stop: () => Promise<void>;
}

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

async function onSftp(): Promise<Started & { readonly folder: string }> {
  const sshd = await startSshd();
  const options = await mlflowOnSftp(sshd);
  return { options, folder: join(sshd.dir, 'home/mlflow'), stop: () => sshd.stop() };
}

async function onFtp(): Promise<Started & { readonly folder: string }> {
  const root = scratchFolder('mlflow-ftp');
  chmodSync(root, 0o777);
  const server = await startProftpd({ root });
  const stop = async (): Promise<void> => {
    await server.stop();
    rmSync(root, { recursive: true, force: true });
  };
  const options = await mlflowOnFtp(server.port, { user: 'ada', password: PASSWORD });
  return { options, folder: join(root, 'mlflow'), stop };
}

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
    await mlflow.putTree(run.artifactUri, 'tree', tree);
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

describe.each([
  { name: 'SFTP', start: onSftp, secret: SSHD_PASSWORD },
  { name: 'FTP', start: onFtp, secret: PASSWORD },
])('an MLflow server whose root on $name has a password in it', ({ start, secret }) => {
  it(
    'rule 3: repeats it when it cannot read a file, and Waybill does not',
    async () => {
      const root = await start();
      const mlflow = await startMlflow(root.options);
      try {
        const run = await mlflow.createRun(await mlflow.createExperiment('unreadable'));
        await mlflow.putArtifact(run.artifactUri, 'model/locked.bin', 'nobody reads this');
        chmodSync(join(root.folder, pathOf(run), 'model/locked.bin'), 0);
        const url = `${mlflow.uri}/api/2.0/mlflow-artifacts/artifacts/${pathOf(run)}/model/locked.bin`;
        const answer = await request(url);
        expect(decodeURIComponent(await answer.body.text())).toContain(secret);
        await withReference(mlflow.uri, `runs:/${run.runId}/model`, async (store) => {
          const { message } = await failureOf('WB_UNAVAILABLE', store.openRead('locked.bin'));
          expect(message).toContain('failures occurred while downloading');
          expect(decodeURIComponent(message)).not.toContain(secret);
        });
      } finally {
        await mlflow.stop();
        await root.stop();
      }
    },
    LONG_MS,
  );
});
