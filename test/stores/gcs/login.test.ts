/** Who asks: every way to a token, taken by google-auth-library at a token service of the test's own. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { generateKeyPairSync } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { gcpMetadata } from 'google-auth-library';
import type { WaybillError } from '../../../src/model/errors.js';
import type { ConnectionSettings, Store } from '../../../src/stores/store.js';
import { startFakeGcs, type FakeGcs } from '../../helpers/fake-gcs.js';
import { freePort } from '../../helpers/ports.js';
import { scratchFolder } from '../../helpers/processes.js';
import { listAll, readAll } from '../conformance/expectations.js';
import { startGate, type Gate } from './gate.js';
import { openGcs } from './testbed.js';
import type { OpenGcsOptions } from './testbed.js';
import {
  keyFile,
  PRIVATE_KEY,
  REFRESH_TOKEN,
  startTokenService,
  SUBJECT_TOKEN,
  type TokenService,
} from './token-service.js';
import { thrownBy } from '../../helpers/thrown-by.js';

/** The service's own address, so that tokens are sent. */
const ENDPOINT = 'CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE';
const JWT = 'POST /token jwt-bearer';

let dir: string;
let google: FakeGcs;
let gate: Gate;
let tokens: TokenService;
const open: Store[] = [];

beforeAll(async () => {
  dir = scratchFolder('gcs-login');
  google = await startFakeGcs();
  await google.createBucket('models');
  await google.putObject('models', 'a/file.txt', 'the bytes');
  gate = await startGate(google.port);
  // No machine at Google, whatever this runs on.
  process.env['METADATA_SERVER_DETECTION'] = 'none';
}, 300_000);

beforeEach(async () => {
  tokens = await startTokenService(gate.tokens);
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((store) => store.close()));
  await tokens.stop();
  gate.tokens.clear();
  gate.strangers.clear();
  gate.asked.splice(0);
  gate.payers.splice(0);
});

afterAll(async () => {
  delete process.env['METADATA_SERVER_DETECTION'];
  await gate.stop();
  await google.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** A store before the gate, with no login but what is given. */
async function opened({ settings, secrets = {} }: OpenGcsOptions = {}): Promise<Store> {
  const none = { [ENDPOINT]: gate.url, CLOUDSDK_CONFIG: join(dir, 'nothing') };
  const store = await openGcs('gs://models/a', { settings: { ...none, ...settings }, secrets });
  open.push(store);
  return store;
}

const read = async (store: Store): Promise<string> => (await readAll(store, 'file.txt')).toString();

async function errorOf(promise: Promise<unknown>): Promise<WaybillError> {
  const error = await thrownBy(promise);
  const text = `${error.message} ${error.stack ?? ''} ${String(error.cause)}`;
  for (const secret of ['ya29.', PRIVATE_KEY.slice(60, 120), REFRESH_TOKEN, SUBJECT_TOKEN]) {
    expect(text).not.toContain(secret);
  }
  expect(error).toMatchObject({ store: 'gcs' });
  return error;
}

function writeLogin(name: string, login: object): ConnectionSettings {
  const file = join(dir, name);
  writeFileSync(file, JSON.stringify(login));
  return { GOOGLE_APPLICATION_CREDENTIALS: file };
}

const account = (): ConnectionSettings =>
  writeLogin('account.json', keyFile(`${tokens.url}/token`));

describe('a token', () => {
  it.each([
    ['CLOUDSDK_AUTH_ACCESS_TOKEN', {}, ''],
    ['GOOGLE_OAUTH_ACCESS_TOKEN', { GOOGLE_CLOUD_QUOTA_PROJECT: 'who-pays' }, 'who-pays'],
  ])('is taken from %s, with the project that pays, if any', async (name, settings, payer) => {
    gate.tokens.add('ya29.given');
    const store = await opened({ settings, secrets: { [name]: 'ya29.given' } });
    expect(await read(store)).toBe('the bytes');
    expect(gate.asked).toEqual(['Bearer ya29.given']);
    expect(gate.payers).toEqual([payer]);
  });

  it('that the service does not know is named by its variable, with what to do', async () => {
    const secrets = { CLOUDSDK_AUTH_ACCESS_TOKEN: 'ya29.old' };
    const store = await opened({ secrets });
    for (const call of [
      () => read(store),
      () => store.stat('file.txt'),
      () => listAll(store, '', true),
    ]) {
      const error = await errorOf(call());
      expect(error).toMatchObject({ code: 'WB_UNAUTHENTICATED', scope: 'source' });
      expect(error.message).toMatch(
        /does not accept the token of CLOUDSDK_AUTH_ACCESS_TOKEN: set CLOUDSDK_AUTH_ACCESS_TOKEN anew/,
      );
    }
  });
});

describe('the key file of a service account', () => {
  it('gets a token where it says, once for many requests, and sends no key to the bucket', async () => {
    const store = await opened({ settings: account() });
    await Promise.all([read(store), read(store), store.stat('file.txt')]);
    await listAll(store, '', true);
    expect(tokens.asked).toEqual([JWT]);
    expect(new Set(gate.asked)).toEqual(new Set(['Bearer ya29.token-1']));
  });

  it('may come as the content of GOOGLE_CREDENTIALS', async () => {
    const text = JSON.stringify(keyFile(`${tokens.url}/token`));
    expect(await read(await opened({ secrets: { GOOGLE_CREDENTIALS: text } }))).toBe('the bytes');
  });

  it('is asked again before its token ends', async () => {
    tokens.secondsLeft = 60;
    const store = await opened({ settings: account() });
    await read(store);
    tokens.secondsLeft = 3_600;
    await read(store);
    await read(store);
    expect(tokens.asked).toEqual([JWT, JWT]);
    expect(gate.asked).toEqual([1, 2, 2].map((token) => `Bearer ya29.token-${token}`));
  });

  it('goes on with a token that still holds while nobody gives another', async () => {
    tokens.secondsLeft = 60;
    const store = await opened({ settings: account() });
    await read(store);
    tokens.failsWith = 503;
    expect(await read(store)).toBe('the bytes');
  });

  it('gets another token at once where the service has forgotten the first', async () => {
    const store = await opened({ settings: account() });
    await read(store);
    gate.tokens.clear();
    expect(await read(store)).toBe('the bytes');
    expect(tokens.given).toHaveLength(2);
  });

  it('is read again after a refusal: a new key counts without a restart', async () => {
    const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    const pem = String(other.export({ type: 'pkcs8', format: 'pem' }));
    const settings = writeLogin('renewed.json', keyFile(`${tokens.url}/token`, pem));
    const store = await opened({ settings });
    const error = await errorOf(read(store));
    expect(error).toMatchObject({ code: 'WB_UNAUTHENTICATED', scope: 'source', retryable: true });
    expect(error.message).toMatch(
      /renewed\.json \(GOOGLE_APPLICATION_CREDENTIALS\) gives no token \(invalid_grant: Invalid JWT Signature\): make a new key/,
    );
    expect(error.message).not.toContain(pem.slice(60, 120));
    writeLogin('renewed.json', keyFile(`${tokens.url}/token`));
    expect(await read(store)).toBe('the bytes');
  });

  it('of somebody who may not read is told apart from an unknown one', async () => {
    const store = await opened({ settings: account() });
    gate.strangers.add('ya29.token-1');
    const file = await errorOf(read(store));
    expect(file).toMatchObject({ code: 'WB_PERMISSION_DENIED', scope: 'file' });
    expect(file.message).toMatch(
      /account\.json \(GOOGLE_APPLICATION_CREDENTIALS\) the reading: ask for storage\.objects\.get/,
    );
    const listing = await errorOf(listAll(store, '', true));
    expect(listing).toMatchObject({ code: 'WB_PERMISSION_DENIED', scope: 'source' });
    expect(listing.message).toContain('storage.objects.list');
  });

  it.each([
    [
      'that is not there',
      undefined,
      /absent\.json \(GOOGLE_APPLICATION_CREDENTIALS\) cannot be read \(ENOENT\)/,
    ],
    ['that is no JSON', 'private words', /is no JSON/],
    ['that is of another kind', '{"type":"private words"}', /is no credentials file of Google/],
    ['without a key', '{"type":"service_account"}', /gives no token/],
  ])('%s is named, and nothing of it is shown', async (_, text, said) => {
    const file = join(dir, text === undefined ? 'absent.json' : 'odd.json');
    if (text !== undefined) writeFileSync(file, text);
    const store = await opened({ settings: { GOOGLE_APPLICATION_CREDENTIALS: file } });
    const error = await errorOf(read(store));
    expect(error.code).toBe('WB_UNAUTHENTICATED');
    expect(error.message).toMatch(said);
    expect(error.message).not.toContain('private words');
  });

  it('sends no signature to an address that is not encrypted', async () => {
    const settings = writeLogin('plain.json', keyFile('http://tokens.example/token'));
    expect((await errorOf(read(await opened({ settings })))).message).toContain('token_uri');
  });
});

describe('whoever gives tokens', () => {
  it.each([
    [503, 'WB_UNAVAILABLE'],
    [429, 'WB_RATE_LIMITED'],
  ])('and answers %i is told as it is, after one request', async (status, code) => {
    const store = await opened({ settings: account() });
    tokens.failsWith = status;
    expect(await errorOf(read(store))).toMatchObject({ code, retryable: true });
    // The library would try a POST three more times.
    expect(tokens.asked).toEqual([JWT]);
  });

  it('and is down is told as that, not as a wrong key', async () => {
    const gone = `http://127.0.0.1:${await freePort()}/token`;
    const store = await opened({ settings: writeLogin('gone.json', keyFile(gone)) });
    const error = await errorOf(read(store));
    expect(error).toMatchObject({ code: 'WB_UNAVAILABLE', retryable: true });
    expect(error.message).toContain('refuses connections');
  });
});

describe('other logins', () => {
  it('workload identity: the token of the cluster is exchanged', async () => {
    writeFileSync(join(dir, 'subject'), SUBJECT_TOKEN);
    const settings = writeLogin('workload.json', {
      type: 'external_account',
      audience:
        '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q',
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      token_url: `${tokens.url}/v1/token`,
      credential_source: { file: join(dir, 'subject') },
    });
    expect(await read(await opened({ settings }))).toBe('the bytes');
    expect(tokens.asked).toEqual(['POST /v1/token token-exchange']);
  });

  it('the metadata server of a machine at Google, where nothing else is there', async () => {
    process.env['METADATA_SERVER_DETECTION'] = 'assume-present';
    process.env['GCE_METADATA_HOST'] = tokens.url;
    try {
      expect(await read(await opened())).toBe('the bytes');
      expect(tokens.asked).toEqual([
        'GET /computeMetadata/v1/instance/service-accounts/default/token',
      ]);
    } finally {
      process.env['METADATA_SERVER_DETECTION'] = 'none';
      delete process.env['GCE_METADATA_HOST'];
      gcpMetadata.resetIsAvailableCache();
    }
  });

  it('nobody: a bucket that is not public says where a login was looked for', async () => {
    const store = await opened();
    const error = await errorOf(read(store));
    expect(error.code).toBe('WB_UNAUTHENTICATED');
    expect(error.message).toMatch(
      /denies access without a sign-in: .*GOOGLE_APPLICATION_CREDENTIALS is not set, there is no .*nothing\/application_default_credentials\.json/,
    );
    expect(error.message).toContain('gcloud auth application-default login');
    // Signed in meanwhile: the same store finds it.
    mkdirSync(join(dir, 'nothing'), { recursive: true });
    const login = join(dir, 'nothing', 'application_default_credentials.json');
    writeFileSync(login, JSON.stringify(keyFile(`${tokens.url}/token`)));
    expect(await read(store)).toBe('the bytes');
    rmSync(join(dir, 'nothing'), { recursive: true });
  });

  it.each(['GS_NO_SIGN_REQUEST', 'CLOUDSDK_AUTH_DISABLE_CREDENTIALS'])(
    'nobody, where %s says so: no file is looked at',
    async (name) => {
      const store = await opened({ settings: { ...account(), [name]: 'true' } });
      const error = await errorOf(read(store));
      expect(error.code).toBe('WB_UNAUTHENTICATED');
      expect(error.message).toContain(`unset ${name}`);
      expect(gate.asked).toEqual(['']);
      expect(tokens.asked).toEqual([]);
    },
  );
});

describe('an emulator', () => {
  it('gets no token, whatever login is there', async () => {
    const settings = { ...account(), [ENDPOINT]: '', STORAGE_EMULATOR_HOST: gate.url };
    const store = await opened({ settings, secrets: { CLOUDSDK_AUTH_ACCESS_TOKEN: 'ya29.x' } });
    const error = await errorOf(read(store));
    expect(error.message).toContain('STORAGE_EMULATOR_HOST');
    expect(gate.asked).toEqual(['']);
    expect(tokens.asked).toEqual([]);
  });
});
