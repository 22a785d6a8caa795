/** Google Cloud Storage, by fake-gcs-server. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeAuthority } from '../../../test/helpers/certificates.js';
import { startFakeGcs, type FakeGcs } from '../../../test/helpers/fake-gcs.js';
import type { StoreRow } from '../served.js';

export const gcs: StoreRow = {
  store: 'gcs',
  server: 'fake-gcs-server',
  serve: async (world) => {
    const folder = await world.folder('gcs');
    const authority = makeAuthority(folder);
    // gsutil speaks TLS only; everybody else asks the same server without.
    const google = await startFakeGcs({ tls: authority.issue('server') });
    world.onEnd(() => google.stop());
    await google.createBucket('models');
    const remote = `:gcs,endpoint="${google.plainEndpoint}/storage/v1/",anonymous=true,bucket_policy_only=true`;
    const botoFile = writeBoto(folder, google, authority.certFile);
    return {
      env: { STORAGE_EMULATOR_HOST: google.plainEndpoint },
      uri: (path) => `gs://models/${path}`,
      put: (path, bytes) => google.putObject('models', path, bytes),
      // Cloud Storage knows no names with line ends, and neither does this server.
      canHold: (name) => !/[\r\n]/u.test(name),
      rclone: { remote: (path) => `${remote}:models/${path}` },
      tools: async (many, brings) => [
        await world.peers.gsutil({
          suffix: '-m cp -r',
          args: ({ folder: to }) => ['-q', '-m', 'cp', '-r', `gs://models/${many}*`, to],
          env: { BOTO_CONFIG: botoFile, HOME: folder },
          brings,
        }),
      ],
    };
  },
};

/** What gsutil has to read to ask another server than Google's. */
function writeBoto(folder: string, { port }: FakeGcs, authorityFile: string): string {
  const file = join(folder, 'boto');
  const at = `gs_json_host = 127.0.0.1\ngs_json_port = ${port}\n`;
  const trust = `[Boto]\nca_certificates_file = ${authorityFile}\n`;
  writeFileSync(file, `[Credentials]\n${at}${trust}[GSUtil]\nstate_dir = ${folder}/gsutil\n`);
  return file;
}
