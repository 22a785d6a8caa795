/** Google Cloud Storage, by fake-gcs-server. */
import { startFakeGcs } from '../../../test/helpers/fake-gcs.js';
import type { StoreRow } from '../served.js';

export const gcs: StoreRow = {
  store: 'gcs',
  server: 'fake-gcs-server',
  serve: async (world) => {
    const google = await startFakeGcs();
    world.onEnd(() => google.stop());
    await google.createBucket('models');
    const remote = `:gcs,endpoint="${google.endpoint}/storage/v1/",anonymous=true,bucket_policy_only=true`;
    return {
      env: google.env,
      uri: (path) => `gs://models/${path}`,
      put: (path, bytes) => google.putObject('models', path, bytes),
      // Cloud Storage knows no names with line ends, and neither does this server.
      canHold: (name) => !/[\r\n]/u.test(name),
      rclone: { remote: (path) => `${remote}:models/${path}` },
    };
  },
};
