/** FTP, by vsftpd and by ProFTPD. */
import { execFileSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { dirname } from 'node:path';
import { percentEncodePath } from '../../../src/stores/lib/byte-names.js';
import { ensureRclone } from '../../../test/helpers/peers.js';
import { PASSWORD, startProftpd } from '../../../test/helpers/proftpd.js';
import { startVsftpd, type FtpServer } from '../../../test/helpers/vsftpd.js';
import type { StoreRow } from '../served.js';
import { putBelow } from '../put-below.js';

/** As many connections as rclone has at once; a large file in parts. */
const LFTP_MIRROR = 'set cmd:fail-exit yes; mirror --parallel=16 --use-pget-n=8';

/** A server of FTP over a folder. */
function ftp(
  server: string,
  start: (options: { readonly root: string }) => Promise<FtpServer>,
  login: readonly [string, string] | undefined,
): StoreRow {
  return {
    store: 'ftp',
    server,
    serve: async (world) => {
      const root = await world.folder('files');
      chmodSync(dirname(root), 0o755);
      chmodSync(root, 0o755);
      const { port, stop } = await start({ root });
      world.onEnd(stop);
      const [user, password] = login ?? ['anonymous', 'anonymous@'];
      const rclone = await ensureRclone(world.say);
      const hidden = execFileSync(rclone, ['obscure', password], { encoding: 'utf8' }).trim();
      const remote = `:ftp,host=127.0.0.1,port=${port},user=${user},pass="${hidden}"`;
      return {
        env: login === undefined ? {} : { WAYBILL_FTP_USER: user, WAYBILL_FTP_PASSWORD: password },
        uri: (path) => `ftp://127.0.0.1:${port}/${percentEncodePath(path)}`,
        put: putBelow(root),
        // A command ends at a line end.
        canHold: (name) => !/[\r\n]/u.test(name),
        rclone: { remote: (path) => `${remote}:${path}` },
        tools: async (folder, brings) => [
          await world.peers.lftp({
            suffix: 'mirror',
            args: ({ folder: to }) => [
              ...['--norc', '-u', `${user},${password}`, '-e'],
              `${LFTP_MIRROR} ${folder} ${to}; exit`,
              `ftp://127.0.0.1:${port}`,
            ],
            brings,
          }),
        ],
      };
    },
  };
}

export const vsftpd = ftp('vsftpd', startVsftpd, undefined);

export const proftpd = ftp('ProFTPD', startProftpd, ['ada', PASSWORD]);
