/** HTTP, by the index pages of nginx. */
import { percentEncodePath } from '../../../src/stores/lib/byte-names.js';
import { startNginx } from '../../../test/helpers/nginx.js';
import type { StoreRow } from '../served.js';
import { putBelow } from '../put-below.js';

export const http: StoreRow = {
  store: 'http',
  server: 'nginx, its index',
  serve: async (world) => {
    const root = await world.folder('www');
    const nginx = await startNginx({ root });
    world.onEnd(() => nginx.stop());
    return {
      env: {},
      uri: (path) => `${nginx.url}/${percentEncodePath(path)}`,
      put: putBelow(root),
      // nginx leaves them out of its indexes.
      canHold: (name) => !name.startsWith('.'),
      rclone: { remote: (path) => `:http,url="${nginx.url}":${path}` },
    };
  },
};
