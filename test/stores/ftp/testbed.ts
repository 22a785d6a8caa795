/** Real FTP servers as the conformance suite and the tests of this folder use them. */
import { rm } from 'node:fs/promises';
import { ftp } from '../../../src/stores/ftp/index.js';
import type { ConnectionSettings, Store } from '../../../src/stores/store.js';
import { freePorts } from '../../helpers/ports.js';
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

/** Ports for data, so many that those in use at once leave some. */
const DATA_PORTS = 12;

/** A new folder behind a server as the root of a testbed. `passive`: the line of configuration for a range of ports. */
export async function ftpTestbed(
  start: (options: FtpServerOptions) => Promise<FtpServer>,
  passive: (first: number, last: number) => string,
  secrets: Readonly<Record<string, string>>,
): Promise<Testbed> {
  const root = scratchFolder('ftp-conformance');
  const data = await freePorts(DATA_PORTS);
  const server = await start({ root, config: passive(data[0] ?? 0, data.at(-1) ?? 0) });
  const gate = await startGate(server.port);
  return {
    address: { host: '127.0.0.1', port: gate.port },
    alsoAt: data.map((port) => ({ host: '127.0.0.1', port })),
    secrets: [PASSWORD, 'a guess of eve'],
    open: ({ at = '', via, viaAlso = [], wrongCredentials = false } = {}) => {
      gate.announce(new Map(viaAlso.map(({ port }, index) => [data[index] ?? 0, port])));
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
