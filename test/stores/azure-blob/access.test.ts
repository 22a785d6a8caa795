/** Who may read what, and what is said to whoever may not, by a real Azurite. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { WaybillError } from '../../../src/model/errors.js';
import { azureBlob } from '../../../src/stores/azure-blob/index.js';
import type { ConnectionSettings, Store } from '../../../src/stores/store.js';
import { startAzurite, type Azurite } from '../../helpers/azurite.js';
import { listAll, readAll } from '../conformance/expectations.js';
import { openAzure, WRONG_KEY } from './testbed.js';
import { thrownBy } from '../../helpers/thrown-by.js';

type Secrets = Readonly<Record<string, string>>;

let azurite: Azurite;
const open: Store[] = [];
const servers: Server[] = [];

beforeAll(async () => {
  azurite = await startAzurite();
  await azurite.createContainer('private');
  await azurite.createContainer('public', { isPublic: true });
  for (const container of ['private', 'public']) {
    await azurite.putBlob(container, 'a/file.txt', 'the bytes');
  }
}, 300_000);

afterEach(async () => {
  await Promise.all(open.splice(0).map((store) => store.close()));
  for (const server of servers.splice(0)) server.close();
});

afterAll(() => azurite.stop());

async function opened(
  uri: string,
  secrets?: Secrets,
  settings: ConnectionSettings = {},
): Promise<Store> {
  const store = await openAzure(azurite, uri, { settings, ...(secrets ? { secrets } : {}) });
  open.push(store);
  return store;
}

async function errorOf(promise: Promise<unknown>, secrets: Secrets = {}): Promise<WaybillError> {
  const error = await thrownBy(promise);
  for (const secret of [azurite.key, WRONG_KEY, ...Object.values(secrets)]) {
    expect(`${error.message} ${error.stack ?? ''}`).not.toContain(secret);
  }
  return error;
}

const wasbs = (container: string, rest = ''): string =>
  `wasbs://${container}@${azurite.account}.blob.core.windows.net${rest}`;

describe('every way to say who asks reads the file', () => {
  const ways: readonly (readonly [string, () => Secrets, ConnectionSettings?, string?])[] = [
    ['a connection string', () => ({ AZURE_STORAGE_CONNECTION_STRING: azurite.connectionString })],
    [
      'a connection string with a signature',
      () => ({
        AZURE_STORAGE_CONNECTION_STRING: `BlobEndpoint=${azurite.endpoint};SharedAccessSignature=${azurite.sas()}`,
      }),
    ],
    ["MLflow's key", () => ({ AZURE_STORAGE_ACCESS_KEY: azurite.key })],
    ["the az command line's key", () => ({ AZURE_STORAGE_KEY: azurite.key })],
    ["fsspec's key", () => ({ AZURE_STORAGE_ACCOUNT_KEY: azurite.key })],
    ['a signature', () => ({ AZURE_STORAGE_SAS_TOKEN: `?${azurite.sas({ permissions: 'rl' })}` })],
    ['a signature in the address', () => ({ query: azurite.sas({ permissions: 'rl' }) })],
    ['nobody, of a public container', () => ({}), { AZURE_STORAGE_ANON: 'true' }, 'public'],
  ];
  it.each(ways)('%s', async (_, secrets, settings = {}, container = 'private') => {
    const uris = [
      `az://${container}`,
      wasbs(container),
      `${wasbs(container, '/')}?ss=b&srt=sco&spr=https`,
    ];
    for (const uri of uris) {
      const store = await opened(uri, secrets(), settings);
      expect((await listAll(store, '', true)).map(({ path }) => path)).toEqual(['a/file.txt']);
      expect((await readAll(store, 'a/file.txt')).toString()).toBe('the bytes');
    }
  });

  it('the account comes from the connection string where nothing else names one', async () => {
    const store = await azureBlob.open({
      uri: 'az://private/a/file.txt',
      settings: {},
      secrets: { AZURE_STORAGE_CONNECTION_STRING: azurite.connectionString },
    });
    open.push(store);
    expect((await readAll(store, '')).toString()).toBe('the bytes');
  });
});

describe('refusals', () => {
  it.each([
    ['AZURE_STORAGE_KEY', () => ({ AZURE_STORAGE_KEY: WRONG_KEY })],
    [
      'AZURE_STORAGE_CONNECTION_STRING',
      () => ({
        AZURE_STORAGE_CONNECTION_STRING: azurite.connectionString.replace(azurite.key, WRONG_KEY),
      }),
    ],
    [
      'AZURE_STORAGE_SAS_TOKEN',
      () => ({
        AZURE_STORAGE_SAS_TOKEN: azurite
          .sas()
          .replace(/sig=[^&]*/, 'sig=bm90IHRoZSBzaWduYXR1cmU%3D'),
      }),
    ],
    ['the signature in the address', () => ({ query: azurite.sas({ hours: -1 }) })],
  ])('what %s holds is no key or signature of the account, and is named', async (name, secrets) => {
    const given = secrets();
    const store = await opened('az://private', given);
    for (const call of [
      () => store.stat('a/file.txt'),
      () => store.openRead('a/file.txt'),
      () => listAll(store, '', true),
    ]) {
      const error = await errorOf(call(), given);
      expect(error).toMatchObject({ code: 'WB_UNAUTHENTICATED', scope: 'source', exitCode: 5 });
      expect(error.message).toContain(`does not accept ${name}`);
    }
  });

  it('a signature that may not list says what it needs, and reads all the same', async () => {
    const secrets = { AZURE_STORAGE_SAS_TOKEN: azurite.sas({ permissions: 'r' }) };
    const store = await opened('az://private', secrets);
    expect((await readAll(store, 'a/file.txt')).toString()).toBe('the bytes');
    const error = await errorOf(listAll(store, '', true), secrets);
    expect(error).toMatchObject({ code: 'WB_PERMISSION_DENIED', scope: 'source', exitCode: 5 });
    expect(error.message).toMatch(/denies listing with AZURE_STORAGE_SAS_TOKEN.*sp=rl/);
  });

  it('a private container wants a sign-in of nobody', async () => {
    const store = await opened('az://private', {}, { AZURE_STORAGE_ANON: 'true' });
    for (const call of [() => store.stat('a/file.txt'), () => listAll(store, '', true)]) {
      const error = await errorOf(call());
      expect(error).toMatchObject({ code: 'WB_UNAUTHENTICATED', scope: 'source' });
      expect(error.message).toContain('AZURE_STORAGE_KEY');
    }
  });

  it('a container that does not exist is named, and is about the whole source', async () => {
    const store = await opened(wasbs('no-such', '/below'));
    for (const call of [
      () => store.stat(''),
      () => listAll(store, '', true),
      () => store.openRead('file'),
    ]) {
      const error = await errorOf(call());
      expect(error).toMatchObject({ code: 'WB_NOT_FOUND', scope: 'source', retryable: false });
      expect(error.message).toContain(wasbs('no-such', '/below'));
    }
  });

  it('an account that the service does not have is said to be none', async () => {
    const store = await azureBlob.open({
      uri: 'az://private',
      settings: {
        AZURE_STORAGE_ACCOUNT: 'nosuchaccount',
        AZURE_STORAGE_SERVICE_ENDPOINT: `http://127.0.0.1:${azurite.port}`,
      },
      secrets: { AZURE_STORAGE_KEY: azurite.key },
    });
    open.push(store);
    const error = await errorOf(store.stat(''));
    expect(error).toMatchObject({ code: 'WB_NOT_FOUND', scope: 'source' });
    expect(error.message).toContain('check the names of the account and the container');
  });

  it('what is set for another account is passed over, and said', async () => {
    const other = azurite.connectionString.replaceAll(azurite.account, 'another');
    const secrets = { AZURE_STORAGE_CONNECTION_STRING: other };
    const store = await opened(wasbs('private'), { ...secrets, AZURE_STORAGE_KEY: azurite.key });
    expect(await listAll(store, '', true)).toHaveLength(1);
    const wrong = await opened(wasbs('private'), { ...secrets, AZURE_STORAGE_KEY: WRONG_KEY });
    const error = await errorOf(wrong.stat(''), secrets);
    expect(error.message).toContain('does not accept AZURE_STORAGE_KEY');
    expect(error.message).toContain('AZURE_STORAGE_CONNECTION_STRING is for the account another');
  });
});

describe('a setting that cannot be right', () => {
  it.each([
    ['az://private', {}, {}, 'WB_CONFIG_INVALID', 'set AZURE_STORAGE_ACCOUNT'],
    ['az://', {}, {}, 'WB_USAGE', 'write wasbs://container@account'],
    ['az://Not_A_Container', {}, {}, 'WB_USAGE', 'not the name of a container'],
    ['wasbs://c12@evil.example/x', {}, {}, 'WB_USAGE', 'evil.example is no host of Azure Storage'],
    [
      'wasbs://c12@a12.blob.core.windows.net.evil.example/x',
      {},
      {},
      'WB_USAGE',
      'no host of Azure',
    ],
    [
      'wasbs://c12@acc.blob.core.windows.net',
      { AZURE_STORAGE_KEY: 'not base64!' },
      {},
      'WB_CONFIG_INVALID',
      'AZURE_STORAGE_KEY holds no account key',
    ],
    [
      'wasbs://c12@acc.blob.core.windows.net',
      { AZURE_STORAGE_SAS_TOKEN: 'sv=2020' },
      {},
      'WB_CONFIG_INVALID',
      'AZURE_STORAGE_SAS_TOKEN holds no shared access signature',
    ],
    [
      'wasbs://c12@acc.blob.core.windows.net',
      { AZURE_STORAGE_CONNECTION_STRING: 'hunter22' },
      {},
      'WB_CONFIG_INVALID',
      'AZURE_STORAGE_CONNECTION_STRING is no connection string',
    ],
    [
      'wasbs://c12@acc.blob.core.windows.net',
      {},
      { AZURE_STORAGE_SERVICE_ENDPOINT: 'ftp://x' },
      'WB_CONFIG_INVALID',
      'AZURE_STORAGE_SERVICE_ENDPOINT does not hold the address',
    ],
  ] as const)('%s with %j %j is %s', async (uri, secrets, settings, code, words) => {
    const error = await errorOf(azureBlob.open({ uri, settings, secrets }), secrets);
    expect(error.code).toBe(code);
    expect(error.message).toContain(words);
  });

  it('the emulator of every machine is known by its short connection string', async () => {
    const secrets = { AZURE_STORAGE_CONNECTION_STRING: 'UseDevelopmentStorage=true' };
    const store = await azureBlob.open({ uri: 'az://models/churn', settings: {}, secrets });
    expect(store.root).toBe('az://models/churn');
    await store.close();
  });
});

/** A service that answers as Azure does where Azurite cannot: before a real Azurite, or in its place. */
async function inFront(
  answer: (request: IncomingMessage, response: ServerResponse) => boolean,
): Promise<ConnectionSettings> {
  const server = createServer((request, response) => {
    if (answer(request, response)) return;
    const { method = 'GET', headers } = request;
    void fetch(`http://127.0.0.1:${azurite.port}${request.url ?? ''}`, {
      method,
      headers: Object.entries(headers).flatMap(([name, value]): [string, string][] =>
        name === 'connection' || typeof value !== 'string' ? [] : [[name, value]],
      ),
    }).then(async (from) => {
      response.writeHead(from.status, Object.fromEntries(from.headers));
      response.end(Buffer.from(await from.arrayBuffer()));
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { AZURE_STORAGE_SERVICE_ENDPOINT: `http://127.0.0.1:${port}/${azurite.account}` };
}

function refuse(response: ServerResponse, status: number, code: string, more = ''): true {
  response.writeHead(status, {
    'x-ms-error-code': code,
    'x-ms-request-id': '1',
    'x-ms-version': '2021-12-02',
    'content-type': 'application/xml',
  });
  response.end(
    `<?xml version="1.0" encoding="utf-8"?><Error><Code>${code}</Code><Message>The service says ${code}.\nRequestId:1\nTime:2026-01-01</Message>${more}</Error>`,
  );
  return true;
}

describe('what Azurite cannot say', () => {
  it.each([
    [409, 'BlobArchived', 'WB_PERMISSION_DENIED', false, 'archive tier'],
    [409, 'BlobBeingRehydrated', 'WB_PERMISSION_DENIED', false, 'archive tier'],
    [503, 'ServerBusy', 'WB_RATE_LIMITED', true, 'fewer requests'],
    [500, 'OperationTimedOut', 'WB_TIMEOUT', true, 'gave up'],
    [500, 'InternalError', 'WB_UNAVAILABLE', true, 'failed'],
    [403, 'AccountIsDisabled', 'WB_PERMISSION_DENIED', false, 'disabled'],
    [403, 'KeyBasedAuthenticationNotPermitted', 'WB_PERMISSION_DENIED', false, 'az login'],
    [403, 'AuthorizationFailure', 'WB_PERMISSION_DENIED', false, 'firewall'],
    [409, 'PublicAccessNotPermitted', 'WB_UNAUTHENTICATED', true, 'AZURE_STORAGE_KEY'],
    [404, 'ContainerBeingDeleted', 'WB_NOT_FOUND', false, 'deleting'],
    [412, 'ConditionNotMet', 'WB_SOURCE_CHANGED', false, 'another version'],
  ] as const)('%i %s is %s', async (status, azureCode, code, retryable, words) => {
    const settings = await inFront((_, response) => refuse(response, status, azureCode));
    const store = await opened('az://private', undefined, settings);
    for (const call of [() => store.stat('a/file.txt'), () => store.openRead('a/file.txt')]) {
      const error = await errorOf(call());
      expect(error).toMatchObject({ code, retryable });
      expect(error.message).toContain(words);
      expect(error.message).toContain(azureCode);
      expect(error.message).not.toContain('RequestId');
    }
  });

  it('a clock that is wrong by an hour is corrected once, by the service', async () => {
    const aheadMs = 3_600_000;
    let refused = 0;
    const settings = await inFront((request, response) => {
      const sentMs = Date.parse(String(request.headers['x-ms-date']));
      if (Math.abs(sentMs - Date.now() - aheadMs) < 900_000) return false;
      refused += 1;
      response.setHeader('date', new Date(Date.now() + aheadMs).toUTCString());
      return refuse(response, 403, 'AuthenticationFailed');
    });
    const store = await opened('az://private', undefined, settings);
    expect((await readAll(store, 'a/file.txt')).toString()).toBe('the bytes');
    expect(await listAll(store, '', true)).toHaveLength(1);
    expect(refused).toBe(1);
  });

  it('a signature that the service repeats is not repeated', async () => {
    let sent = '';
    const settings = await inFront((request, response) => {
      sent = String(request.headers['authorization']).split(':')[1] ?? '';
      const detail = `<AuthenticationErrorDetail>The MAC signature found in the HTTP request '${sent}' is not the same as any computed signature. Server used following string to sign: 'GET'.</AuthenticationErrorDetail>`;
      return refuse(response, 403, 'AuthenticationFailed', detail);
    });
    const store = await opened('az://private', undefined, settings);
    const error = await errorOf(store.openRead('a/file.txt'));
    expect(sent).toMatch(/^[A-Za-z0-9+/]{43}=$/);
    expect(error.message).toContain('MAC signature');
    expect(error.message).not.toContain(sent);
    expect(error.message).not.toContain('string to sign');
  });

  it('a page of another server is no blob and no listing', async () => {
    const settings = await inFront((_, response) => {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html>welcome</html>');
      return true;
    });
    const store = await opened('az://private', undefined, settings);
    for (const call of [
      () => store.stat('a/file.txt'),
      () => store.openRead('a/file.txt'),
      () => listAll(store, '', true),
    ]) {
      expect(await errorOf(call())).toMatchObject({ code: 'WB_CONFIG_INVALID', retryable: false });
    }
  });

  it('a redirect is not followed: the credentials are for this service', async () => {
    let asked = 0;
    const elsewhere = await inFront((_, response) => {
      asked += 1;
      response.end('stolen');
      return true;
    });
    const settings = await inFront((_, response) => {
      const location = `${elsewhere['AZURE_STORAGE_SERVICE_ENDPOINT'] ?? ''}/x`;
      response.writeHead(302, { location }).end();
      return true;
    });
    const store = await opened('az://private', undefined, settings);
    await errorOf(store.openRead('a/file.txt'));
    expect(asked).toBe(0);
  });
});
