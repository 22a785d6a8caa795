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
    const { account, key, endpoint } = azurite;
    const remote = `:azureblob,account=${account},key="${key}",endpoint="${endpoint}"`;
    return {
      env: azurite.env,
      uri: (path) => `az://models/${path}`,
      put: (path, bytes) => azurite.putBlob('models', path, bytes),
      // The service takes a backslash for a slash.
      canHold: (name) => !name.includes('\\'),
      rclone: { remote: (path) => `${remote}:models/${path}` },
    };
  },
};
