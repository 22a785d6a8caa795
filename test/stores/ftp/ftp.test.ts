import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { WaybillError } from '../../../src/model/errors.js';
import type { Store } from '../../../src/stores/store.js';
import { makeAuthority, type Authority, type Issued } from '../../helpers/certificates.js';
import { scratchFolder } from '../../helpers/processes.js';
import { startProftpd } from '../../helpers/proftpd.js';
import { startVsftpd, type FtpServer } from '../../helpers/vsftpd.js';
import { ADA, openFtp } from './testbed.js';

const scratch = scratchFolder('ftp');
const root = join(scratch, 'served');
let authority: Authority;
let certificate: Issued;
const servers: FtpServer[] = [];

async function started(start: Promise<FtpServer>): Promise<FtpServer> {
  const server = await start;
  servers.push(server);
  return server;
}

async function read(store: Store, path: string, offsetBytes = 0): Promise<string> {
  const { body } = await store.openRead(path, { offsetBytes });
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

async function failure(promise: Promise<unknown>): Promise<WaybillError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof WaybillError) return error;
  throw new Error(`expected a WaybillError, got ${String(error)}`);
}

async function listed(store: Store): Promise<(string | undefined)[][]> {
  const found: (string | undefined)[][] = [];
  for await (const { path, kind, special } of store.list('', { recursive: true })) {
    found.push([path, kind, ...(special === undefined ? [] : [special])]);
  }
  return found;
}

async function withStore<T>(
  opening: Promise<Store>,
  use: (store: Store) => Promise<T>,
): Promise<T> {
  const store = await opening;
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

/** Waits until the server has forgotten the connection by which its start was noticed. */
async function admitted(store: Store): Promise<void> {
  for (let left = 200; left > 0; left -= 1) {
    const refused = await store.stat('hello.txt').then(
      () => undefined,
      (error: unknown) => error as WaybillError,
    );
    if (refused === undefined) return;
    if (refused.code !== 'WB_RATE_LIMITED') throw refused;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

beforeAll(() => {
  mkdirSync(join(root, 'links', 'folder'), { recursive: true });
  mkdirSync(join(root, 'odd'));
  mkdirSync(join(root, 'outside'));
  writeFileSync(join(root, 'hello.txt'), 'hello');
  writeFileSync(join(root, 'closed.txt'), 'closed');
  chmodSync(join(root, 'closed.txt'), 0o600);
  writeFileSync(join(root, 'links', 'folder', 'a.txt'), 'a');
  const links = {
    circle: '.',
    file: 'folder/a.txt',
    nowhere: 'absent',
    out: '../hello.txt',
    'out-by-link': 'out-folder/secret.txt',
    'out-folder': '../outside',
    tofolder: 'folder',
    twice: 'file',
  };
  writeFileSync(join(root, 'outside', 'secret.txt'), 'secret');
  for (const [name, target] of Object.entries(links))
    symlinkSync(target, join(root, 'links', name));
  writeFileSync(Buffer.concat([Buffer.from(`${root}/odd/caf`), Buffer.from([0xe9])]), 'latin1');
  writeFileSync(join(root, 'odd', 'two\nDELE hello.txt'), 'lines');
  writeFileSync(join(root, 'odd', 'zebra.txt'), 'z');
  const when = Date.UTC(2025, 0, 1) / 1_000;
  utimesSync(join(root, 'hello.txt'), when, when);
  mkdirSync(join(scratch, 'certificates'));
  authority = makeAuthority(join(scratch, 'certificates'));
  certificate = authority.issue('server');
});

afterAll(async () => {
  for (const server of servers) await server.stop();
  await rm(scratch, { recursive: true });
});

describe.each([
  ['vsftpd', startVsftpd, {}, [['nowhere', 'file']]],
  // It lists no link that leads nowhere.
  ['ProFTPD', startProftpd, ADA, []],
] as const)('a tree at %s', (_name, start, secrets, broken) => {
  let base = '';
  beforeAll(async () => {
    base = `ftp://127.0.0.1:${(await started(start({ root }))).port}`;
  }, 120_000);

  it('rule 24: follows links inside the root, and none that leads out of it', () =>
    withStore(openFtp(`${base}/links`, secrets), async (store) => {
      expect(await listed(store)).toEqual([
        ['circle', 'special', 'other'],
        ['file', 'file'],
        ['folder', 'directory'],
        ['folder/a.txt', 'file'],
        ...broken,
        ['out', 'special', 'other'],
        ['out-by-link', 'special', 'other'],
        ['out-folder', 'special', 'other'],
        ['tofolder', 'directory'],
        ['tofolder/a.txt', 'file'],
        ['twice', 'special', 'other'],
      ]);
      expect(await read(store, 'tofolder/a.txt')).toBe('a');
      expect((await failure(store.openRead('nowhere'))).code).toBe('WB_NOT_FOUND');
    }));

  it('lists names that cannot be asked for, and never sends them', () =>
    withStore(openFtp(`${base}/odd`, secrets), async (store) => {
      expect(await listed(store)).toEqual([
        ['caf\udce9', 'file'],
        ['two\nDELE hello.txt', 'file'],
        ['zebra.txt', 'file'],
      ]);
      for (const name of ['caf\udce9', 'two\nDELE hello.txt', 'a\rb', 'a\0b']) {
        const { code, path } = await failure(store.openRead(name));
        expect([code, path]).toEqual(['WB_UNSAFE_PATH', name]);
        expect((await failure(store.stat(name))).code).toBe('WB_UNSAFE_PATH');
      }
    }));

  it('tells what is forbidden from what is missing', () =>
    withStore(openFtp(base, secrets), async (store) => {
      const forbidden = await failure(store.openRead('closed.txt'));
      expect([forbidden.code, forbidden.path]).toEqual(['WB_PERMISSION_DENIED', 'closed.txt']);
      expect((await failure(store.openRead('absent.txt'))).code).toBe('WB_NOT_FOUND');
      expect((await failure(store.openRead('links'))).code).not.toBe('WB_NOT_FOUND');
    }));

  it('continues in the middle, and says when the file is old enough for that', () =>
    withStore(openFtp(`${base}//hello.txt`, secrets), async (store) => {
      expect(await read(store, '', 2)).toBe('llo');
      const opened = await store.openRead('', {});
      opened.body.destroy();
      expect(opened.modifiedAt).toBe('2025-01-01T00:00:00.000Z');
      expect(Date.parse(opened.answeredAt ?? '')).toBeLessThan(Date.now());
    }));

  it('does not take a line break in a password for a command', async () => {
    const opening = openFtp(base, { username: 'ada', password: 'x%0d%0aDELE%20hello.txt' });
    const { code } = await withStore(opening, (store) => failure(store.stat('hello.txt')));
    expect(code).toBe('WB_CONFIG_INVALID');
    expect(readFileSync(join(root, 'hello.txt'), 'utf8')).toBe('hello');
  });
});

describe('a server with limits', () => {
  it('reads all with the one connection that it takes', async () => {
    const { port } = await started(startVsftpd({ root, config: 'max_per_ip=1' }));
    const base = `ftp://127.0.0.1:${port}`;
    await withStore(openFtp(base), async (store) => {
      await admitted(store);
      const texts = await Promise.all(Array.from({ length: 6 }, () => read(store, 'hello.txt')));
      expect(texts).toEqual(Array.from({ length: 6 }, () => 'hello'));
      const opened = await store.openRead('hello.txt');
      const other = await withStore(openFtp(base), (second) => failure(second.stat('hello.txt')));
      expect(other).toMatchObject({ code: 'WB_RATE_LIMITED', retryable: true, scope: 'source' });
      opened.body.destroy();
    });
  }, 120_000);

  it('knows the words of one that says the same with the code of a wrong password', async () => {
    const server = startProftpd({ root, config: 'MaxClients 1' });
    const base = `ftp://127.0.0.1:${(await started(server)).port}`;
    await withStore(openFtp(base, ADA), async (store) => {
      await admitted(store);
      const other = await withStore(openFtp(base, ADA), (one) => failure(one.stat('hello.txt')));
      expect(other.code).toBe('WB_RATE_LIMITED');
    });
  }, 120_000);

  it('falls back to PASV where EPSV is refused', async () => {
    const { port } = await started(startVsftpd({ root, config: 'cmds_denied=EPSV' }));
    await withStore(openFtp(`ftp://127.0.0.1:${port}`), async (store) => {
      expect(await read(store, 'hello.txt')).toBe('hello');
    });
  }, 120_000);
});

describe.each([
  ['explicit', 'ftpes'],
  ['implicit', 'ftps'],
] as const)('%s TLS', (kind, scheme) => {
  let plain = '';
  let urls: Record<string, string> = {};
  const trust = (): Record<string, string> => ({ SSL_CERT_FILE: authority.certFile });

  beforeAll(async () => {
    const { certFile, keyFile } = certificate;
    const vsftpd = await started(
      startVsftpd({
        root,
        config: `ssl_enable=YES
allow_anon_ssl=YES
force_anon_logins_ssl=YES
force_anon_data_ssl=YES
implicit_ssl=${kind === 'implicit' ? 'YES' : 'NO'}
ssl_ciphers=HIGH
rsa_cert_file=${certFile}
rsa_private_key_file=${keyFile}`,
      }),
    );
    const proftpd = await started(
      startProftpd({
        root,
        config: `TLSEngine on
TLSRequired on
TLSECCertificateFile ${certFile}
TLSECCertificateKeyFile ${keyFile}
TLSCACertificateFile ${authority.certFile}
TLSVerifyClient on
${kind === 'implicit' ? 'TLSOptions UseImplicitSSL' : ''}`,
      }),
    );
    plain = `ftp://127.0.0.1:${vsftpd.port}`;
    urls = {
      vsftpd: `${scheme}://127.0.0.1:${vsftpd.port}`,
      ProFTPD: `${scheme}://127.0.0.1:${proftpd.port}`,
    };
  }, 120_000);

  it('reads and lists, data connections on the session of the control connection', () =>
    withStore(openFtp(urls['vsftpd'] ?? '', {}, trust()), async (store) => {
      expect(await read(store, 'hello.txt')).toBe('hello');
      expect((await listed(store)).map(([path]) => path)).toContain('hello.txt');
      expect(await read(store, 'hello.txt', 4)).toBe('o');
    }));

  it('shows a client certificate where one is asked for', async () => {
    const { certFile, keyFile } = authority.issue(`ada-${kind}`);
    const settings = {
      ...trust(),
      WAYBILL_CLIENT_CERT_FILE: certFile,
      WAYBILL_CLIENT_KEY_FILE: keyFile,
    };
    await withStore(openFtp(urls['ProFTPD'] ?? '', ADA, settings), async (store) => {
      expect(await read(store, 'hello.txt')).toBe('hello');
      expect(await read(store, 'hello.txt')).toBe('hello');
    });
    const without = openFtp(urls['ProFTPD'] ?? '', ADA, trust());
    await withStore(without, (store) => failure(store.stat('hello.txt')));
  });

  it('does not talk to a server whose authority nobody vouches for', async () => {
    const opening = openFtp(urls['vsftpd'] ?? '');
    const error = await withStore(opening, (store) => failure(store.stat('hello.txt')));
    expect(error.message).toContain('SSL_CERT_FILE');
    expect(error.retryable).toBe(false);
  });

  it('is there by a setting, and is asked for where it is missing', async () => {
    const settings = { ...trust(), WAYBILL_FTP_TLS: kind };
    await withStore(openFtp(plain, {}, settings), async (store) => {
      expect(await read(store, 'hello.txt')).toBe('hello');
    });
    if (kind === 'implicit') return;
    const error = await withStore(openFtp(plain), (store) => failure(store.stat('hello.txt')));
    expect(error.code).toBe('WB_CONFIG_INVALID');
    expect(error.message).toContain('ftpes://');
  });
});

describe('rule 12: the clock of a server that does not tell it', () => {
  const MiB = 1024 * 1024;
  const large = (): string => join(root, 'young.bin');

  it('is known of a large young file after a second look, so that an interrupted one goes on; not of a small one', async () => {
    writeFileSync(large(), Buffer.alloc(64 * MiB));
    const server = await started(startVsftpd({ root }));
    await withStore(openFtp(`ftp://127.0.0.1:${server.port}/`), async (store) => {
      const ages: number[] = [];
      for (const path of ['young.bin', 'hello.txt']) {
        const now = new Date();
        utimesSync(join(root, path), now, now);
        const { body, answeredAt, modifiedAt } = await store.openRead(path, { lengthBytes: 5 });
        body.destroy();
        ages.push(Date.parse(answeredAt ?? '') - Date.parse(modifiedAt ?? ''));
      }
      expect(ages[0]).toBeGreaterThanOrEqual(2_000);
      expect(ages[1]).toBeLessThan(2_000);
    });
  });

  it('is not waited for in vain: a file that changes meanwhile is said to have changed, and an abort ends the wait', async () => {
    writeFileSync(large(), Buffer.alloc(64 * MiB));
    const server = await started(startVsftpd({ root }));
    await withStore(openFtp(`ftp://127.0.0.1:${server.port}/`), async (store) => {
      // It grows all the time: whenever the first look is, the second one sees another size.
      const growing = setInterval(() => appendFileSync(large(), 'x'), 50);
      const error = await failure(store.openRead('young.bin'));
      clearInterval(growing);
      expect(error.code).toBe('WB_SOURCE_CHANGED');
      const controller = new AbortController();
      const aborted = store.openRead('young.bin', { signal: controller.signal });
      controller.abort(new Error('enough'));
      await expect(aborted).rejects.toThrow('enough');
    });
  });
});
