/**
 * MLflow, MLRun and Hadoop as a company has them: behind a server with certificates of its own authority that also asks who comes,
 * and reached through a proxy that wants a password.
 */
import { writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { WaybillError } from '../../../src/model/errors.js';
import { StoreRegistry } from '../../../src/stores/registry.js';
import type { ConnectionSecrets, ConnectionSettings } from '../../../src/stores/store.js';
import { makeAuthority, type Authority, type Issued } from '../../helpers/certificates.js';
import { startHadoop } from '../../helpers/hadoop.js';
import { startMlflow } from '../../helpers/mlflow.js';
import { startMlrun } from '../../helpers/mlrun.js';
import { startNginx, type Nginx } from '../../helpers/nginx.js';
import { scratchFolder, type ServerProcess } from '../../helpers/processes.js';
import { startTinyproxy, type Tinyproxy } from '../../helpers/tinyproxy.js';
import { readAll } from '../conformance/expectations.js';
import { SUPER_USER } from '../hdfs/testbed.js';

const LONG_MS = 300_000;
const BYTES = 'the bytes';

/** A service, and the servers before it. */
interface Service {
  /** Its own address, without TLS. */
  readonly plain: string;
  /** Behind TLS. */
  readonly tls: Nginx;
  /** The same for those who show a certificate. */
  readonly strict: Nginx;
  /** The source at one of these addresses, what it needs beside, and the file. */
  readonly at: (url: string) => Source;
}

interface Source {
  readonly uri: string;
  readonly settings: ConnectionSettings;
  readonly path: string;
}

let dir: string;
let authority: Authority;
let server: Issued;
let ada: Issued;
let proxy: Tinyproxy;
/** Stands before the data node of Hadoop. */
let dataNode: Nginx;
const services = new Map<string, Service>();
const running: Pick<ServerProcess, 'stop'>[] = [];

const started = <T extends Pick<ServerProcess, 'stop'>>(one: T): T => {
  running.push(one);
  return one;
};

/** Two servers with TLS before a service. */
async function behindTls(location: string): Promise<Pick<Service, 'tls' | 'strict'>> {
  const strictly = { ...server, clientCaFile: authority.certFile };
  const tls = started(await startNginx({ root: dir, location, tls: server }));
  return { tls, strict: started(await startNginx({ root: dir, location, tls: strictly })) };
}

async function mlflow(): Promise<Service> {
  const service = started(await startMlflow());
  const run = await service.createRun(await service.createExperiment('churn'));
  await service.putArtifact(run.artifactUri, 'model/file.txt', BYTES);
  const uri = `runs:/${run.runId}/model`;
  return {
    plain: service.uri,
    ...(await behindTls(`proxy_pass ${service.uri};`)),
    at: (url) => ({ uri, settings: { MLFLOW_TRACKING_URI: url }, path: 'file.txt' }),
  };
}

async function mlrun(): Promise<Service> {
  const service = started(await startMlrun());
  const target_path = join(service.root, 'file.txt');
  writeFileSync(target_path, BYTES);
  await service.putArtifact('churn', 'file', { spec: { target_path, size: BYTES.length } });
  return {
    plain: service.uri,
    ...(await behindTls(`proxy_pass ${service.uri};`)),
    at: (url) => ({ uri: 'store://churn/file', settings: { MLRUN_DBPATH: url }, path: '' }),
  };
}

/** Its data node lets nobody read who shows a certificate. */
async function hdfs(): Promise<Service> {
  const service = started(await startHadoop());
  await service.putFile('/models/file.txt', BYTES);
  const port = service.dataNodes[0]?.http ?? 0;
  dataNode = started(
    await startNginx({
      root: dir,
      tls: server,
      server: `ssl_client_certificate "${authority.certFile}"; ssl_verify_client optional;`,
      location: `if ($ssl_client_verify != NONE) { return 403; } proxy_pass http://127.0.0.1:${port};`,
    }),
  );
  const plain = `http://127.0.0.1:${service.port}`;
  const redirect = `proxy_redirect ~^http://[^/]+:${port}/(.*)$ ${dataNode.url}/$1;`;
  return {
    plain,
    ...(await behindTls(`proxy_pass ${plain}; ${redirect}`)),
    at: (url) => ({
      uri: `${url.replace(/^http(s?)/, (_, s: string) => `${s}webhdfs`)}/models`,
      settings: { HADOOP_USER_NAME: SUPER_USER },
      path: 'file.txt',
    }),
  };
}

beforeAll(async () => {
  dir = scratchFolder('network-registries');
  authority = makeAuthority(dir);
  server = authority.issue('server');
  ada = authority.issue('ada');
  proxy = started(await startTinyproxy({ user: 'ada', password: 'pw-of-the-proxy' }));
  const ready = await Promise.all([mlflow(), mlrun(), hdfs()]);
  ['mlflow', 'mlrun', 'hdfs'].forEach((name, index) => {
    const one = ready[index];
    if (one !== undefined) services.set(name, one);
  });
}, LONG_MS);

afterAll(async () => {
  await Promise.all(running.map((one) => one.stop()));
  await rm(dir, { recursive: true, force: true });
}, LONG_MS);

/** The bytes of the file, or the error. */
async function read(
  source: Source,
  more: ConnectionSettings = {},
  secrets: ConnectionSecrets = {},
): Promise<string> {
  const registry = new StoreRegistry();
  const settings = { ...source.settings, ...more };
  const { uri, path } = source;
  try {
    const found = registry.isReference(uri)
      ? await registry.resolve({ uri, settings, secrets })
      : { uri, settings: {} };
    const resolved = { ...settings, ...found.settings };
    const store = await registry.open({ uri: found.uri, settings: resolved, secrets });
    try {
      return (await readAll(store, path)).toString();
    } finally {
      await store.close();
    }
  } catch (error) {
    if (!(error instanceof WaybillError)) throw error;
    expect(`${error.message} ${error.stack ?? ''}`).not.toContain('pw-of-the-proxy');
    return `${error.code} ${error.retryable ? 'retryable' : 'final'}: ${error.message}`;
  }
}

describe.each([
  {
    name: 'mlflow',
    trusts: ['SSL_CERT_FILE', 'REQUESTS_CA_BUNDLE', 'MLFLOW_TRACKING_SERVER_CERT_PATH'],
    trustsBlindly: { MLFLOW_TRACKING_INSECURE_TLS: 'true' },
  },
  {
    name: 'mlrun',
    trusts: ['SSL_CERT_FILE', 'REQUESTS_CA_BUNDLE'],
    trustsBlindly: { MLRUN_HTTPDB__HTTP__VERIFY: 'false' },
  },
  { name: 'hdfs', trusts: ['SSL_CERT_FILE', 'WAYBILL_CA_FILE'], trustsBlindly: undefined },
])('$name', ({ name, trusts, trustsBlindly }) => {
  const service = (): Service => {
    const found = services.get(name);
    if (found === undefined) throw new Error(`${name} was not started`);
    return found;
  };
  const trusted = (): ConnectionSettings => ({ SSL_CERT_FILE: authority.certFile });
  const identity = (): ConnectionSettings => ({
    WAYBILL_CLIENT_CERT_FILE: ada.certFile,
    WAYBILL_CLIENT_KEY_FILE: ada.keyFile,
  });

  it('is read through a proxy that wants a password, over http and https', async () => {
    const { plain, tls, at } = service();
    for (const [url, variable, method] of [
      [plain, 'HTTP_PROXY', 'GET'],
      [tls.url, 'HTTPS_PROXY', 'CONNECT'],
    ] as const) {
      const settings = { ...trusted(), [variable]: proxy.url };
      expect(await read(at(url), settings, { [variable]: proxy.urlWithPassword })).toBe(BYTES);
      const host = url.replace(/^\w+:\/\//, '');
      expect(proxy.requests()).toContainEqual(
        expect.stringMatching(new RegExp(`^${method} .*${host}`)),
      );
    }
  });

  it('says so by the variable where the password is missing, or another one', async () => {
    const { plain, tls, at } = service();
    const missing = /^WB_CONFIG_INVALID final: .* \(HTTPS?_PROXY\) wants a password/;
    expect(await read(at(plain), { HTTP_PROXY: proxy.url })).toMatch(missing);
    const settings = { ...trusted(), HTTPS_PROXY: proxy.url };
    expect(await read(at(tls.url), settings)).toMatch(missing);
    const wrong = { HTTPS_PROXY: proxy.url.replace('//', '//ada:wrong-horse@') };
    const said = await read(at(tls.url), settings, wrong);
    expect(said).toMatch(/^WB_CONFIG_INVALID final: .* \(HTTPS_PROXY\) does not accept/);
    expect(said).not.toContain('wrong-horse');
  });

  it('is reached past a proxy where NO_PROXY names it', async () => {
    const { plain, tls, at } = service();
    const down = { ALL_PROXY: 'http://127.0.0.1:1', ...trusted() };
    for (const url of [plain, tls.url]) {
      expect(await read(at(url), down)).toMatch(/^WB_UNAVAILABLE retryable: .*\(ALL_PROXY\)/);
      for (const NO_PROXY of ['127.0.0.1', '127.0.0.0/8', 'example.com,*']) {
        expect(await read(at(url), { ...down, NO_PROXY })).toBe(BYTES);
      }
    }
  });

  it('is trusted by the authority that the variables of its users name, and not without', async () => {
    const { tls, at } = service();
    expect(await read(at(tls.url))).toMatch(
      /^WB_UNAVAILABLE final: .*certificate that is not trusted .*(SSL_CERT_FILE|MLFLOW_TRACKING_SERVER_CERT_PATH)/,
    );
    for (const variable of trusts) {
      expect(await read(at(tls.url), { [variable]: authority.certFile })).toBe(BYTES);
    }
    if (trustsBlindly !== undefined) {
      expect(await read(at(tls.url), trustsBlindly)).toBe(BYTES);
    }
  });

  it('is shown the client certificate that it asks for, also through a proxy', async () => {
    const { strict, at } = service();
    expect(await read(at(strict.url), trusted())).toMatch(
      /^WB_UNAUTHENTICATED final: .*client certificate.*WAYBILL_CLIENT_CERT_FILE/,
    );
    const shown = { ...trusted(), ...identity() };
    expect(await read(at(strict.url), shown)).toBe(BYTES);
    const through = { ...shown, HTTPS_PROXY: proxy.url };
    expect(await read(at(strict.url), through, { HTTPS_PROXY: proxy.urlWithPassword })).toBe(BYTES);
  });
});

it("rule 4: a client certificate is MLflow's where MLflow's variable names it, and MLRun's server gets none", async () => {
  const shown = {
    SSL_CERT_FILE: authority.certFile,
    MLFLOW_TRACKING_CLIENT_CERT_PATH: ada.bundleFile,
  };
  const ends = new Map<string, string>();
  for (const [name, { strict, at }] of services) ends.set(name, await read(at(strict.url), shown));
  expect(ends.get('mlflow')).toBe(BYTES);
  expect(ends.get('mlrun')).toMatch(/^WB_UNAUTHENTICATED/);
  expect(ends.get('hdfs')).toMatch(/^WB_UNAUTHENTICATED/);
});

it('rule 4: the data node of the test refuses whoever shows a certificate', async () => {
  const hadoop = services.get('hdfs');
  if (hadoop === undefined) throw new Error('Hadoop was not started');
  const trusted = { SSL_CERT_FILE: authority.certFile };
  expect(await read(hadoop.at(hadoop.tls.url), trusted)).toBe(BYTES);
  const opened = dataNode.accessLog().find(({ target }) => target.includes('op=OPEN'));
  expect(opened?.status).toBe(200);
  const shown = { ...trusted, WAYBILL_CLIENT_CERT_FILE: ada.bundleFile };
  const source = { uri: `${dataNode.url}${opened?.target ?? ''}`, settings: {}, path: '' };
  expect(await read(source, shown)).toMatch(/^WB_PERMISSION_DENIED/);
  expect(await read(source, trusted)).toBe(BYTES);
});
