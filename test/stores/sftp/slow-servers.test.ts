/** SFTP servers that sign in and then never answer, or hardly: written by hand, for OpenSSH always answers. */
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { rm, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import ssh2 from 'ssh2';
import type { Connection, Server, SFTPWrapper } from 'ssh2';
import { sftp } from '../../../src/stores/sftp/index.js';
import type { Store } from '../../../src/stores/store.js';
import { scratchFolder } from '../../helpers/processes.js';
import { thrownBy } from '../../helpers/thrown-by.js';
import { readAll } from '../conformance/expectations.js';

const LONG_MS = 60_000;
const HANDLE = Buffer.from('one');
const FILE = { mode: 0o100_644, uid: 0, gid: 0, size: 60_001, atime: 1, mtime: 1 };
const FOLDER = { ...FILE, mode: 0o040_755, size: 0 };

let dir: string;
let server: Server;
let store: Store;
const clients = new Set<Connection>();

beforeEach(() => {
  dir = scratchFolder('slow-sftp');
});
afterEach(async () => {
  await store.close();
  for (const client of clients) client.end();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  await rm(dir, { recursive: true, force: true });
});

/** A server with one file, `/tree/model.bin`; `script` puts its own answers in the place of some. */
async function serve(script: (answers: SFTPWrapper) => void): Promise<void> {
  const key = ssh2.utils.generateKeyPairSync('ed25519');
  server = new ssh2.Server({ hostKeys: [key.private] }, (client) => {
    clients.add(client);
    client.on('error', () => client.end());
    client.on('authentication', (asked) => asked.accept());
    client.on('session', (accept) => {
      accept().on('sftp', (acceptSftp) => script(acceptSftp()));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const known = join(dir, 'known_hosts');
  await writeFile(known, `[127.0.0.1]:${port} ${key.public}\n`);
  await writeFile(join(dir, 'config'), '');
  store = await sftp.open({
    uri: `sftp://ada@127.0.0.1:${port}/tree`,
    settings: {
      WAYBILL_SFTP_CONFIG_FILE: join(dir, 'config'),
      WAYBILL_SFTP_KNOWN_HOSTS_FILE: known,
      WAYBILL_SFTP_CHECKSUM: 'never',
      WAYBILL_STALL_TIMEOUT: '500ms',
    },
    secrets: { WAYBILL_SFTP_PASSWORD: 'any' },
  });
}

/** What every server answers. */
function answerWell(answers: SFTPWrapper): void {
  const attributes = (id: number, path: string): void =>
    answers.attrs(id, path.endsWith('.bin') ? FILE : FOLDER);
  answers.on('REALPATH', (id, path) =>
    answers.name(id, [{ filename: path, longname: path, attrs: FOLDER }]),
  );
  answers.on('LSTAT', attributes).on('STAT', attributes);
  answers.on('OPEN', (id) => answers.handle(id, HANDLE));
  answers.on('OPENDIR', (id) => answers.handle(id, HANDLE));
  answers.on('FSTAT', (id) => answers.attrs(id, FILE));
  answers.on('CLOSE', (id) => answers.status(id, 0));
}

describe('what never ends is ended, and may be tried again', () => {
  it(
    'a server that answers nothing',
    async () => {
      await serve((answers) => {
        answers.on('REALPATH', () => undefined).on('LSTAT', () => undefined);
      });
      const error = await thrownBy(store.openRead('model.bin'));
      expect(error).toMatchObject({ code: 'WB_TIMEOUT', retryable: true });
      expect(error.message).toMatch(/fell silent/u);
    },
    LONG_MS,
  );

  it(
    'a file, a byte at a time',
    async () => {
      await serve((answers) => {
        answerWell(answers);
        answers.on('READ', (id) => void sleep(150).then(() => answers.data(id, Buffer.from('x'))));
      });
      const error = await thrownBy(readAll(store, 'model.bin'));
      expect(error).toMatchObject({ code: 'WB_TIMEOUT', retryable: true });
    },
    LONG_MS,
  );
});
