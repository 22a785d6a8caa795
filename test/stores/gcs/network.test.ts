/**
 * Google's own names in a company's network: reached through a proxy alone, with certificates of the company's own authority,
 * which also asks who comes. Behind the names stand a fake-gcs-server with TLS and a token service.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createPlainServer, type Server } from 'node:http';
import { createServer } from 'node:https';
import { connect, type AddressInfo, type Server as NetServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { WaybillError } from '../../../src/model/errors.js';
import type { ConnectionSettings } from '../../../src/stores/store.js';
import { makeAuthority, type Authority } from '../../helpers/certificates.js';
import { startFakeGcs, type FakeGcs } from '../../helpers/fake-gcs.js';
import { startNginx, type Nginx } from '../../helpers/nginx.js';
import { scratchFolder } from '../../helpers/processes.js';
import { listAll, readAll } from '../conformance/expectations.js';
import { openGcs } from './testbed.js';
import { keyFile, REFRESH_TOKEN, startTokenService, type TokenService } from './token-service.js';

const NAMES = ['storage', 'oauth2', 'iamcredentials'].map((name) => `${name}.googleapis.com`);
const PASSWORD = 'pw-of-the-proxy';
const CONNECT_STORAGE = 'CONNECT storage.googleapis.com:443';
const CONNECT_OAUTH = 'CONNECT oauth2.googleapis.com:443';

let dir: string;
let authority: Authority;
let google: FakeGcs;
let strict: Nginx;
let tokens: TokenService;
let tokenTls: NetServer;
let proxy: Server;
const asked: string[] = [];

beforeAll(async () => {
  dir = scratchFolder('gcs-network');
  authority = makeAuthority(dir);
  const server = authority.issue('google', {
    names: ['IP:127.0.0.1', ...NAMES.map((name) => `DNS:${name}`)].join(','),
  });
  [google, tokens] = await Promise.all([
    startFakeGcs({ tls: server }),
    startTokenService(new Set()),
  ]);
  await google.createBucket('models');
  await google.putObject('models', 'a/file.txt', 'the bytes');
  strict = await startNginx({
    root: dir,
    tls: { ...server, clientCaFile: authority.certFile },
    location: `proxy_ssl_verify off; proxy_pass ${google.endpoint};`,
  });
  const keys = { cert: readFileSync(server.certFile), key: readFileSync(server.keyFile) };
  tokenTls = createServer(keys, tokens.answer);
  proxy = createPlainServer();
  proxy.on('connect', (request, socket) => {
    const target = request.url ?? '';
    asked.push(`CONNECT ${target}`);
    const login = Buffer.from(`ada:${PASSWORD}`).toString('base64');
    if (request.headers['proxy-authorization'] !== `Basic ${login}`) {
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
      return;
    }
    const isStorage = target.startsWith('storage.');
    const port = isStorage ? google.port : (tokenTls.address() as AddressInfo).port;
    const onward = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      socket.pipe(onward).pipe(socket);
    });
    for (const end of [socket, onward]) end.on('error', () => socket.destroy());
  });
  for (const one of [tokenTls, proxy]) {
    await new Promise<void>((resolve) => one.listen(0, '127.0.0.1', () => resolve()));
  }
}, 300_000);

afterEach(() => {
  asked.splice(0);
  tokens.asked.splice(0);
});

afterAll(async () => {
  await Promise.all([google.stop(), strict.stop(), tokens.stop()]);
  for (const one of [tokenTls, proxy]) one.close();
  rmSync(dir, { recursive: true, force: true });
});

const proxyUrl = (login = ''): string =>
  `http://${login}127.0.0.1:${(proxy.address() as AddressInfo).port}`;

/** The bytes of the file and the listing, or the error. */
async function read(settings: ConnectionSettings, login?: string): Promise<string> {
  const store = await openGcs('gs://models/a', {
    settings: { CLOUDSDK_CONFIG: join(dir, 'nothing'), ...settings },
    secrets: login === undefined ? {} : { HTTPS_PROXY: proxyUrl(login) },
  });
  try {
    const bytes = (await readAll(store, 'file.txt')).toString();
    return `${(await listAll(store, '', true)).map(({ path }) => path).join()}: ${bytes}`;
  } catch (error) {
    if (!(error instanceof WaybillError)) throw error;
    expect(`${error.message} ${error.stack ?? ''}`).not.toContain(PASSWORD);
    return `${error.code} ${error.retryable ? 'retryable' : 'final'}: ${error.message}`;
  } finally {
    await store.close();
  }
}

const RIGHT = 'file.txt: the bytes';
const ADA = `ada:${PASSWORD}@`;
const company = (): ConnectionSettings => ({
  HTTPS_PROXY: proxyUrl(),
  SSL_CERT_FILE: authority.certFile,
});

function login(name: string, content: object): ConnectionSettings {
  writeFileSync(join(dir, name), JSON.stringify(content));
  return { GOOGLE_APPLICATION_CREDENTIALS: join(dir, name) };
}

const user = (refreshToken = REFRESH_TOKEN): object => ({
  type: 'authorized_user',
  client_id: 'a-client.apps.googleusercontent.com',
  client_secret: 'a secret of the client',
  refresh_token: refreshToken,
});

describe('Google through a proxy that wants a password, vouched for by the authority of SSL_CERT_FILE', () => {
  it('without a login', async () => {
    expect(await read({ ...company(), GS_NO_SIGN_REQUEST: '1' }, ADA)).toBe(RIGHT);
    expect([...new Set(asked)]).toEqual([CONNECT_STORAGE]);
  });

  it('with the key of a service account', async () => {
    expect(await read({ ...company(), ...login('key.json', keyFile()) }, ADA)).toBe(RIGHT);
    expect([...new Set(asked)]).toEqual([CONNECT_OAUTH, CONNECT_STORAGE]);
    expect(tokens.asked).toEqual(['POST /token jwt-bearer']);
  });

  it('with the login of a user, as gcloud writes it', async () => {
    expect(await read({ ...company(), ...login('user.json', user()) }, ADA)).toBe(RIGHT);
    expect(tokens.asked).toEqual(['POST /token refresh_token']);
  });

  it('with a service account that the user is allowed to be', async () => {
    const who = 'reader@models.iam.gserviceaccount.com';
    const url = `https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/${who}:generateAccessToken`;
    const settings = login('impersonated.json', {
      type: 'impersonated_service_account',
      service_account_impersonation_url: url,
      source_credentials: user(),
      delegates: [],
    });
    expect(await read({ ...company(), ...settings }, ADA)).toBe(RIGHT);
    expect(tokens.asked).toEqual([
      'POST /token refresh_token',
      `POST /v1/projects/-/serviceAccounts/${who}:generateAccessToken`,
    ]);
  });

  it('also where the connection lists the origins that it may reach: those of the bucket', async () => {
    const only = { WAYBILL_ORIGINS: 'https://storage.googleapis.com' };
    expect(await read({ ...company(), ...login('key.json', keyFile()), ...only }, ADA)).toBe(RIGHT);
  });
});

describe('what goes wrong on the way is told as it is', () => {
  it('a login that was withdrawn', async () => {
    const settings = { ...company(), ...login('gone.json', user('1//withdrawn')) };
    const said = await read(settings, ADA);
    expect(said).toMatch(
      /^WB_UNAUTHENTICATED retryable: .*gone\.json \(GOOGLE_APPLICATION_CREDENTIALS\) gives no token \(invalid_grant: Token has been expired or revoked\)/,
    );
    expect(said).not.toContain('withdrawn');
  });

  it('another password of the proxy, on the way to the token and to the bucket', async () => {
    const wrong = /^WB_CONFIG_INVALID final: .*\.googleapis\.com.* \(HTTPS_PROXY\) does not accept/;
    const settings = { ...company(), ...login('key.json', keyFile()) };
    expect(await read(settings, 'ada:wrong@')).toMatch(wrong);
    expect([...new Set(asked)]).toEqual([CONNECT_OAUTH]);
    expect(await read({ ...company(), GS_NO_SIGN_REQUEST: '1' }, 'ada:wrong@')).toMatch(wrong);
  });

  it('an authority that nobody vouches for', async () => {
    const settings = { HTTPS_PROXY: proxyUrl(), GS_NO_SIGN_REQUEST: '1' };
    expect(await read(settings, ADA)).toMatch(
      /^WB_UNAVAILABLE final: .*certificate that is not trusted .*SSL_CERT_FILE/,
    );
  });
});

describe('an emulator over TLS', () => {
  it('is trusted through SSL_CERT_FILE', async () => {
    const settings = { STORAGE_EMULATOR_HOST: google.endpoint, SSL_CERT_FILE: authority.certFile };
    expect(await read(settings)).toBe(RIGHT);
  });

  it('is reached past a proxy where NO_PROXY names it', async () => {
    const settings = {
      STORAGE_EMULATOR_HOST: google.endpoint,
      SSL_CERT_FILE: authority.certFile,
      HTTPS_PROXY: 'http://127.0.0.1:1',
    };
    expect(await read(settings)).toMatch(/^WB_UNAVAILABLE retryable: .*\(HTTPS_PROXY\)/);
    expect(await read({ ...settings, NO_PROXY: '127.0.0.0/8' })).toBe(RIGHT);
    // It is Google's own names that the proxy is for.
    const named = { ...company(), GS_NO_SIGN_REQUEST: '1' };
    expect(await read({ ...named, NO_PROXY: '127.0.0.0/8,internal' }, ADA)).toBe(RIGHT);
    expect([...new Set(asked)]).toEqual([CONNECT_STORAGE]);
  });

  it('that asks who comes is shown the client certificate, and says so where there is none', async () => {
    const settings = { STORAGE_EMULATOR_HOST: strict.url, SSL_CERT_FILE: authority.certFile };
    expect(await read(settings)).toMatch(
      /^WB_UNAUTHENTICATED final: .*wants a client certificate.*WAYBILL_CLIENT_CERT_FILE/,
    );
    const { certFile, keyFile: key } = authority.issue('ada');
    const shown = { WAYBILL_CLIENT_CERT_FILE: certFile, WAYBILL_CLIENT_KEY_FILE: key };
    expect(await read({ ...settings, ...shown })).toBe(RIGHT);
  });
});
