/** A real sshd as the conformance suite and the tests of this folder use it. */
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { sftp } from '../../../src/stores/sftp/index.js';
import type { ConnectionSettings, Store } from '../../../src/stores/store.js';
import { scratchFolder } from '../../helpers/processes.js';
import { SSHD_PASSWORD, SSHD_USER, type Sshd } from '../../helpers/sshd.js';
import type { OpenOptions, Seed, Testbed } from '../conformance/testbed.js';

/** How a test signs in; default: the key. */
export interface OpenSftpOptions {
  readonly port?: number;
  readonly user?: string;
  readonly settings?: ConnectionSettings;
  readonly secrets?: Readonly<Record<string, string>>;
}

/** Opens a store on the server. */
export function openSftp(sshd: Sshd, path: string, options: OpenSftpOptions = {}): Promise<Store> {
  const { port = sshd.port, user = SSHD_USER, settings = {}, secrets = {} } = options;
  return sftp.open({
    uri: `sftp://${user}@127.0.0.1:${port}${path.split('/').map(encodeURIComponent).join('/')}`,
    settings: { ...sshd.settings, ...settings },
    secrets,
  });
}

/** A new folder of the server as the root of a testbed. */
export function sftpTestbed(sshd: Sshd): Testbed {
  const root = scratchFolder('sftp');
  return {
    address: { host: '127.0.0.1', port: sshd.port },
    secrets: [SSHD_PASSWORD, 'a wrong password'],
    open: ({ at = '', via, wrongCredentials = false }: OpenOptions = {}) =>
      openSftp(sshd, at === '' ? root : `${root}/${at}`, {
        ...(via === undefined ? {} : { port: via.port }),
        ...(wrongCredentials
          ? {
              settings: { WAYBILL_SFTP_KEY_FILE: join(sshd.dir, 'no_such_key') },
              secrets: { WAYBILL_SFTP_PASSWORD: 'a wrong password' },
            }
          : {}),
      }),
    seed: (seeds) => seedFolder(root, seeds),
    stop: async () => {
      await sshd.stop();
      await rm(root, { recursive: true, force: true });
    },
  };
}

/** Writes files where the server reads them; its user is another. */
export async function seedFolder(root: string, seeds: readonly Seed[]): Promise<void> {
  for (const seed of seeds) {
    const target = join(root, seed.path);
    await mkdir('folder' in seed ? target : dirname(target), { recursive: true });
    if ('folder' in seed) continue;
    await writeFile(target, seed.bytes);
    await chmod(target, 0o644);
  }
}
