/**
 * Azure as a company reaches it: by its own names, through a proxy that wants a password, with certificates of the company's
 * authority; and the tokens of Microsoft Entra, which take the same way. The blobs are those of a real Azurite behind TLS.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createPlainServer, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { connect, type AddressInfo, type Server as NetServer } from 'node:net';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { WaybillError } from '../../../src/model/errors.js';
import { azureBlob } from '../../../src/stores/azure-blob/index.js';
import type { ConnectionSettings } from '../../../src/stores/store.js';
import { startAzurite, type Azurite } from '../../helpers/azurite.js';
import { makeAuthority, type Authority } from '../../helpers/certificates.js';
import { freePort } from '../../helpers/ports.js';
import { scratchFolder } from '../../helpers/processes.js';
import { readAll } from '../conformance/expectations.js';
import { thrownBy } from '../../helpers/thrown-by.js';

const PASSWORD = 'pw-of-the-proxy';
const SECRET = 'client-secret-of-the-principal';
const BLOBS = 'waybilltest.blob.core.windows.net';
const LOGIN = 'login.example';
const PRINCIPAL = { AZURE_TENANT_ID: 'tenant-1', AZURE_CLIENT_ID: 'client-1' };

let dir: string;
let authority: Authority;
let azurite: Azurite;
/** Stands where `login.example` leads. */
let login: NetServer;
let proxy: Server;
/** Asks for a client certificate, and leads to Azurite. */
let strict: NetServer;
/** What was asked: `CONNECT host:port` of the proxy, the bodies of the questions for tokens. */
const asked: string[] = [];
/** Tokens that are given out first, before good ones. */
const tokens: string[] = [];

beforeAll(async () => {
  dir = scratchFolder('azure-network');
  authority = makeAuthority(dir);
  const ofBlobs = authority.issue('blobs', { names: `DNS:${BLOBS},IP:127.0.0.1` });
  azurite = await startAzurite({ certificate: ofBlobs, takesTokens: true });
  await azurite.createContainer('models');
  await azurite.putBlob('models', 'a/file.txt', 'the bytes');
  const ofLogin = authority.issue('login', { names: `DNS:${LOGIN}` });
  const pem = { cert: readFileSync(ofLogin.certFile), key: readFileSync(ofLogin.keyFile) };
  login = createSecureServer(pem, (request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      response.setHeader('content-type', 'application/json');
      if (request.method === 'GET') {
        const base = `https://${LOGIN}/tenant-1`;
        const at = (path: string): string => `${base}/${path}`;
        response.end(
          JSON.stringify({
            issuer: at('v2.0'),
            token_endpoint: at('oauth2/v2.0/token'),
            authorization_endpoint: at('oauth2/v2.0/authorize'),
            jwks_uri: at('keys'),
          }),
        );
        return;
      }
      asked.push(body);
      const said = new URLSearchParams(body);
      if (said.get('client_secret') === SECRET || said.get('client_assertion') === 'federated') {
        const access_token = tokens.shift() ?? tokenOf(3_600);
        response.end(JSON.stringify({ token_type: 'Bearer', expires_in: 3_600, access_token }));
        return;
      }
      response.statusCode = 401;
      const error_description = `AADSTS7000215: Invalid client secret provided: ${said.get('client_secret') ?? ''}.`;
      response.end(JSON.stringify({ error: 'invalid_client', error_description }));
    });
  });
  proxy = createPlainServer();
  proxy.on('connect', (request, socket) => {
    asked.push(`CONNECT ${request.url ?? ''}`);
    const basic = Buffer.from(`ada:${PASSWORD}`).toString('base64');
    if (request.headers['proxy-authorization'] !== `Basic ${basic}`) {
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
      return;
    }
    const port = request.url === `${BLOBS}:443` ? azurite.port : portOf(login);
    const onward = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      socket.pipe(onward).pipe(socket);
    });
    for (const end of [socket, onward]) end.on('error', () => socket.destroy());
  });
  const plain = await startAzurite();
  await plain.createContainer('models');
  await plain.putBlob('models', 'a/file.txt', 'the bytes');
  const ofStrict = authority.issue('strict');
  strict = createTlsServer(
    {
      cert: readFileSync(ofStrict.certFile),
      key: readFileSync(ofStrict.keyFile),
      ca: readFileSync(authority.certFile),
      requestCert: true,
      rejectUnauthorized: false,
    },
    (client) => {
      if (!client.authorized) {
        const page = '<html><center>No required SSL certificate was sent</center></html>';
        // As nginx does.
        client.end(
          `HTTP/1.1 400 Bad Request\r\nContent-Length: ${page.length}\r\nConnection: close\r\n\r\n${page}`,
        );
        return;
      }
      const upstream = connect(plain.port, '127.0.0.1');
      client.pipe(upstream).pipe(client);
      for (const socket of [client, upstream]) socket.on('error', () => client.destroy());
    },
  );
  strict.on('tlsClientError', () => undefined);
  strict.on('close', () => void plain.stop());
  for (const server of [login, proxy, strict]) {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  }
}, 300_000);

afterEach(() => {
  asked.splice(0);
  tokens.splice(0);
});

afterAll(async () => {
  await azurite.stop();
  for (const server of [login, proxy, strict]) server.close();
  rmSync(dir, { recursive: true, force: true });
});

const portOf = (server: NetServer): number => (server.address() as AddressInfo).port;

/** A token as Azurite looks at it: by its claims. */
function tokenOf(seconds: number): string {
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    aud: 'https://storage.azure.com',
    iss: 'https://sts.windows.net/tenant-1/',
    iat: now - 7_200,
    nbf: now - 7_200,
    exp: now + seconds,
  };
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'RS256', typ: 'JWT' })}.${part(claims)}.bm9ib2R5IGxvb2tz`;
}

const through = (password = PASSWORD): { settings: ConnectionSettings; HTTPS_PROXY: string } => ({
  settings: {
    HTTPS_PROXY: `http://127.0.0.1:${portOf(proxy)}`,
    SSL_CERT_FILE: authority.certFile,
    AZURE_AUTHORITY_HOST: `https://${LOGIN}`,
  },
  HTTPS_PROXY: `http://ada:${password}@127.0.0.1:${portOf(proxy)}`,
});

/** The bytes of the file. */
async function read(
  settings: ConnectionSettings,
  secrets: Readonly<Record<string, string>>,
  uri = `wasbs://models@${BLOBS}/a`,
): Promise<string> {
  const store = await azureBlob.open({ uri, settings, secrets });
  try {
    return (await readAll(store, 'file.txt')).toString();
  } finally {
    await store.close();
  }
}

async function errorOf(promise: Promise<unknown>): Promise<WaybillError> {
  const error = await thrownBy(promise);
  for (const secret of [azurite.key, PASSWORD, SECRET, 'a-wrong-secret']) {
    expect(error.message).not.toContain(secret);
  }
  return error;
}

describe("Azure's own names, through a proxy with a password", () => {
  it.each(['blob', 'dfs'])('with an authority of its own, at the %s service', async (service) => {
    const { settings, HTTPS_PROXY } = through();
    const secrets = { AZURE_STORAGE_KEY: azurite.key, HTTPS_PROXY };
    const uri = `abfss://models@${BLOBS.replace('blob', service)}/a`;
    expect(await read(settings, secrets, uri)).toBe('the bytes');
    expect(asked).toEqual([`CONNECT ${BLOBS}:443`]);
  });

  it('a wrong password is the proxy’s to say', async () => {
    const { settings, HTTPS_PROXY } = through('wrong');
    const secrets = { AZURE_STORAGE_KEY: azurite.key, HTTPS_PROXY };
    const error = await errorOf(read(settings, secrets));
    expect(error.code).toBe('WB_CONFIG_INVALID');
    expect(error.message).toContain('HTTPS_PROXY');
  });

  it('an authority that nobody vouches for is not trusted, and no retry mends that', async () => {
    const { settings, HTTPS_PROXY } = through();
    const error = await errorOf(
      read({ ...settings, SSL_CERT_FILE: '' }, { AZURE_STORAGE_KEY: azurite.key, HTTPS_PROXY }),
    );
    expect(error).toMatchObject({ code: 'WB_UNAVAILABLE', retryable: false });
    expect(error.message).toContain('SSL_CERT_FILE');
  });
});

describe('NO_PROXY', () => {
  it('leads past a proxy to what it names, and to nothing else', async () => {
    const secrets = { AZURE_STORAGE_KEY: azurite.key };
    const settings = {
      AZURE_STORAGE_ACCOUNT: 'waybilltest',
      AZURE_STORAGE_SERVICE_ENDPOINT: `https://127.0.0.1:${azurite.port}/waybilltest`,
      SSL_CERT_FILE: authority.certFile,
      HTTPS_PROXY: 'http://127.0.0.1:1',
    };
    const error = await errorOf(read(settings, secrets, 'az://models/a'));
    expect(error).toMatchObject({ code: 'WB_UNAVAILABLE', retryable: true });
    expect(error.message).toContain('(HTTPS_PROXY)');
    const past = { ...settings, NO_PROXY: '127.0.0.1' };
    expect(await read(past, secrets, 'az://models/a')).toBe('the bytes');
    const { settings: company, HTTPS_PROXY } = through();
    const others = { ...company, NO_PROXY: '127.0.0.1,.internal' };
    expect(await read(others, { ...secrets, HTTPS_PROXY })).toBe('the bytes');
    expect(asked).toEqual([`CONNECT ${BLOBS}:443`]);
  });
});

describe('a service that asks for a client certificate', () => {
  it('gets it, and refuses whoever has none', async () => {
    const settings = {
      AZURE_STORAGE_ACCOUNT: 'waybilltest',
      AZURE_STORAGE_SERVICE_ENDPOINT: `https://127.0.0.1:${portOf(strict)}`,
      SSL_CERT_FILE: authority.certFile,
    };
    const secrets = { AZURE_STORAGE_KEY: azurite.key };
    const own = authority.issue('ada');
    const withOwn = {
      WAYBILL_CLIENT_CERT_FILE: own.certFile,
      WAYBILL_CLIENT_KEY_FILE: own.keyFile,
    };
    expect(await read({ ...settings, ...withOwn }, secrets, 'az://models/a')).toBe('the bytes');
    const error = await errorOf(read(settings, secrets, 'az://models/a'));
    expect(error.message).toContain('WAYBILL_CLIENT_CERT_FILE');
  });
});

describe('a token of Microsoft Entra', () => {
  it('of a service principal is asked for through the same proxy, once for many files', async () => {
    const { settings, HTTPS_PROXY } = through();
    const store = await azureBlob.open({
      uri: `wasbs://models@${BLOBS}/a`,
      settings: { ...settings, ...PRINCIPAL },
      secrets: { AZURE_CLIENT_SECRET: SECRET, HTTPS_PROXY },
    });
    const reads = Array.from({ length: 4 }, () => readAll(store, 'file.txt'));
    for (const bytes of await Promise.all(reads)) expect(bytes.toString()).toBe('the bytes');
    await store.close();
    expect(asked).toContain(`CONNECT ${LOGIN}:443`);
    const questions = asked.filter((one) => one.includes('client_id=client-1'));
    expect(questions).toHaveLength(1);
    expect(questions[0]).toContain(encodeURIComponent('https://storage.azure.com/.default'));
  });

  it('of a workload comes from its token file', async () => {
    const { settings, HTTPS_PROXY } = through();
    const file = join(dir, 'federated');
    writeFileSync(file, 'federated');
    const workload = { ...PRINCIPAL, AZURE_FEDERATED_TOKEN_FILE: file };
    expect(await read({ ...settings, ...workload }, { HTTPS_PROXY })).toBe('the bytes');
    expect(asked.some((one) => one.includes('client_assertion=federated'))).toBe(true);
  });

  it('that has ended early is replaced once', async () => {
    const { settings, HTTPS_PROXY } = through();
    tokens.push(tokenOf(-3_600));
    const secrets = { AZURE_CLIENT_SECRET: SECRET, HTTPS_PROXY };
    expect(await read({ ...settings, ...PRINCIPAL }, secrets)).toBe('the bytes');
    expect(asked.filter((one) => one.includes('client_id=client-1'))).toHaveLength(2);
  });

  it('that a wrong secret does not get is a sign-in that lacks, in the words of the authority', async () => {
    const { settings, HTTPS_PROXY } = through();
    const secrets = { AZURE_CLIENT_SECRET: 'a-wrong-secret', HTTPS_PROXY };
    const error = await errorOf(read({ ...settings, ...PRINCIPAL }, secrets));
    expect(error).toMatchObject({ code: 'WB_UNAUTHENTICATED', scope: 'source', exitCode: 5 });
    expect(error.message).toContain('AADSTS7000215');
    expect(error.message).toContain('az login');
  });

  it('that nobody gives out, for nobody answers, is no matter of credentials', async () => {
    const { settings } = through();
    const port = await freePort();
    const direct = {
      ...settings,
      HTTPS_PROXY: '',
      AZURE_AUTHORITY_HOST: `https://127.0.0.1:${port}`,
    };
    const error = await errorOf(read({ ...direct, ...PRINCIPAL }, { AZURE_CLIENT_SECRET: SECRET }));
    expect(error).toMatchObject({ code: 'WB_UNAVAILABLE', retryable: true, scope: 'source' });
    expect(error.message).toContain(String(port));
  });

  it('is not sent where anybody could read it', async () => {
    const plain = {
      AZURE_STORAGE_ACCOUNT: 'waybilltest',
      AZURE_STORAGE_SERVICE_ENDPOINT: 'http://127.0.0.1:9',
    };
    const error = await errorOf(
      read({ ...plain, ...PRINCIPAL }, { AZURE_CLIENT_SECRET: SECRET }, 'az://models'),
    );
    expect(error.code).toBe('WB_CONFIG_INVALID');
    expect(error.message).toContain('use https');
    expect(asked).toEqual([]);
  });

  it('that nobody is signed in for says every way to sign in', async () => {
    const { settings, HTTPS_PROXY } = through();
    const error = await errorOf(read(settings, { HTTPS_PROXY }));
    expect(error).toMatchObject({ code: 'WB_UNAUTHENTICATED', scope: 'source' });
    for (const way of ['AZURE_STORAGE_CONNECTION_STRING', 'az login', 'AZURE_STORAGE_ANON=true']) {
      expect(error.message).toContain(way);
    }
  }, 120_000);
});
