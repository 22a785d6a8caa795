/**
 * A company's network: every server behind TLS of its own authority and asking for a client certificate, a proxy with a
 * password in between. The service was started by a shell that knows nothing of it.
 */
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { NETWORK_VARIABLES } from '../../../src/stores/lib/network-variables.js';
import { makeAuthority, type Authority, type Issued } from '../../helpers/certificates.js';
import { startMinio, type Minio } from '../../helpers/minio.js';
import { startMlflow, type Mlflow } from '../../helpers/mlflow.js';
import { startNginx, type Nginx } from '../../helpers/nginx.js';
import { freePort } from '../../helpers/ports.js';
import { startTinyproxy, type Tinyproxy } from '../../helpers/tinyproxy.js';
import { openWaybill, type WaybillBed, type WaybillRun } from '../../helpers/waybill.js';

const LONG_MS = 300_000;
const PASSWORD = 'pw-of-the-proxy';

let bed: WaybillBed;
let authority: Authority;
let client: Issued;
let minio: Minio;
let mlflow: Mlflow;
let proxy: Tinyproxy;
/** In front of the three: http, S3, MLflow. */
let files: Nginx;
let storage: Nginx;
let tracking: Nginx;
/** S3 once more, where a client certificate is not asked for. */
let signed: Nginx;

/** What is set in the shell of whoever works in this network. */
let company: Record<string, string>;

beforeAll(async () => {
  bed = openWaybill();
  authority = makeAuthority(bed.dir);
  client = authority.issue('ada');
  const tls = { ...authority.issue('server'), clientCaFile: authority.certFile };
  const forward = (port: number): string =>
    `proxy_pass http://127.0.0.1:${port}; proxy_set_header Host $http_host; proxy_buffering off;`;
  const root = join(bed.dir, 'root');
  mkdirSync(root);
  writeFileSync(join(root, 'w.bin'), 'weights over http');
  const onePassword = { user: 'ada', password: PASSWORD };
  [minio, files, proxy] = await Promise.all([
    startMinio(),
    startNginx({ root, tls }),
    startTinyproxy(onePassword),
  ]);
  storage = await startNginx({ root, tls, location: forward(minio.port), autoindex: false });
  // The addresses that MLflow signs lead its clients where it reads itself: through TLS, without a client certificate.
  signed = await startNginx({
    root,
    tls: { certFile: tls.certFile, keyFile: tls.keyFile },
    autoindex: false,
    location: forward(minio.port),
  });
  mlflow = await startMlflow({
    minio,
    env: { MLFLOW_S3_ENDPOINT_URL: signed.url, AWS_CA_BUNDLE: authority.certFile },
  });
  tracking = await startNginx({
    root,
    tls,
    autoindex: false,
    location: forward(Number(new URL(mlflow.uri).port)),
  });
  await minio.createBucket('models');
  await minio.putObject('models', 'churn/w.bin', 'weights over S3');
  const run = await mlflow.createRun(await mlflow.createExperiment('churn'));
  const model = join(bed.dir, 'model');
  mkdirSync(model);
  writeFileSync(join(model, 'MLmodel'), 'a model');
  await mlflow.putTree(run.artifactUri, 'model', model);
  const version = await mlflow.registerModel('churn', `${run.artifactUri}/model`, run.runId);
  await mlflow.setAlias('churn', 'champion', version);
  company = {
    HTTPS_PROXY: proxy.urlWithPassword,
    WAYBILL_CLIENT_CERT_FILE: client.certFile,
    WAYBILL_CLIENT_KEY_FILE: client.keyFile,
  };
  const up = await bed.run(['up']);
  expect(up.exitCode).toBe(0);
}, LONG_MS);

afterAll(async () => {
  await Promise.all(
    [minio, mlflow, proxy, files, storage, tracking, signed].map((server) => server.stop()),
  );
  await bed.close();
}, LONG_MS);

/** Nothing of the network that the tests themselves run in. */
const BARE = Object.fromEntries(NETWORK_VARIABLES.settings.map((name) => [name, '']));

/** Pulls with what a shell has in its environment. */
function pull(source: string, to: string, env: Record<string, string>): Promise<WaybillRun> {
  const args = ['pull', source, join(bed.dir, to), '--json', '--give-up-after', '2s'];
  return bed.run(args, { env: { ...BARE, ...env } });
}

function expectDone({ exitCode, stdout, stderr }: WaybillRun): void {
  expect([exitCode, exitCode === 0 ? '' : stdout + stderr]).toEqual([0, '']);
}

/** All that the pulls have left, the certificates not counted. */
function textOfTree(folder: string): string {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
    .join('\n');
}

const textOf = (...path: string[]): string => readFileSync(join(bed.dir, ...path), 'utf8');

describe("through a proxy with a password, with an authority and a client certificate of one's own", () => {
  it(
    'comes a file over HTTPS',
    async () => {
      const env = { ...company, SSL_CERT_FILE: authority.certFile };
      expectDone(await pull(`${files.url}/w.bin`, 'http/', env));
      expect(textOf('http', 'w.bin')).toBe('weights over http');
      expect(proxy.requests()).toContain(`CONNECT 127.0.0.1:${files.port}`);
    },
    LONG_MS,
  );

  it(
    'comes a tree from S3',
    async () => {
      const env = {
        ...minio.env,
        ...company,
        AWS_ENDPOINT_URL: storage.url,
        AWS_CA_BUNDLE: authority.certFile,
      };
      expectDone(await pull('s3://models/churn', 's3', env));
      expect(textOf('s3', 'w.bin')).toBe('weights over S3');
      expect(proxy.requests()).toContain(`CONNECT 127.0.0.1:${storage.port}`);
    },
    LONG_MS,
  );

  it.each([
    ['presigned', { AWS_CA_BUNDLE: () => authority.certFile }],
    ['proxied', { WAYBILL_MLFLOW_TRANSPORT: () => 'proxied' }],
  ])(
    'comes a model from MLflow, %s',
    async (transport, more) => {
      const env = {
        https_proxy: proxy.urlWithPassword,
        MLFLOW_TRACKING_URI: tracking.url,
        MLFLOW_TRACKING_SERVER_CERT_PATH: authority.certFile,
        MLFLOW_TRACKING_CLIENT_CERT_PATH: client.bundleFile,
        ...Object.fromEntries(Object.entries(more).map(([name, value]) => [name, value()])),
      };
      expectDone(await pull('models:/churn@champion', transport, env));
      expect(textOf(transport, 'MLmodel')).toBe('a model');
      const { source } = JSON.parse(textOf(transport, '.waybill', 'receipt.json')) as {
        source: { transport: string };
      };
      expect(source.transport).toMatch(new RegExp(`^${transport} `));
      expect(proxy.requests()).toContain(`CONNECT 127.0.0.1:${tracking.port}`);
    },
    LONG_MS,
  );

  it(
    'goes the same way for ls, which runs in the shell itself',
    async () => {
      const env = { ...BARE, ...company, WAYBILL_CA_FILE: authority.certFile };
      const { exitCode, stdout } = await bed.run(['ls', `${files.url}/`], { env });
      expect([exitCode, stdout]).toEqual([0, expect.stringContaining('w.bin')]);
    },
    LONG_MS,
  );

  it('rule 3: keeps the password of the proxy nowhere', () => {
    const kept = bed.stateText() + textOfTree(bed.dir);
    expect(kept).toContain(new URL(proxy.url).host);
    expect(kept).not.toContain(PASSWORD);
    expect(kept).not.toContain(Buffer.from(`ada:${PASSWORD}`).toString('base64'));
  });
});

describe('what is said to a shell where a part of that is missing', () => {
  const told = async (env: Record<string, string>): Promise<[unknown, unknown, string]> => {
    const { result } = await pull(`${files.url}/w.bin`, 'told/', env);
    return [result['exitCode'], result['code'], String(result['message'])];
  };

  it(
    'names the proxy and its variable, the authority, the client certificate',
    async () => {
      const trusted = { SSL_CERT_FILE: authority.certFile };
      expect(await told({ ...company, ...trusted, HTTPS_PROXY: proxy.url })).toEqual([
        2,
        'WB_CONFIG_INVALID',
        expect.stringContaining(`the proxy ${proxy.url} (HTTPS_PROXY) wants a password`),
      ]);
      expect(await told(company)).toEqual([
        12,
        'WB_UNAVAILABLE',
        expect.stringMatching(/certificate that is not trusted .*: set SSL_CERT_FILE to/),
      ]);
      expect(await told({ HTTPS_PROXY: proxy.urlWithPassword, ...trusted })).toEqual([
        5,
        'WB_UNAUTHENTICATED',
        expect.stringContaining('wants a client certificate: set WAYBILL_CLIENT_CERT_FILE'),
      ]);
      const down = `http://127.0.0.1:${await freePort()}`;
      expect(await told({ ...company, ...trusted, HTTPS_PROXY: down })).toEqual([
        12,
        'WB_GAVE_UP',
        expect.stringContaining(`the proxy ${down} (HTTPS_PROXY) refuses connections`),
      ]);
      expect(await told({ ...company, WAYBILL_CA_FILE: '/no/such.pem' })).toEqual([
        2,
        'WB_CONFIG_INVALID',
        expect.stringContaining('WAYBILL_CA_FILE names /no/such.pem, which cannot be read'),
      ]);
    },
    LONG_MS,
  );
});
