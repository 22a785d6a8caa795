/** What a real server's file system has besides files, what changes under a reader, and what a network does to it. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmod, mkdir, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ObjectEntry } from '../../../src/model/object-entry.js';
import { WaybillError } from '../../../src/model/errors.js';
import type { Store } from '../../../src/stores/store.js';
import { checksumOf } from '../../helpers/checksums.js';
import { startFaultProxy } from '../../helpers/fault-proxy.js';
import { scratchFolder } from '../../helpers/processes.js';
import { startSshd, type Sshd } from '../../helpers/sshd.js';
import { expectSameBytes, readAll } from '../conformance/expectations.js';
import { bytesOf } from '../conformance/tree.js';
import { openSftp, seedFolder, type OpenSftpOptions } from './testbed.js';

const LONG_MS = 120_000;
const LARGE = bytesOf(11, 3 * 1024 * 1024 + 5);

let sshd: Sshd;
let base: string;
let root: string;

beforeAll(async () => {
  sshd = await startSshd();
  base = scratchFolder('sftp-tree');
  root = join(base, 'root');
  await mkdir(join(base, 'outside'), { recursive: true });
  await seedFolder(root, [
    { path: 'data/w.bin', bytes: Buffer.from('weights') },
    { path: 'data/deep/x.bin', bytes: Buffer.from('deep') },
    { path: 'large.bin', bytes: LARGE },
  ]);
  await seedFolder(base, [{ path: 'outside/secret.txt', bytes: Buffer.from('secret') }]);
}, LONG_MS);

afterAll(async () => {
  await sshd.stop();
  await rm(base, { recursive: true, force: true });
}, LONG_MS);

async function withStore<T>(
  use: (store: Store) => Promise<T>,
  options: OpenSftpOptions = {},
  at = root,
): Promise<T> {
  const store = await openSftp(sshd, at, options);
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

async function entriesOf(store: Store, prefix: string): Promise<ObjectEntry[]> {
  const entries: ObjectEntry[] = [];
  for await (const entry of store.list(prefix, { recursive: true })) entries.push(entry);
  return entries;
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'no error',
    (error: unknown) => {
      if (!(error instanceof WaybillError)) throw error;
      return error.code;
    },
  );
}

describe('rule 24: links', () => {
  beforeAll(async () => {
    const links = join(root, 'links');
    await mkdir(links);
    const targets: Record<string, string> = {
      file: '../data/w.bin',
      folder: '../data/deep',
      absolute: join(root, 'data/w.bin'),
      chain: 'file',
      out: join(base, 'outside/secret.txt'),
      'out-relative': '../../outside',
      nowhere: 'no-such-file',
      circle: 'circle',
      self: '.',
    };
    for (const [name, target] of Object.entries(targets)) await symlink(target, join(links, name));
  });

  it('inside the source are followed, others are files that fail', () =>
    withStore(async (store) => {
      const entries = await entriesOf(store, 'links');
      expect(entries.map(({ path, kind, sizeBytes }) => [path, kind, sizeBytes])).toEqual([
        ['links/absolute', 'file', 7],
        ['links/chain', 'file', 7],
        ['links/circle', 'file', undefined],
        ['links/file', 'file', 7],
        ['links/folder', 'directory', undefined],
        ['links/folder/x.bin', 'file', 4],
        ['links/nowhere', 'file', undefined],
        ['links/out', 'file', undefined],
        ['links/out-relative', 'file', undefined],
        ['links/self', 'file', undefined],
      ]);
      for (const path of ['links/absolute', 'links/chain', 'links/file']) {
        expect((await readAll(store, path)).toString()).toBe('weights');
      }
      expect((await readAll(store, 'links/folder/x.bin')).toString()).toBe('deep');
      for (const path of ['links/out', 'links/out-relative/secret.txt', 'links/circle']) {
        expect([path, await codeOf(store.openRead(path))]).toEqual([path, 'WB_UNSAFE_PATH']);
      }
      expect(await codeOf(store.openRead('../outside/secret.txt'))).toBe('WB_UNSAFE_PATH');
      expect(await codeOf(store.openRead('links/nowhere'))).toBe('WB_NOT_FOUND');
    }));

  it('as the root is followed once', async () => {
    await symlink(root, join(base, 'latest'));
    await withStore(
      async (store) => {
        expect((await readAll(store, 'data/w.bin')).toString()).toBe('weights');
        expect((await readAll(store, 'links/absolute')).toString()).toBe('weights');
      },
      {},
      join(base, 'latest'),
    );
  });
});

it('rule 24: special files are listed as such and never opened', async () => {
  const folder = join(root, 'special');
  await mkdir(folder);
  execFileSync('mkfifo', [join(folder, 'pipe')]);
  await withStore(async (store) => {
    expect(await entriesOf(store, 'special')).toMatchObject([{ kind: 'special', special: 'fifo' }]);
    expect(await codeOf(store.openRead('special/pipe'))).toBe('WB_UNSUPPORTED');
    expect(await codeOf(store.stat('special/pipe'))).toBe('WB_UNSUPPORTED');
  });
});

it('a name that is no UTF-8 keeps its bytes, and is refused by name', async () => {
  const made = spawnSync('sh', ['-c', `mkdir names && printf x > "$(printf 'names/a\\377')"`], {
    cwd: root,
  });
  expect(made.status).toBe(0);
  await withStore(async (store) => {
    expect((await entriesOf(store, 'names')).map(({ path }) => path)).toEqual(['names/a\udcff']);
    expect(await codeOf(store.openRead('names/a\udcff'))).toBe('WB_UNSAFE_PATH');
  });
});

it('what the user may not read is said to be that', async () => {
  await seedFolder(root, [{ path: 'closed/f.bin', bytes: Buffer.from('x') }]);
  await chmod(join(root, 'closed/f.bin'), 0);
  await mkdir(join(root, 'locked'), { mode: 0 });
  await withStore(async (store) => {
    expect(await codeOf(store.openRead('closed/f.bin'))).toBe('WB_PERMISSION_DENIED');
    expect(await codeOf(entriesOf(store, 'locked'))).toBe('WB_PERMISSION_DENIED');
  });
  await rm(join(root, 'locked'), { recursive: true });
});

describe('a file that changes while it is read', () => {
  it.each([
    ['longer', Buffer.concat([LARGE, LARGE])],
    ['shorter', LARGE.subarray(0, 1_000_000)],
  ])('rule 12: into a %s one, is never a success', (name, after) =>
    withStore(async (store) => {
      const path = `changing-${name}.bin`;
      await seedFolder(root, [{ path, bytes: LARGE }]);
      const opened = await store.openRead(path);
      await writeFile(join(root, path), after);
      await utimes(join(root, path), new Date(), new Date(2001, 1, 1));
      const read = (async () => {
        for await (const chunk of opened.body) void chunk;
      })();
      expect(['WB_SOURCE_CHANGED', 'WB_SIZE_MISMATCH']).toContain(await codeOf(read));
    }),
  );
});

it('rule 27: a server that falls silent in the middle of a file is found out', async () => {
  const proxy = await startFaultProxy({ host: '127.0.0.1', port: sshd.port });
  proxy.setFault({ kind: 'stall', afterBytes: 400_000 });
  try {
    const settings = { WAYBILL_STALL_TIMEOUT: '2s' };
    const read = withStore((store) => readAll(store, 'large.bin'), { port: proxy.port, settings });
    expect(await codeOf(read)).toBe('WB_TIMEOUT');
  } finally {
    await proxy.stop();
  }
});

describe('the SHA-256 that the server computes', () => {
  const always = { settings: { WAYBILL_SFTP_CHECKSUM: 'always' } };
  const hostile = "it's $(touch pwned) `id` \\ \n -n.bin";

  it('is that of the file, whatever its name, and is told to be fresh', async () => {
    await seedFolder(root, [{ path: `sums/${hostile}`, bytes: LARGE }]);
    await withStore(async (store) => {
      const entry = await store.stat(`sums/${hostile}`, { wantsDigests: true });
      const fresh = { digests: { sha256: checksumOf('sha256', LARGE) }, areDigestsFresh: true };
      expect(entry).toMatchObject(fresh);
      const opened = await store.openRead(`sums/${hostile}`);
      opened.body.destroy();
      expect(opened).toMatchObject(fresh);
      // A pull that reads ranges has asked before: the server does not hash a large file twice.
      const range = await store.openRead(`sums/${hostile}`, { lengthBytes: LARGE.length });
      range.body.destroy();
      expect(range.digests).toBeUndefined();
      // The clock of the server is known all the same: what came of a file that is a minute old is kept after a kill.
      expect(Date.parse(range.answeredAt ?? '')).toBeGreaterThan(Date.now() - 60_000);
    }, always);
  });

  it('is asked for where it is worth it, and where it is wanted', async () => {
    const digestsAt = (path: string, options: OpenSftpOptions): Promise<unknown> =>
      withStore(async (store) => (await store.stat(path, { wantsDigests: true })).digests, options);
    expect(await digestsAt('large.bin', {})).toBeDefined();
    expect(await digestsAt('data/w.bin', {})).toBeUndefined();
    expect(await digestsAt('data/w.bin', always)).toBeDefined();
    const never = { settings: { WAYBILL_SFTP_CHECKSUM: 'never' } };
    expect(await digestsAt('large.bin', never)).toBeUndefined();
    await withStore(async (store) => {
      expect((await store.stat('large.bin')).digests).toBeUndefined();
    });
  });

  it('is nothing that a server without a shell has, and it works without', async () => {
    const bare = await startSshd({ isSftpOnly: true });
    const store = await openSftp(bare, root, always);
    try {
      expect((await store.stat('large.bin', { wantsDigests: true })).digests).toBeUndefined();
      expectSameBytes(await readAll(store, 'large.bin'), LARGE);
    } finally {
      await store.close();
      await bare.stop();
    }
  });
});

it('reads on one connection where the server allows no more', async () => {
  const narrow = await startSshd({ config: 'MaxSessions 1' });
  const store = await openSftp(narrow, root);
  try {
    const bodies = await Promise.all(Array.from({ length: 12 }, () => readAll(store, 'large.bin')));
    for (const bytes of bodies) expectSameBytes(bytes, LARGE);
  } finally {
    await store.close();
    await narrow.stop();
  }
});

it('the library of SSH is loaded for SSH alone', () => {
  const main = new URL('../../../src/cli/main.js', import.meta.url).pathname;
  const loadsLibrary = (source: string): boolean => {
    const ran = spawnSync(process.execPath, [main, 'ls', source], {
      env: { ...process.env, NODE_DEBUG: 'module' },
      maxBuffer: 256 * 1024 * 1024,
      timeout: LONG_MS,
    });
    return /node_modules\/ssh2\//u.test(ran.stderr.toString());
  };
  expect(loadsLibrary(join(root, 'data'))).toBe(false);
  expect(loadsLibrary('sftp://127.0.0.1:1/nothing')).toBe(true);
});
