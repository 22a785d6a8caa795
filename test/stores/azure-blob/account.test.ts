import { describe, expect, it } from '@jest/globals';
import type { WaybillError } from '../../../src/model/errors.js';
import { readAzureConfig } from '../../../src/stores/azure-blob/config.js';
import { withAccount } from '../../../src/stores/azure-blob/errors.js';
import { errorOfNetwork } from '../../../src/stores/lib/http-errors.js';

const errorOf = (code: string): WaybillError =>
  errorOfNetwork(Object.assign(new Error(`getaddrinfo ${code}`), { code }), {
    operation: 'list',
    store: 'azure-blob',
    path: 'a',
    address: 'https://nosuch.blob.core.windows.net/models',
  });
const configOf = (uri: string, settings: Readonly<Record<string, string>> = {}) =>
  readAzureConfig({ uri, settings: { AZURE_STORAGE_ANON: 'true', ...settings }, secrets: {} });

describe('an account that is not there', () => {
  it.each([
    ['az://models/a', { AZURE_STORAGE_ACCOUNT: 'nosuch' }, 'AZURE_STORAGE_ACCOUNT'],
    ['az://models/a', { AZURE_STORAGE_ACCOUNT_NAME: 'nosuch' }, 'AZURE_STORAGE_ACCOUNT_NAME'],
    ['wasbs://models@nosuch.blob.core.windows.net/a', {}, 'the address'],
  ])('of %s is named, with what names it', (uri, settings, from) => {
    const error = withAccount(errorOf('ENOTFOUND'), configOf(uri, settings));
    expect(error).toMatchObject({ code: 'WB_UNAVAILABLE', retryable: true, path: 'a' });
    expect(String(error)).toContain(`no storage account nosuch; check its name in ${from} `);
  });

  it('is not what another failure, or the name of another host, is taken for', () => {
    const config = configOf('az://models', { AZURE_STORAGE_ACCOUNT: 'nosuch' });
    expect(String(withAccount(errorOf('EAI_AGAIN'), config))).not.toContain('no storage account');
    const own = {
      AZURE_STORAGE_SERVICE_ENDPOINT: 'https://blobs.example',
      AZURE_STORAGE_ACCOUNT: 'nosuch',
    };
    const elsewhere = configOf('az://models', own);
    expect(String(withAccount(errorOf('ENOTFOUND'), elsewhere))).not.toContain(
      'no storage account',
    );
  });
});
