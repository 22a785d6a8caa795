/** What a real cluster says of its files, what it refuses, and what changes under a reader. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { WaybillError } from '../../../src/model/errors.js';
import type { Store } from '../../../src/stores/store.js';
import { checksumOf, md5OfCrcs } from '../../helpers/checksums.js';
import { startHadoop, type Hadoop } from '../../helpers/hadoop.js';
import { expectSameBytes, listAll, readAll } from '../conformance/expectations.js';
import { bytesOf } from '../conformance/tree.js';
import { startGateway, type Gateway } from './gateway.js';
import { openHdfs, putSeeds, SUPER_USER, withHdfs, type OpenHdfsOptions } from './testbed.js';
import { thrownBy } from '../../helpers/thrown-by.js';

const LONG_MS = 180_000;
const MiB = 1024 * 1024;
const LARGE = bytesOf(11, 3 * MiB + 5);

let hadoop: Hadoop;
let gateway: Gateway;

beforeAll(async () => {
  hadoop = await startHadoop({ conf: { 'dfs.ls.limit': '3' } });
  gateway = await startGateway(hadoop.port, 'ada:geheim');
  await hadoop.dfs(['-mkdir', '-p', '/t/closed']);
  await hadoop.putFile('/t/large.bin', LARGE);
}, LONG_MS);

afterAll(async () => {
  await gateway.stop();
  await hadoop.stop();
}, LONG_MS);

function withStore<T>(
  uri: string,
  use: (store: Store) => Promise<T>,
  options: OpenHdfsOptions = {},
): Promise<T> {
  return withHdfs(uri, use, { ...options, settings: { ...hadoop.env, ...options.settings } });
}

describe('the address', () => {
  it('may be the default one, that of the RPC port, that of WebHDFS, or a mount table', async () => {
    const { port, rpcPort } = hadoop;
    for (const uri of [
      'hdfs:///t',
      `hdfs://127.0.0.1:${rpcPort}/t`,
      `webhdfs://127.0.0.1:${port}/t`,
      'webhdfs:///t',
    ]) {
      await withStore(uri, async (store) => {
        expect((await store.stat('large.bin')).sizeBytes).toBe(LARGE.length);
      });
    }
  });

  it('may be that of one file', () =>
    withStore('hdfs:///t/large.bin', async (store) => {
      expect(await store.stat('')).toMatchObject({ kind: 'file', sizeBytes: LARGE.length });
      expectSameBytes(await readAll(store, ''), LARGE);
    }));
});

it(
  'lists a folder of several pages in byte order, whatever the order of its server',
  async () => {
    const names = ['é', '模.bin', '.hidden', '0', 'a', 'aé', 'a.txt', 'a0', 'z', 'Z'];
    await putSeeds(hadoop, '/t', [
      ...names
        .filter((name) => name !== 'a')
        .map((name) => ({
          path: `order/${name}`,
          bytes: Buffer.from('x'),
        })),
      { path: 'order/a/é', bytes: Buffer.from('x') },
      { path: 'order/a/b', bytes: Buffer.from('x') },
    ]);
    await withStore('hdfs:///t/order', async (store) => {
      const found: string[] = [];
      for await (const { path } of store.list('', { recursive: true })) found.push(path);
      const sorted = [...names, 'a/é', 'a/b'].sort((a, b) =>
        Buffer.compare(Buffer.from(a), Buffer.from(b)),
      );
      expect(found).toEqual(sorted);
    });
  },
  LONG_MS,
);

it(
  'reads a name whose accents are written apart, which name nodes redirect wrongly',
  async () => {
    const path = 'cafe\u0301.txt';
    await putSeeds(hadoop, '/t', [{ path: `accents/${path}`, bytes: Buffer.from('apart') }]);
    await withStore('hdfs:///t/accents', async (store) => {
      expect((await readAll(store, path)).toString()).toBe('apart');
    });
  },
  LONG_MS,
);

describe('rule 12: the version', () => {
  it('is another one when the file is replaced by as many bytes, or appended to', async () => {
    const path = '/t/changing.bin';
    await hadoop.putFile(path, Buffer.from('one'));
    await withStore('hdfs:///t', async (store) => {
      const { pin } = await store.stat('changing.bin');
      expect(pin?.strength).toBe('strong');
      await hadoop.dfs(['-rm', '-skipTrash', path]);
      await hadoop.putFile(path, Buffer.from('two'));
      if (pin === undefined) throw new Error('no pin');
      const replaced = await thrownBy(store.openRead('changing.bin', { pin }));
      expect(replaced.code).toBe('WB_SOURCE_CHANGED');
      const second = (await store.stat('changing.bin')).pin;
      if (second === undefined) throw new Error('no pin');
      const folder = await mkdtemp(join(tmpdir(), 'waybill-hdfs-more-'));
      await writeFile(join(folder, 'more'), 'more');
      await hadoop.dfs(['-appendToFile', join(folder, 'more'), path]);
      await rm(folder, { recursive: true });
      const appended = await thrownBy(store.openRead('changing.bin', { pin: second }));
      expect(appended.code).toBe('WB_SOURCE_CHANGED');
      expect((await readAll(store, 'changing.bin')).toString()).toBe('twomore');
    });
  }, 60_000);

  it('of a snapshot stays', async () => {
    await hadoop.putFile('/t/snap/w.bin', Buffer.from('before'));
    const allow = `/webhdfs/v1/t/snap?op=ALLOWSNAPSHOT&user.name=${SUPER_USER}`;
    const allowed = await fetch(`http://127.0.0.1:${hadoop.port}${allow}`, { method: 'PUT' });
    expect(allowed.status).toBe(200);
    await hadoop.dfs(['-createSnapshot', '/t/snap', 's1']);
    await hadoop.dfs(['-rm', '-skipTrash', '/t/snap/w.bin']);
    await withStore('hdfs:///t/snap/.snapshot/s1', async (store) => {
      expect((await listAll(store, '', true)).map(({ path }) => path)).toEqual(['w.bin']);
      expect((await readAll(store, 'w.bin')).toString()).toBe('before');
    });
  }, 60_000);
});

describe('the checksum', () => {
  const CASES = [
    ['of several blocks', 3 * MiB + 5, { block: MiB }, 'crc32c/512/1048576'],
    ['of whole blocks', 2 * MiB, { block: MiB }, 'crc32c/512/1048576'],
    ['of one block that is not full', 1_000, { block: MiB }, 'crc32c/512/1048576'],
    [
      'of five blocks and other chunks',
      4 * 8_192 + 1,
      { block: 8_192, bytesPerChecksum: 1_024 },
      'crc32c/1024/8192',
    ],
    ['with CRC32', 70_001, { block: 4_096, checksum: 'CRC32' }, 'crc32/512/4096'],
    ['of nothing', 0, { block: MiB }, 'crc32/512/1048576'],
  ] as const;

  it.each(CASES)('%s is that of the bytes', async (title, length, options, shape) => {
    const bytes = bytesOf(9, length);
    const name = `${title.replaceAll(' ', '-')}.bin`;
    await hadoop.putFile(`/t/sums/${name}`, bytes, options);
    await withStore('hdfs:///t/sums', async (store) => {
      const digests = { md5crc: md5OfCrcs(shape, bytes) };
      expect((await store.stat(name, { wantsDigests: true })).digests).toEqual(digests);
      const opened = await store.openRead(name);
      opened.body.destroy();
      expect(opened.digests).toEqual(digests);
    });
  });

  it('is not asked for where nobody wants it', () =>
    withStore(
      'hdfs:///t',
      async (store) => {
        const { digests } = await store.stat('large.bin', { wantsDigests: true });
        expect(digests).toBeUndefined();
      },
      { settings: { WAYBILL_HDFS_CHECKSUM: 'never' } },
    ));

  it('that HttpFS has where it combines them is the CRC of the file', async () => {
    const crc32c = checksumOf('crc32c', LARGE);
    gateway.instead.set('GETFILECHECKSUM', (response) => {
      const FileChecksum = { algorithm: 'COMPOSITE-CRC32C', bytes: crc32c, length: 4 };
      response.end(JSON.stringify({ FileChecksum }));
    });
    const settings = { WAYBILL_HDFS_URL: gateway.url, HADOOP_USER_NAME: 'ada' };
    const secrets = { WAYBILL_HDFS_PASSWORD: 'geheim' };
    await withStore(
      'hdfs:///t',
      async (store) => {
        const { digests } = await store.stat('large.bin', { wantsDigests: true });
        expect(digests).toEqual({ crc32c });
      },
      { settings, secrets },
    ).finally(() => gateway.instead.clear());
  });
});

describe('who may not read', () => {
  it('is told so, by name, and never that the file is missing', async () => {
    await hadoop.putFile('/t/closed/f.bin', Buffer.from('x'));
    await hadoop.dfs(['-chmod', '700', '/t/closed']);
    await withStore(
      'hdfs:///t',
      async (store) => {
        for (const asked of [
          store.openRead('closed/f.bin'),
          store.stat('closed/nothing'),
          listAll(store, 'closed', true),
        ]) {
          const error = await thrownBy(asked);
          expect(error.code).toBe('WB_PERMISSION_DENIED');
          expect(error.message).toContain('mallory (HADOOP_USER_NAME)');
        }
      },
      { settings: { HADOOP_USER_NAME: 'mallory' } },
    );
    await withStore('hdfs:///t', async (store) => {
      expect((await readAll(store, 'closed/f.bin')).toString()).toBe('x');
    });
  });

  it('at a gateway with a wrong password is WB_UNAUTHENTICATED, and no message holds it', async () => {
    const settings = { WAYBILL_HDFS_URL: gateway.url, HADOOP_USER_NAME: 'ada' };
    const wrong = { settings, secrets: { WAYBILL_HDFS_PASSWORD: 'wrong-password' } };
    await withStore(
      'hdfs:///t',
      async (store) => {
        const error = await thrownBy(store.stat('large.bin'));
        expect(error.code).toBe('WB_UNAUTHENTICATED');
        expect(error.message).toContain('WAYBILL_HDFS_PASSWORD');
        expect(error.message).not.toContain('wrong-password');
      },
      wrong,
    );
    await withStore(
      'hdfs:///t',
      async (store) => expectSameBytes(await readAll(store, 'large.bin'), LARGE),
      { settings, secrets: { WAYBILL_HDFS_PASSWORD: 'geheim' } },
    );
  });
});

it('rule 4: the password of a gateway stays there when it redirects to another host', async () => {
  const elsewhere = await startGateway(hadoop.port);
  const seen: (string | undefined)[] = [];
  elsewhere.instead.set('OPEN', (response) => {
    seen.push(response.req.headers.authorization, response.req.headers.cookie);
    response.end('x');
  });
  gateway.instead.set('OPEN', (response) => {
    response.writeHead(307, { location: `${elsewhere.url}/webhdfs/v1/t/large.bin?op=OPEN` }).end();
  });
  try {
    await withStore(
      'hdfs:///t',
      async (store) => {
        const error = await thrownBy(store.openRead('large.bin'));
        expect(error.code).toMatch(/WB_SIZE_MISMATCH|WB_SOURCE_CHANGED/);
      },
      {
        settings: { WAYBILL_HDFS_URL: gateway.url, HADOOP_USER_NAME: 'ada' },
        secrets: { WAYBILL_HDFS_PASSWORD: 'geheim' },
      },
    );
    expect(seen).toEqual([undefined, undefined]);
  } finally {
    gateway.instead.clear();
    await elsewhere.stop();
  }
});

it('safe mode, a busy server and a page of something else are said to be that', async () => {
  const open = { settings: { WAYBILL_HDFS_URL: gateway.url, HADOOP_USER_NAME: 'ada' } };
  const secrets = { WAYBILL_HDFS_PASSWORD: 'geheim' };
  const said = async (status: number, body: unknown): Promise<WaybillError> => {
    gateway.instead.set('GETFILESTATUS', (response) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(typeof body === 'string' ? body : JSON.stringify(body));
    });
    return withStore('hdfs:///t', (store) => thrownBy(store.stat('x')), { ...open, secrets });
  };
  const remote = (exception: string, message = ''): unknown => ({
    RemoteException: { exception, javaClassName: `org.apache.${exception}`, message },
  });
  try {
    const safe = await said(
      403,
      remote('SafeModeException', 'Cannot read /x. Name node is in safe mode.'),
    );
    expect(safe).toMatchObject({ code: 'WB_UNAVAILABLE', scope: 'source', retryable: true });
    expect(await said(403, remote('StandbyException'))).toMatchObject({ code: 'WB_UNAVAILABLE' });
    expect(await said(401, remote('SecretManager$InvalidToken', 'token expired'))).toMatchObject({
      code: 'WB_UNAUTHENTICATED',
    });
    expect(await said(200, '<html><title>Sign in</title></html>')).toMatchObject({
      code: 'WB_CONFIG_INVALID',
    });
  } finally {
    gateway.instead.clear();
  }
});

it('a file system of an old release, without pages, is listed all the same', async () => {
  gateway.instead.set('LISTSTATUS_BATCH', (response) => {
    const message = 'Invalid value for webhdfs parameter "op": No enum constant LISTSTATUS_BATCH';
    const failure = { exception: 'IllegalArgumentException', message };
    response.writeHead(400, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ RemoteException: failure }));
  });
  try {
    await withStore(
      'hdfs:///t/order',
      async (store) => expect(await listAll(store, '', true)).toHaveLength(12),
      {
        settings: { WAYBILL_HDFS_URL: gateway.url, HADOOP_USER_NAME: SUPER_USER },
        secrets: { WAYBILL_HDFS_PASSWORD: 'geheim', username: 'ada' },
      },
    );
  } finally {
    gateway.instead.clear();
  }
});

it('what has no answer from anybody says who was asked', async () => {
  const error = await thrownBy(
    openHdfs('hdfs:///x', { settings: {} }).then((store) => store.close()),
  );
  expect(error.code).toBe('WB_CONFIG_INVALID');
  expect(error.message).toContain('HADOOP_CONF_DIR');
});
