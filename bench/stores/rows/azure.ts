/** Azure Blob Storage, by Azurite. */
import { startAzurite } from '../../../test/helpers/azurite.js';
import type { StoreRow } from '../served.js';

export const azure: StoreRow = {
  store: 'azure-blob',
  server: 'Azurite',
  serve: async (world) => {
    const azurite = await startAzurite();
    world.onEnd(() => azurite.stop());
    await azurite.createContainer('models');
    const home = await world.folder('az');
    const { account, key, endpoint } = azurite;
    const remote = `:azureblob,account=${account},key="${key}",endpoint="${endpoint}"`;
    return {
      env: azurite.env,
      uri: (path) => `az://models/${path}`,
      put: (path, bytes) => azurite.putBlob('models', path, bytes),
      // The service takes a backslash for a slash.
      canHold: (name) => !name.includes('\\'),
      rclone: { remote: (path) => `${remote}:models/${path}` },
      tools: async (folder, brings) => [
        await world.peers.az({
          suffix: 'storage blob download-batch',
          args: ({ folder: to }) => [
            ...['storage', 'blob', 'download-batch', '--no-progress', '--output', 'none'],
            ...['--source', 'models', '--pattern', `${folder}*`, '--destination', to],
          ],
          env: {
            AZURE_STORAGE_CONNECTION_STRING: azurite.connectionString,
            AZURE_CONFIG_DIR: home,
          },
          brings,
        }),
      ],
    };
  },
};
