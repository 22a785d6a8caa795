/** Real FTP servers as the conformance suite and the tests of this folder use them. */
import { rm } from 'node:fs/promises';
import { ftp } from '../../../src/stores/ftp/index.js';
import type { ConnectionSettings, Store } from '../../../src/stores/store.js';
import { scratchFolder } from '../../helpers/processes.js';
import { PASSWORD } from '../../helpers/proftpd.js';
import type { FtpServer, FtpServerOptions } from '../../helpers/vsftpd.js';
import type { Testbed } from '../conformance/testbed.js';
import { seedFolder } from '../http/servers.js';
import { startGate } from './gate.js';

/** The user of ProFTPD, as the address of a source has it. */
export const ADA = { username: 'ada', password: encodeURIComponent(PASSWORD) };

/** Opens a store with nothing but what is given. */
export function openFtp(
  uri: string,
  secrets: Readonly<Record<string, string>> = {},
  settings: ConnectionSettings = {},
): Promise<Store> {
  return ftp.open({ uri, secrets, settings: { WAYBILL_STALL_TIMEOUT: '20s', ...settings } });
}

/** A new folder behind a server as the root of a testbed. */
export async function ftpTestbed(
  start: (options: FtpServerOptions) => Promise<FtpServer>,
  secrets: Readonly<Record<string, string>>,
): Promise<Testbed> {
  const root = scratchFolder('ftp-conformance');
  const server = await start({ root });
  const gate = await startGate(server.port);
  return {
    address: { host: '127.0.0.1', port: gate.port },
    secrets: [PASSWORD, 'a guess of eve'],
    open: ({ at = '', via, wrongCredentials = false } = {}) => {
      if (via !== undefined) gate.announce(via.port);
      const wrong = { username: 'eve', password: 'a%20guess%20of%20eve' };
      const uri = `ftp://127.0.0.1:${via?.port ?? server.port}/${at}`;
      return openFtp(uri, wrongCredentials ? wrong : secrets);
    },
    seed: (seeds) => seedFolder(root, seeds),
    stop: async () => {
      await gate.stop();
      await server.stop();
      await rm(root, { recursive: true });
    },
  };
}
