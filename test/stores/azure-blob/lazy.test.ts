/** What a command loads for Azure: an SDK costs nothing until something is asked of it. Node itself says which scripts it has run. */
import { readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { freePort } from '../../helpers/ports.js';
import { scratchFolder } from '../../helpers/processes.js';
import { runWaybill } from '../../helpers/waybill.js';

const SDKS = /node_modules\/(@azure\/[^/]+|@aws-sdk\/[^/]+|google-auth-library)\//;

let dir: string;

beforeAll(() => {
  dir = scratchFolder('lazy');
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** The scripts that `waybill ls` of a source ran. */
async function loadedBy(
  name: string,
  source: string,
  env: Readonly<Record<string, string>> = {},
): Promise<string[]> {
  const coverage = join(dir, name);
  await runWaybill(['ls', source], {
    stateDir: join(dir, 'state'),
    cwd: dir,
    env: { ...env, NODE_V8_COVERAGE: coverage },
  });
  const urls = readdirSync(coverage).flatMap((file) => {
    const report = JSON.parse(readFileSync(join(coverage, file), 'utf8')) as {
      readonly result: readonly { readonly url: string }[];
    };
    return report.result.map(({ url }) => url);
  });
  return [...new Set(urls)];
}

const sdksOf = (urls: readonly string[]): string[] => [
  ...new Set(urls.flatMap((url) => SDKS.exec(url)?.[1] ?? [])),
];

it("Azure is asked with a key without an SDK, and with a sign-in by Azure's own library alone", async () => {
  const port = await freePort();
  const account = {
    AZURE_STORAGE_ACCOUNT: 'waybilltest',
    AZURE_STORAGE_SERVICE_ENDPOINT: `https://127.0.0.1:${port}`,
  };
  const AZURE_STORAGE_KEY = Buffer.alloc(64, 1).toString('base64');
  const withKey = await loadedBy('key', 'az://models', { ...account, AZURE_STORAGE_KEY });
  expect(withKey.some((url) => url.endsWith('/stores/azure-blob/store.js'))).toBe(true);
  expect(sdksOf(withKey)).toEqual([]);
  const signedIn = await loadedBy('principal', 'az://models', {
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
