/** What each scheme loads: its own store and its own library, and nothing of the others. Node itself says which scripts it ran. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { modulesLoadedByLs } from '../helpers/loaded-modules.js';
import { freePort } from '../helpers/ports.js';
import { scratchFolder } from '../helpers/processes.js';

/** What costs time to load, by whose it is. */
const LIBRARIES: readonly (readonly [RegExp, string])[] = [
  [/node_modules\/@azure\//, 'azure-blob'],
  [/node_modules\/(@aws-sdk|@smithy)\//, 's3'],
  [/node_modules\/google-auth-library\//, 'gcs'],
  [/node_modules\/ssh2\//, 'sftp'],
  [/node_modules\/kerberos\//, 'hdfs'],
  [/node_modules\/@temporalio\//, 'Temporal'],
];

let dir: string;

beforeAll(() => {
  dir = scratchFolder('lazy-schemes');
  mkdirSync(join(dir, 'folder'));
  writeFileSync(join(dir, 'folder/file.txt'), 'the bytes');
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

it.each<[store: string, (port: number) => string, (port: number) => Record<string, string>]>([
  ['local', () => 'folder', () => ({})],
  ['http', (port) => `http://127.0.0.1:${port}/models/`, () => ({})],
  ['ftp', (port) => `ftp://127.0.0.1:${port}/models/`, () => ({})],
  ['sftp', (port) => `sftp://ada@127.0.0.1:${port}/models/`, () => ({})],
  [
    's3',
    () => 's3://models/',
    (port) => ({
      AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
      AWS_ACCESS_KEY_ID: 'key',
      AWS_SECRET_ACCESS_KEY: 'secret',
      AWS_REGION: 'us-east-1',
    }),
  ],
  [
    'azure-blob',
    () => 'az://models/',
    (port) => ({
      AZURE_STORAGE_ACCOUNT: 'waybilltest',
      AZURE_STORAGE_SERVICE_ENDPOINT: `http://127.0.0.1:${port}`,
      AZURE_STORAGE_KEY: Buffer.alloc(64, 1).toString('base64'),
    }),
  ],
  ['gcs', () => 'gs://models/', (port) => ({ STORAGE_EMULATOR_HOST: `127.0.0.1:${port}` })],
  [
    'mlflow',
    (port) => `mlflow-artifacts://127.0.0.1:${port}/models`,
    (port) => ({ MLFLOW_TRACKING_URI: `http://127.0.0.1:${port}` }),
  ],
  ['hdfs', (port) => `webhdfs://127.0.0.1:${port}/models/`, () => ({})],
  ['mlrun', () => 'store://churn/model', (port) => ({ MLRUN_DBPATH: `http://127.0.0.1:${port}` })],
])('%s loads nothing of the other stores', async (store, sourceAt, envAt) => {
  const port = await freePort();
  const modules = await modulesLoadedByLs(dir, sourceAt(port), envAt(port));
  // A reference is resolved before anything is opened.
  const own = /\/stores\/([a-z0-9-]+)\/(?:store|rest)\.js$/;
  const stores = modules.flatMap((path) => own.exec(path)?.[1] ?? []);
  expect([...new Set(stores)]).toEqual([store]);
  const libraries = LIBRARIES.filter(([pattern]) => modules.some((path) => pattern.test(path)));
  // With static keys, or none, no cloud's own library is needed; SSH is its library.
  expect(libraries.map(([, whose]) => whose)).toEqual(store === 'sftp' ? ['sftp'] : []);
});
