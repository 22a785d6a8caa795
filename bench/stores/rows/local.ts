/** A folder of this machine. */
import { join } from 'node:path';
import type { StoreRow } from '../served.js';
import { putBelow } from '../put-below.js';

export const local: StoreRow = {
  store: 'local',
  server: 'a folder',
  serve: async (world) => {
    const root = await world.folder('source');
    return {
      env: {},
      uri: (path) => join(root, path),
      put: putBelow(root),
      rclone: { remote: (path) => join(root, path) },
    };
  },
};
