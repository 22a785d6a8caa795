/** A real Azurite as the conformance suite and the tests of this folder use it. */
import { azureBlob } from '../../../src/stores/azure-blob/index.js';
import type { ConnectionSettings, Store } from '../../../src/stores/store.js';
import type { Azurite } from '../../helpers/azurite.js';
import type { OpenOptions, Seed, Testbed } from '../conformance/testbed.js';

/** Puts at once while seeding. */
const LANES = 16;

/** A key of the right form that is not the account's. */
export const WRONG_KEY = Buffer.alloc(64, 'wrong').toString('base64');

/** How a store of a test is opened. */
export interface OpenAzureOptions {
  readonly settings?: ConnectionSettings;
  readonly secrets?: Readonly<Record<string, string>>;
}

/** Opens a store on the server, with its account's key unless other secrets are given. */
export function openAzure(
  azurite: Azurite,
  uri: string,
  { settings = {}, secrets }: OpenAzureOptions = {},
): Promise<Store> {
  const { AZURE_STORAGE_KEY = '', ...own } = azurite.env;
  return azureBlob.open({
    uri,
    settings: { ...own, ...settings },
    secrets: secrets ?? { AZURE_STORAGE_KEY },
  });
}

/** A new container of the server as the root of a testbed. */
export async function azureTestbed(azurite: Azurite, container: string): Promise<Testbed> {
  await azurite.createContainer(container);
  return {
    address: { host: '127.0.0.1', port: azurite.port },
    secrets: [azurite.key, WRONG_KEY],
    open: ({ at = '', via, wrongCredentials = false }: OpenOptions = {}) =>
      openAzure(azurite, `az://${container}/${at}`, {
        settings: via
          ? { AZURE_STORAGE_SERVICE_ENDPOINT: `http://${via.host}:${via.port}/${azurite.account}` }
          : {},
        ...(wrongCredentials ? { secrets: { AZURE_STORAGE_KEY: WRONG_KEY } } : {}),
      }),
    openNowhere: () => openAzure(azurite, 'az://no-such-container/'),
    seed: (seeds) => seedContainer(azurite, container, seeds),
    stop: () => azurite.stop(),
  };
}

async function seedContainer(
  azurite: Azurite,
  container: string,
  seeds: readonly Seed[],
): Promise<void> {
  const next = seeds.values();
  const lane = async (): Promise<void> => {
    for (const seed of next) {
      const isFolder = 'folder' in seed;
      await azurite.putBlob(container, seed.path, isFolder ? '' : Buffer.from(seed.bytes), {
        headers: isFolder ? { 'x-ms-meta-hdi_isfolder': 'true' } : {},
      });
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}
