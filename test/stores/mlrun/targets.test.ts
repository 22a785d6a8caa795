/** One model whose files lie in five stores at once, and what a record that names a host gets of the caller's secrets. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startAzurite, type Azurite } from '../../helpers/azurite.js';
import { sendAll, startCutServer } from '../../helpers/cut-server.js';
import { startFakeGcs, type FakeGcs } from '../../helpers/fake-gcs.js';
import { startMinio, type Minio } from '../../helpers/minio.js';
import { startMlrun, type Mlrun } from '../../helpers/mlrun.js';
import { startNginx } from '../../helpers/nginx.js';
import { scratchFolder } from '../../helpers/processes.js';
import { startSshd, type Sshd } from '../../helpers/sshd.js';
import { openWaybill, type WaybillBed, type WaybillRun } from '../../helpers/waybill.js';

let mlrun: Mlrun;
let minio: Minio;
let google: FakeGcs;
let azurite: Azurite;
let sshd: Sshd;
let nginx: Awaited<ReturnType<typeof startNginx>>;
let bed: WaybillBed;
const served = scratchFolder('mlrun-served');

beforeAll(async () => {
  [minio, google, azurite, sshd, nginx] = await Promise.all([
    startMinio(),
    startFakeGcs(),
    startAzurite(),
    startSshd(),
    startNginx({ root: served }),
  ]);
  bed = openWaybill();
  const env = { ...minio.env, S3_ENDPOINT_URL: minio.endpoint };
  mlrun = await startMlrun({ allowedPaths: 's3://', env });
  await Promise.all([
    minio.createBucket('models'),
    google.createBucket('extra-gs'),
    azurite.createContainer('extra'),
  ]);
  await minio.putObject('models', 'm/model.bin', Buffer.from('from s3'));
  mkdirSync(join(served, 'files'));
  writeFileSync(join(served, 'files/web.txt'), 'from the web');
  const tree = join(bed.dir, 'tree');
  mkdirSync(tree);
  writeFileSync(join(tree, 'g.txt'), 'from google');
  await google.putTree('extra-gs', '', tree);
  rmSync(join(tree, 'g.txt'));
  writeFileSync(join(tree, 'a.txt'), 'from azure');
  await azurite.putTree('extra', '', tree);
  writeFileSync(join(served, 'files/ssh.txt'), 'from sftp');
}, 600_000);

afterAll(async () => {
  await bed.close();
  await Promise.all([mlrun, minio, google, azurite, sshd, nginx].map((one) => one.stop()));
  rmSync(bed.dir, { recursive: true, force: true });
  rmSync(served, { recursive: true, force: true });
});

const pull = (
  uri: string,
  name: string,
  env: Readonly<Record<string, string>>,
): Promise<WaybillRun> =>
  bed.run(['pull', uri, join(bed.dir, name), '--json'], { env: { ...mlrun.env, ...env } });

const sha1 = (text: string): string => createHash('sha1').update(text).digest('hex');

describe('a record whose files lie elsewhere', () => {
  it('is pulled from S3, Google, Azure, the web and SFTP in one go', async () => {
    const sftp = `sftp://waybill@127.0.0.1:${sshd.port}${served}/files`;
    await mlrun.putArtifact('p', 'model', {
      kind: 'model',
      metadata: { hash: sha1('from s3') },
      spec: {
        target_path: 's3://models/m/',
        model_file: 'model.bin',
        size: 7,
        extra_data: {
          google: 'gcs://extra-gs/g.txt',
          azure: 'az://extra/a.txt',
          web: `${nginx.url}/files/web.txt`,
          ssh: `${sftp}/ssh.txt`,
        },
      },
    });
    const listed = `store:// s3://models gs://extra-gs az://extra ${nginx.url} ${sftp}`;
    const stores = { ...minio.env, ...google.env, ...azurite.env, ...sshd.settings };
    const done = await pull('store://models/p/model', 'model', {
      ...stores,
      WAYBILL_PREFIXES: listed,
    });
    expect(done.result).toMatchObject({ ok: true, exitCode: 0 });
    const read = (path: string): string => readFileSync(join(bed.dir, 'model', path), 'utf8');
    expect(read('model.bin')).toBe('from s3');
    expect(read('google/g.txt')).toBe('from google');
    expect(read('azure/a.txt')).toBe('from azure');
    expect(read('web/web.txt')).toBe('from the web');
    expect(read('ssh/ssh.txt')).toBe('from sftp');
    // What the connection does not list is refused before anything is read.
    const limited = await pull('store://models/p/model', 'limited', {
      ...stores,
      WAYBILL_PREFIXES: 'store:// s3://models',
    });
    expect(limited.result).toMatchObject({ ok: false, exitCode: 5, code: 'WB_PERMISSION_DENIED' });
  });

  it('comes through the API server where nothing is set to sign in with and it passes S3 on', async () => {
    await minio.putObject('models', 'only/one.bin', Buffer.from('one'));
    const spec = { target_path: 's3://models/only/one.bin', size: 3 };
    await mlrun.putArtifact('p', 'one', { metadata: { hash: sha1('one') }, spec });
    const done = await pull('store://p/one', 'one', {});
    expect(done.result).toMatchObject({ ok: true, exitCode: 0 });
    const receipt = readFileSync(join(bed.dir, '.one.waybill/receipt.json'), 'utf8');
    expect(JSON.parse(receipt)).toMatchObject({
      levels: { provider: 1 },
      source: { transport: 'proxied (no credentials for s3: are set)' },
    });
    await mlrun.putArtifact('p', 'only', {
      kind: 'dir',
      spec: { target_path: 's3://models/only/' },
    });
    const folder = await pull('store://p/only', 'only', { WAYBILL_MLRUN_TRANSPORT: 'proxied' });
    expect(folder.result).toMatchObject({ ok: true, exitCode: 0 });
    expect(readFileSync(join(bed.dir, 'only/one.bin'), 'utf8')).toBe('one');
  });
});

describe('rule 4: a host that a record names', () => {
  it('gets no token, unless the connection lists it', async () => {
    const other = await startCutServer();
    other.serveRest(sendAll('web'));
    try {
      const target_path = `${other.url}/file.txt`;
      await mlrun.putArtifact('p', 'web', { spec: { target_path } });
      const token = { WAYBILL_HTTP_TOKEN: 'a-token-for-another' };
      expect((await pull('store://p/web', 'web-1', token)).result).toMatchObject({ ok: true });
      expect(other.requests.length).toBeGreaterThan(0);
      expect(other.requests.filter(({ headers }) => headers.authorization)).toEqual([]);
      const listed = { ...token, WAYBILL_PREFIXES: `store:// ${other.url}` };
      expect((await pull('store://p/web', 'web-2', listed)).result).toMatchObject({ ok: true });
      expect(other.requests.at(-1)?.headers.authorization).toBe('Bearer a-token-for-another');
    } finally {
      await other.stop();
    }
  });
});
