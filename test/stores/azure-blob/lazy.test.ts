/** What a command loads for Azure: an SDK costs nothing until something is asked of it. Node itself says which scripts it has run. */
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { modulesLoadedByLs } from '../../helpers/loaded-modules.js';
import { freePort } from '../../helpers/ports.js';
import { scratchFolder } from '../../helpers/processes.js';

const SDKS = /node_modules\/(@azure\/[^/]+|@aws-sdk\/[^/]+|google-auth-library)\//;

let dir: string;

beforeAll(() => {
  dir = scratchFolder('lazy');
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

const sdksOf = (modules: readonly string[]): string[] => [
  ...new Set(modules.flatMap((path) => SDKS.exec(path)?.[1] ?? [])),
];

it("Azure is asked with a key without an SDK, and with a sign-in by Azure's own library alone", async () => {
  const port = await freePort();
  const account = {
    AZURE_STORAGE_ACCOUNT: 'waybilltest',
    AZURE_STORAGE_SERVICE_ENDPOINT: `https://127.0.0.1:${port}`,
  };
  const AZURE_STORAGE_KEY = Buffer.alloc(64, 1).toString('base64');
  const withKey = await modulesLoadedByLs(dir, 'az://models', { ...account, AZURE_STORAGE_KEY });
  expect(withKey.some((path) => path.endsWith('/stores/azure-blob/store.js'))).toBe(true);
  expect(sdksOf(withKey)).toEqual([]);
  const signedIn = await modulesLoadedByLs(dir, 'az://models', {
    ...account,
    AZURE_TENANT_ID: 'tenant',
    AZURE_CLIENT_ID: 'client',
    AZURE_CLIENT_SECRET: 'a-secret-of-nobody',
    AZURE_AUTHORITY_HOST: `https://127.0.0.1:${port}`,
  });
  const sdks = sdksOf(signedIn);
  expect(sdks).toContain('@azure/identity');
  expect(sdks.filter((name) => !name.startsWith('@azure/'))).toEqual([]);
});
