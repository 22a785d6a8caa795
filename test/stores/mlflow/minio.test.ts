/** Transports of a real MLflow that keeps its artifacts on MinIO: presigned, direct, proxied. */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DeleteObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { request } from 'undici';
import type { Resolution, Store } from '../../../src/stores/store.js';
import { startFaultProxy } from '../../helpers/fault-proxy.js';
import type { FaultProxy } from '../../helpers/fault-proxy.js';
import { startMinio } from '../../helpers/minio.js';
import type { Minio } from '../../helpers/minio.js';
import { startMlflow } from '../../helpers/mlflow.js';
import type { MlflowRun } from '../../../src/demo/mlflow-seed.js';
import type { Mlflow } from '../../helpers/mlflow.js';
import { failureOf, filesOf, resolve, textOf, withReference } from './bench.js';

const PROXIED = { settings: { WAYBILL_MLFLOW_TRANSPORT: 'proxied' } };
const TTL_SECONDS = 2;
const BIG = Buffer.alloc(9 * 1024 * 1024, 'a line of bytes\n');

let minio: Minio;
/** Between MLflow's clients and MinIO: presigned addresses lead here. */
let between: FaultProxy;
let mlflow: Mlflow;
let run: MlflowRun;
/** A run whose files lie in the bucket outside of the artifact service. */
let outside: MlflowRun;

function keyOf(path: string): string {
  return `mlflow/${run.artifactUri.replace(/^mlflow-artifacts:\/+/, '')}/${path}`;
}

beforeAll(async () => {
  minio = await startMinio();
  between = await startFaultProxy({ host: '127.0.0.1', port: minio.port });
  mlflow = await startMlflow({
    minio,
    env: {
      MLFLOW_S3_ENDPOINT_URL: `http://127.0.0.1:${between.port}`,
      MLFLOW_PRESIGNED_DOWNLOAD_URL_TTL_SECONDS: String(TTL_SECONDS),
    },
  });
  const experiment = await mlflow.createExperiment('proxied');
  run = await mlflow.createRun(experiment);
  await mlflow.putArtifact(run.artifactUri, 'model/MLmodel', 'flavors: {}');
  await mlflow.putArtifact(run.artifactUri, 'model/data/weights.bin', '0123456789');
  await mlflow.putArtifact(run.artifactUri, 'model/empty.bin', '');
  await mlflow.putArtifact(run.artifactUri, 'model/big.bin', BIG);
  const own = await mlflow.createExperiment('outside', 's3://mlflow/outside');
  outside = await mlflow.createRun(own);
  const prefix = outside.artifactUri.replace('s3://mlflow/', '');
  await minio.putObject('mlflow', `${prefix}/model/MLmodel`, 'outside');
  await minio.putObject('mlflow', `${prefix}/model/data/weights.bin`, '0123456789');
}, 180_000);
afterAll(async () => {
  await mlflow.stop();
  await between.stop();
  await minio.stop();
});

async function withRun<T>(
  use: (store: Store, resolution: Resolution) => Promise<T>,
  extra = {},
): Promise<T> {
  return withReference(mlflow.uri, `runs:/${run.runId}/model`, use, extra);
}

describe('presigned', () => {
  it('fact 7: is chosen where the server offers it, with ranges, a strong pin and a checksum', () =>
    withRun(async (store, { transport, uri }) => {
      expect(transport).toBe('presigned (the server offers it)');
      expect(uri).toMatch(/\?via=presigned$/);
      const opened = await store.openRead('data/weights.bin', { offsetBytes: 2, lengthBytes: 3 });
      opened.body.destroy();
      expect(opened).toMatchObject({
        offsetBytes: 2,
        lengthBytes: 3,
        sizeBytes: 10,
        ending: 'length',
        digests: { md5: '781e5e245d69b566979b86e28d23f2c7' },
      });
      expect(opened.pin?.strength).toBe('strong');
      expect(opened.pin?.value).toBe('etag:"781e5e245d69b566979b86e28d23f2c7"');
    }));

  it('reads empty files, and files of many parts', () =>
    withRun(async (store) => {
      expect(await textOf(store, 'empty.bin')).toBe('');
      expect((await textOf(store, 'big.bin')).length).toBe(BIG.length);
    }));

  it('an address that expired in the middle is signed anew, and the read goes on where it was', () =>
    withRun(async (store) => {
      const first = await store.openRead('data/weights.bin', { lengthBytes: 4 });
      const { pin } = first;
      first.body.destroy();
      await sleep(TTL_SECONDS * 1_000 + 500);
      const options = { offsetBytes: 4, ...(pin ? { pin } : {}) };
      expect(await textOf(store, 'data/weights.bin', options)).toBe('456789');
    }));

  it('rule 12: a file replaced in the middle is refused as changed', () =>
    withRun(async (store) => {
      await minio.putObject('mlflow', keyOf('model/changes.bin'), 'the first version');
      const { pin } = await store.stat('changes.bin');
      expect(pin?.strength).toBe('strong');
      await minio.putObject('mlflow', keyOf('model/changes.bin'), 'a second version!');
      const options = { offsetBytes: 4, ...(pin ? { pin } : {}) };
      await failureOf('WB_SOURCE_CHANGED', store.openRead('changes.bin', options));
    }));

  it('a missing file is not found', () =>
    withRun(async (store) => {
      const error = await failureOf('WB_NOT_FOUND', store.openRead('nope.bin'));
      expect(error).toMatchObject({ path: 'nope.bin', operation: 'openRead' });
    }));

  it('rule 11: a body that the storage cuts is never a short success', () =>
    withRun(async (store) => {
      between.setFault({ kind: 'cut', afterBytes: 1_000_000 });
      try {
        const opened = await store.openRead('big.bin');
        const read = (async () => {
          for await (const _ of opened.body);
        })();
        await expect(read).rejects.toMatchObject({ code: 'WB_UNAVAILABLE', store: 'mlflow' });
      } finally {
        between.setFault({ kind: 'none' });
      }
    }));

  it('is given up for proxied where its addresses lead nowhere from here', async () => {
    const settings = { HTTP_PROXY: 'http://127.0.0.1:9', NO_PROXY: new URL(mlflow.uri).host };
    const { transport, uri } = await resolve(mlflow.uri, `runs:/${run.runId}/model`, { settings });
    expect(uri).toMatch(/\?via=proxied$/);
    expect(transport).toMatch(/^proxied \(presigned addresses cannot be used: /);
  });

  it('is left out where the caller switched it off', async () => {
    const settings = { MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD: 'false' };
    const { transport } = await resolve(mlflow.uri, `runs:/${run.runId}/model`, { settings });
    expect(transport).toBe('proxied (MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD is false)');
  });
});

describe('proxied by a server on an object store', () => {
  it('fact 4: comes in chunks without length or pin, and a range is answered from 0', () =>
    withRun(async (store) => {
      const opened = await store.openRead('data/weights.bin', { offsetBytes: 4 });
      expect(opened.offsetBytes).toBe(0);
      expect(opened.ending).toBe('framing');
      for (const field of ['lengthBytes', 'sizeBytes', 'pin', 'digests'] as const) {
        expect(opened[field]).toBeUndefined();
      }
      const chunks: Buffer[] = [];
      for await (const chunk of opened.body) chunks.push(Buffer.from(chunk as Uint8Array));
      expect(Buffer.concat(chunks).toString()).toBe('0123456789');
    }, PROXIED));

  it('fact 5: HEAD promises what GET does not keep, so that it is never asked', async () => {
    await withRun((store) => textOf(store, 'data/weights.bin'), PROXIED);
    expect(mlflow.logTail()).not.toContain('"HEAD /');
    const path = run.artifactUri.replace(/^mlflow-artifacts:\/+/, '');
    const url = `${mlflow.uri}/api/2.0/mlflow-artifacts/artifacts/${path}/model/data/weights.bin`;
    const head = await request(url, { method: 'HEAD' });
    expect(head.headers['accept-ranges']).toBe('bytes');
  });

  it('fact 8: a missing file, which the server answers with 500, is not found', async () => {
    const path = run.artifactUri.replace(/^mlflow-artifacts:\/+/, '');
    const url = `${mlflow.uri}/api/2.0/mlflow-artifacts/artifacts/${path}/model/nope.bin`;
    const answer = await request(url);
    await answer.body.dump();
    expect(answer.statusCode).toBe(500);
    await withRun(async (store) => {
      const error = await failureOf('WB_NOT_FOUND', store.openRead('nope.bin'));
      expect(error).toMatchObject({ retryable: false, path: 'nope.bin' });
    }, PROXIED);
  });

  it('fact 8: a 500 for a file that is listed stays a failure of the server', async () => {
    await minio.putObject('mlflow', keyOf('model/damaged.bin'), BIG);
    const folder = join(minio.dir, 'data', 'mlflow', keyOf('model/damaged.bin'));
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (entry.isDirectory()) await rm(join(folder, entry.name), { recursive: true });
    }
    await withRun(async (store) => {
      const error = await failureOf('WB_UNAVAILABLE', store.openRead('damaged.bin'));
      expect(error).toMatchObject({ retryable: true, path: 'damaged.bin' });
    }, PROXIED);
    await minio.client.send(
      new DeleteObjectCommand({ Bucket: 'mlflow', Key: keyOf('model/damaged.bin') }),
    );
  }, 120_000);

  it('fact 9: a folder, which the server answers with 200 and no byte, is no empty file', () =>
    withRun(async (store) => {
      const failed = store.openRead('data').then(
        ({ body }) => {
          body.destroy();
          return 'opened';
        },
        (error: { code?: string }) => error.code,
      );
      expect(['WB_SIZE_MISMATCH', 'WB_UNAVAILABLE', 'WB_NOT_FOUND']).toContain(await failed);
      expect(await store.stat('data')).toEqual({ path: 'data', kind: 'directory' });
    }, PROXIED));

  it('rule 11: an empty file is proven empty by its body and its listing', () =>
    withRun(async (store) => {
      expect(await store.stat('empty.bin')).toMatchObject({ kind: 'file', sizeBytes: 0 });
      expect(await textOf(store, 'empty.bin')).toBe('');
    }, PROXIED));
});

describe('a run whose files lie in a bucket', () => {
  const reference = (): string => `runs:/${outside.runId}/model`;

  it('is presigned where the server can sign for it', () =>
    withReference(mlflow.uri, reference(), async (store, { transport, uri, facts }) => {
      expect(transport).toBe('presigned (the server signs for its storage)');
      expect(uri).toContain(`run=${outside.runId}`);
      expect(facts?.['artifactUri']).toBe(`${outside.artifactUri}/model`);
      expect(await filesOf(store)).toEqual(['MLmodel', 'data/weights.bin']);
      expect(await textOf(store, 'data/weights.bin', { offsetBytes: 7 })).toBe('789');
      expect((await store.stat('MLmodel')).pin?.strength).toBe('strong');
    }));

  it('fact 6: proxied, its ETags are of a copy made for each request, and pin nothing', () =>
    withReference(
      mlflow.uri,
      reference(),
      async (store, { transport }) => {
        expect(transport).toMatch(/^proxied \(/);
        expect(store.capabilities).toMatchObject({ ranges: 'no', pin: 'none' });
        expect(await filesOf(store)).toEqual(['MLmodel', 'data/weights.bin']);
        const opened = await store.openRead('data/weights.bin');
        opened.body.destroy();
        expect(opened.pin).toBeUndefined();
        expect(opened.lengthBytes).toBe(10);
        expect(await textOf(store, 'MLmodel')).toBe('outside');
        await failureOf('WB_NOT_FOUND', store.openRead('nope'));
      },
      PROXIED,
    ));

  it('is read directly where the server cannot sign and the caller has credentials for it', async () => {
    // A server without any credentials for the bucket.
    const poor = await startMlflow({ env: { AWS_EC2_METADATA_DISABLED: 'true' } });
    try {
      const experiment = await poor.createExperiment('outside', 's3://mlflow/outside-poor');
      const own = await poor.createRun(experiment);
      const prefix = own.artifactUri.replace('s3://mlflow/', '');
      await minio.putObject('mlflow', `${prefix}/MLmodel`, 'direct');
      const body = { name: 'direct', source: own.artifactUri, run_id: own.runId };
      await poor.api('registered-models/create', { body: { name: 'direct' } });
      await poor.api('model-versions/create', { body });
      const { AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '' } = minio.env;
      const extra = {
        settings: { MLFLOW_S3_ENDPOINT_URL: minio.endpoint, AWS_REGION: 'us-east-1' },
        secrets: { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY },
      };
      const found = await resolve(poor.uri, 'models:/direct/1', extra);
      expect(found.uri).toBe(own.artifactUri);
      expect(found.transport).toMatch(/^direct \(/);
      const without = resolve(poor.uri, 'models:/direct/1');
      expect((await failureOf('WB_UNAVAILABLE', without)).message).toContain('500');
    } finally {
      await poor.stop();
    }
  }, 180_000);
});
