/** SFTP, by OpenSSH. */
import { chmodSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { percentEncodePath } from '../../../src/stores/lib/byte-names.js';
import { SSHD_USER, startSshd } from '../../../test/helpers/sshd.js';
import type { StoreRow } from '../served.js';
import { putBelow } from '../put-below.js';

export const sftp: StoreRow = {
  store: 'sftp',
  server: 'OpenSSH',
  serve: async (world) => {
    const root = await world.folder('files');
    chmodSync(dirname(root), 0o755);
    const sshd = await startSshd();
    world.onEnd(() => sshd.stop());
    const { port, settings } = sshd;
    const remote = `:sftp,host=127.0.0.1,port=${port},user=${SSHD_USER},key_file="${sshd.keyFile}"`;
    return {
      env: settings,
      uri: (path) => `sftp://${SSHD_USER}@127.0.0.1:${port}${percentEncodePath(join(root, path))}`,
      put: putBelow(root),
      rclone: { remote: (path) => `${remote}:${join(root, path)}` },
      tools: async (folder, brings) => [
        await world.peers.sftp({
          suffix: '-r',
          args: ({ folder: to }) => [
            ...['-q', '-r', '-P', String(port), '-i', sshd.keyFile, '-F', '/dev/null'],
            ...['-o', `UserKnownHostsFile=${sshd.knownHostsFile}`, '-o', 'BatchMode=yes'],
            ...[`${SSHD_USER}@127.0.0.1:${join(root, folder)}`, to],
          ],
          brings,
        }),
      ],
    };
  },
};
