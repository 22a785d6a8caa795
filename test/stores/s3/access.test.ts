import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { WaybillError } from '../../../src/model/errors.js';
import { s3 } from '../../../src/stores/s3/index.js';
import type { ConnectionSettings, Store } from '../../../src/stores/store.js';
import { startMinio } from '../../helpers/minio.js';
import type { Minio } from '../../helpers/minio.js';
import { listAll, readAll } from '../conformance/expectations.js';
import { temporaryKeys } from './assume-role.js';
import { keysOf, openS3 } from './testbed.js';
import type { OpenS3Options } from './testbed.js';
import { thrownBy } from '../../helpers/thrown-by.js';

let minio: Minio;
const open: Store[] = [];

beforeAll(async () => {
  minio = await startMinio();
  await minio.createBucket('private');
  await minio.createBucket('public', { publicRead: true });
  for (const bucket of ['private', 'public']) {
    await minio.putObject(bucket, 'a/file.txt', 'the bytes');
    await minio.putObject(bucket, 'b/file.txt', 'other bytes');
  }
}, 300_000);

afterEach(async () => {
  await Promise.all(open.splice(0).map((store) => store.close()));
});

afterAll(() => minio.stop());

async function opened(uri: string, options?: OpenS3Options): Promise<Store> {
  const store = await openS3(minio, uri, options);
  open.push(store);
  return store;
}

async function errorOf(promise: Promise<unknown>): Promise<WaybillError> {
  const error = await thrownBy(promise);
  for (const secret of [minio.secretAccessKey, minio.accessKeyId]) {
    expect(`${error.message} ${error.stack ?? ''}`).not.toContain(secret);
  }
  return error;
}

describe('a public bucket', () => {
  it.each([
    { AWS_NO_SIGN_REQUEST: '1' },
    { AWS_NO_SIGN_REQUEST: 'yes' },
    { MLFLOW_EXPERIMENTAL_S3_SIGNATURE_VERSION: 'unsigned' },
  ])('is read without keys under %j', async (settings: ConnectionSettings) => {
    const store = await opened('s3://public', { settings, secrets: {} });
    expect((await listAll(store, '', true)).map(({ path }) => path)).toEqual([
      'a/file.txt',
      'b/file.txt',
    ]);
    expect((await readAll(store, 'a/file.txt')).toString()).toBe('the bytes');
  });

  it('that is private after all is said to want a sign-in', async () => {
    const settings = { AWS_NO_SIGN_REQUEST: 'true' };
    const store = await opened('s3://private', { settings, secrets: {} });
    const error = await errorOf(listAll(store, '', true));
    expect(error).toMatchObject({ code: 'WB_UNAUTHENTICATED', scope: 'source' });
    expect(error.message).toContain('AWS_ACCESS_KEY_ID');
    expect((await errorOf(store.stat('a/file.txt'))).code).toBe('WB_UNAUTHENTICATED');
  });
});

describe('refusals', () => {
  it('an unknown access key is told apart from a wrong secret', async () => {
    const unknown = await opened('s3://private', {
      secrets: { ...keysOf(minio), AWS_ACCESS_KEY_ID: 'AKIANOBODY' },
    });
    expect((await errorOf(unknown.stat(''))).message).toContain('does not know the access key');
    const wrong = await opened('s3://private', {
      secrets: { ...keysOf(minio), AWS_SECRET_ACCESS_KEY: 'not the secret' },
    });
    const error = await errorOf(wrong.openRead('a/file.txt'));
    expect(error.message).toContain('does not accept the secret key');
    expect(error).toMatchObject({ code: 'WB_UNAUTHENTICATED', scope: 'source', retryable: true });
  });

  it('a bucket that does not exist is named, and is about the whole source', async () => {
    const store = await opened('s3://no-such-bucket/below');
    for (const call of [
      () => store.stat(''),
      () => listAll(store, '', true),
      () => store.openRead('file'),
    ]) {
      const error = await errorOf(call());
      expect(error).toMatchObject({ code: 'WB_NOT_FOUND', scope: 'source', retryable: false });
      expect(error.message).toContain('s3://no-such-bucket/');
    }
  });

  it('a forbidden object is about that file, a forbidden listing about the source', async () => {
    const secrets = await temporaryKeys(minio, [
      { Action: ['s3:GetObject'], Resource: ['arn:aws:s3:::private/a/*'] },
    ]);
    const store = await opened('s3://private', { secrets });
    expect((await readAll(store, 'a/file.txt')).toString()).toBe('the bytes');
    expect(await store.stat('a/file.txt')).toMatchObject({ kind: 'file', sizeBytes: 9 });
    for (const call of [() => store.openRead('b/file.txt'), () => store.stat('b/file.txt')]) {
      const error = await errorOf(call());
      expect(error).toMatchObject({ code: 'WB_PERMISSION_DENIED', scope: 'file', exitCode: 5 });
      expect(error.message).toContain('s3:GetObject');
    }
    const listing = await errorOf(listAll(store, '', true));
    expect(listing).toMatchObject({ code: 'WB_PERMISSION_DENIED', scope: 'source' });
    expect(listing.message).toContain('s3:ListBucket');
  });

  it('a session token that the service does not know is named', async () => {
    const secrets = await temporaryKeys(minio, [
      { Action: ['s3:*'], Resource: ['arn:aws:s3:::*'] },
    ]);
    const store = await opened('s3://private', {
      secrets: { ...secrets, AWS_SESSION_TOKEN: 'made-up-session-token' },
    });
    const error = await errorOf(store.stat('a/file.txt'));
    expect(error).toMatchObject({ code: 'WB_UNAUTHENTICATED', scope: 'source' });
    expect(error.message).toContain('AWS_SESSION_TOKEN');
    expect(error.message).not.toContain('made-up-session-token');
  });
});

describe('the platform of a container', () => {
  it('hands out keys to whoever knows its token', async () => {
    const asked: (string | undefined)[] = [];
    const platform = createServer((request, response) => {
      asked.push(request.headers.authorization);
      response.writeHead(request.headers.authorization === 'its token' ? 200 : 401);
      const { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey } = minio;
      const Expiration = new Date(Date.now() + 3_600_000).toISOString();
      response.end(JSON.stringify({ AccessKeyId, SecretAccessKey, Token: '', Expiration }));
    });
    await new Promise<void>((resolve) => platform.listen(0, '127.0.0.1', resolve));
    const { port } = platform.address() as AddressInfo;
    const settings = { AWS_CONTAINER_CREDENTIALS_FULL_URI: `http://127.0.0.1:${port}/keys` };
    const secrets = { AWS_CONTAINER_AUTHORIZATION_TOKEN: 'its token' };
    const store = await opened('s3://private/a', { settings, secrets });
    expect((await readAll(store, 'file.txt')).toString()).toBe('the bytes');
    expect(asked).toEqual(['its token']);
    const denied = await opened('s3://private/a', { settings, secrets: {} });
    const error = await errorOf(denied.stat('file.txt'));
    expect(error.code).toBe('WB_UNAUTHENTICATED');
    await new Promise<void>((resolve) => platform.close(() => resolve()));
  });
});

describe('a profile', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'waybill-aws-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const withFiles = async (
    credentials: string,
    config: string,
    settings: ConnectionSettings,
  ): Promise<Store> => {
    const credentialsFile = join(folder, 'credentials');
    const configFile = join(folder, 'config');
    await Promise.all([writeFile(credentialsFile, credentials), writeFile(configFile, config)]);
    const store = await s3.open({
      uri: 's3://private/a',
      settings: {
        AWS_SHARED_CREDENTIALS_FILE: credentialsFile,
        AWS_CONFIG_FILE: configFile,
        ...settings,
      },
      secrets: {},
    });
    open.push(store);
    return store;
  };
  const keyLines = (): string =>
    `aws_access_key_id = ${minio.accessKeyId}\naws_secret_access_key = ${minio.secretAccessKey}\n`;

  it('gives keys, region and endpoint', async () => {
    const store = await withFiles(
      `[models]\n${keyLines()}`,
      `[profile models]\nregion = us-east-1\nendpoint_url = ${minio.endpoint}\n`,
      { AWS_PROFILE: 'models' },
    );
    expect((await readAll(store, 'file.txt')).toString()).toBe('the bytes');
  });

  it('is the default one where none is named, and its S3 endpoint may be a service of its own', async () => {
    const store = await withFiles(
      `[default]\n${keyLines()}`,
      `[default]\nservices = mine\n\n[services mine]\ns3 =\n  endpoint_url = ${minio.endpoint}\n`,
      {},
    );
    expect((await readAll(store, 'file.txt')).toString()).toBe('the bytes');
  });

  it('that does not exist is named, with what to do', async () => {
    const settings = { AWS_PROFILE: 'absent', AWS_ENDPOINT_URL: minio.endpoint };
    const store = await withFiles('', '', settings);
    const error = await errorOf(store.stat('file.txt'));
    expect(error).toMatchObject({ code: 'WB_UNAUTHENTICATED', scope: 'source' });
    expect(error.message).toContain('"absent"');
    expect(error.message).toContain('AWS_ACCESS_KEY_ID');
  });

  it('with keys that end is asked again before they do', async () => {
    const counter = join(folder, 'asked');
    const script = join(folder, 'keys.sh');
    const answer = (secondsLeft: number): string =>
      JSON.stringify({
        Version: 1,
        AccessKeyId: minio.accessKeyId,
        SecretAccessKey: minio.secretAccessKey,
        Expiration: new Date(Date.now() + secondsLeft * 1_000).toISOString(),
      });
    const writeScript = (secondsLeft: number): Promise<void> =>
      writeFile(script, `echo x >> ${counter}\ncat <<'END'\n${answer(secondsLeft)}\nEND\n`);
    await writeScript(60);
    const store = await withFiles('', `[profile p]\ncredential_process = sh ${script}\n`, {
      AWS_PROFILE: 'p',
      AWS_ENDPOINT_URL: minio.endpoint,
    });
    const timesAsked = async (): Promise<number> => (await readFile(counter, 'utf8')).length / 2;
    await store.stat('file.txt');
    expect(await timesAsked()).toBe(1);
    await writeScript(3_600);
    await Promise.all([store.stat('file.txt'), store.stat('file.txt'), store.stat('file.txt')]);
    expect(await timesAsked()).toBe(2);
    await store.stat('file.txt');
    expect(await timesAsked()).toBe(2);
  });
});
