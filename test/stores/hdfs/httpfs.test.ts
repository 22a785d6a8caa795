/**
 * HttpFS, the gateway that answers itself, before a real cluster; and what it, and the data nodes, say of files whose bytes lie
 * otherwise on the disks: erasure-coded, encrypted, or with checksums of two kinds.
 */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Digests } from '../../../src/model/object-entry.js';
import type { Store } from '../../../src/stores/store.js';
import { checksumOf, md5OfCrcs } from '../../helpers/checksums.js';
import { startHadoop, type Hadoop } from '../../helpers/hadoop.js';
import { scratchFolder } from '../../helpers/processes.js';
import { thrownBy } from '../../helpers/thrown-by.js';
import { expectSameBytes, filePaths, listAll, readAll } from '../conformance/expectations.js';
import { bytesOf } from '../conformance/tree.js';
import { SUPER_USER, withHdfs, type OpenHdfsOptions } from './testbed.js';

const LONG_MS = 180_000;
const KiB = 1024;
const COMPOSITE = { hdfsSite: { 'dfs.checksum.combine.mode': 'COMPOSITE_CRC' } };
const LARGE = bytesOf(21, 3 * 1024 * KiB + 5);
/** As few as have two kinds of checksum. */
const TWO_KINDS = bytesOf(22, 128 * KiB);
const FILES = [
  ['large.bin', LARGE, { block: 1024 * KiB }],
  ['small.bin', LARGE.subarray(0, 1_000), {}],
  ['chunks.bin', LARGE.subarray(0, 70_001), { block: 8 * KiB, bytesPerChecksum: KiB }],
  ['crc32.bin', LARGE.subarray(0, 70_002), { block: 4 * KiB, checksum: 'CRC32' }],
  ['empty.bin', LARGE.subarray(0, 0), {}],
] as const;

let hadoop: Hadoop;
/** Of the HttpFS that runs. */
let url: string;

beforeAll(async () => {
  hadoop = await startHadoop({ dataNodes: 3 });
  for (const [name, bytes, options] of FILES) await hadoop.putFile(`/t/${name}`, bytes, options);
  await hadoop.erasureCode('/coded', 'XOR-2-1-1024k');
  await hadoop.encrypt('/zone');
  for (const folder of ['/coded', '/zone']) await hadoop.putFile(`${folder}/large.bin`, LARGE);
  await putTwoKinds();
}, LONG_MS);

afterAll(() => hadoop.stop(), LONG_MS);

/** One block with checksums of one kind, and another of another. */
async function putTwoKinds(): Promise<void> {
  const folder = scratchFolder('hdfs-two-kinds');
  const block = 64 * KiB;
  const more = join(folder, 'more');
  await writeFile(more, TWO_KINDS.subarray(block));
  for (const [name, options] of [
    ['types', { checksum: 'CRC32' }],
    ['sizes', { bytesPerChecksum: KiB }],
  ] as const) {
    const path = `/two/${name}.bin`;
    await hadoop.putFile(path, TWO_KINDS.subarray(0, block), { block, ...options });
    await hadoop.dfs(['-appendToFile', more, path]);
  }
  await rm(folder, { recursive: true });
}

function withGateway<T>(
  root: string,
  use: (store: Store) => Promise<T>,
  { settings, secrets = {} }: OpenHdfsOptions = {},
): Promise<T> {
  const own = { HADOOP_USER_NAME: SUPER_USER, WAYBILL_HDFS_URL: url };
  return withHdfs(`hdfs://${root}`, use, { settings: { ...own, ...settings }, secrets });
}

/** What it says of a file, whose bytes are looked at, too. */
async function digestsOf(store: Store, name: string, bytes: Buffer): Promise<Digests> {
  expectSameBytes(await readAll(store, name), bytes);
  const { digests = {} } = await store.stat(name, { wantsDigests: true });
  return digests;
}

/** By a data node, without the gateway. */
const plainly = (root: string, name: string, bytes: Buffer): Promise<Digests> =>
  withHdfs(`hdfs://${root}`, (store) => digestsOf(store, name, bytes), { settings: hadoop.env });

describe('an HttpFS that combines checksums', () => {
  beforeAll(async () => {
    url = await hadoop.startHttpFs(COMPOSITE);
  }, LONG_MS);

  it('says the CRC of the whole file, however it is cut, and it is that of the bytes', () =>
    withGateway('/t', async (store) => {
      for (const [name, bytes] of FILES) {
        const crc = name === 'crc32.bin' ? 'crc32' : 'crc32c';
        const expected =
          bytes.length === 0
            ? { md5crc: md5OfCrcs('crc32/512/1048576', bytes) }
            : { [crc]: checksumOf(crc, bytes) };
        expect({ name, digests: await digestsOf(store, name, bytes) }).toEqual({
          name,
          digests: expected,
        });
      }
    }));

  it('says it of an erasure-coded file too, and of an encrypted one nothing that counts', async () => {
    await withGateway('/coded', async (store) => {
      const digests = await digestsOf(store, 'large.bin', LARGE);
      expect(digests).toEqual({ crc32c: checksumOf('crc32c', LARGE) });
    });
    await withGateway('/zone', async (store) => {
      expect(await digestsOf(store, 'large.bin', LARGE)).toEqual({});
      const asked = `${url}/webhdfs/v1/zone/large.bin?op=GETFILECHECKSUM&user.name=${SUPER_USER}`;
      const said = await (await fetch(asked)).text();
      expect(said).toContain('COMPOSITE-CRC32C');
      expect(said).not.toContain(checksumOf('crc32c', LARGE));
    });
  });

  it('lists and pins as a name node does, by its own address and port', async () => {
    const address = `webhdfs://${new URL(url).host}/t`;
    const listed = await withHdfs(address, (store) => listAll(store, '', true));
    expect(filePaths(listed)).toEqual(FILES.map(([name]) => name).sort());
    const direct = await withHdfs('hdfs:///t', (store) => listAll(store, '', true), {
      settings: hadoop.env,
    });
    expect(listed).toEqual(direct);
    expect(listed[0]?.pin?.strength).toBe('strong');
  });

  it('reads ranges, and says what lies behind the end', () =>
    withGateway('/t', async (store) => {
      const [offsetBytes, lengthBytes] = [1024 * KiB - 3, 1024 * KiB];
      expectSameBytes(
        await readAll(store, 'large.bin', { offsetBytes, lengthBytes }),
        LARGE.subarray(offsetBytes, offsetBytes + lengthBytes),
      );
      const behind = store.openRead('large.bin', { offsetBytes: LARGE.length + 1 });
      expect((await thrownBy(behind)).code).toBe('WB_SIZE_MISMATCH');
    }));
});

describe('who asks an HttpFS', () => {
  it('by a name is believed, and without one turned away', async () => {
    await withGateway(
      '/t',
      async (store) => {
        const error = await thrownBy(store.stat('large.bin'));
        expect(error.code).toBe('WB_UNAUTHENTICATED');
        expect(error.message).toContain('set HADOOP_USER_NAME');
      },
      { settings: { WAYBILL_HDFS_IDENTITY: 'none' } },
    );
    await hadoop.putFile('/closed/f.bin', 'x');
    await hadoop.dfs(['-chmod', '700', '/closed']);
    await withGateway(
      '/closed',
      async (store) => {
        for (const asked of [store.openRead('f.bin'), listAll(store, '', true)]) {
          const error = await thrownBy(asked);
          expect(error.code).toBe('WB_PERMISSION_DENIED');
          expect(error.message).toContain('mallory (HADOOP_USER_NAME)');
        }
      },
      { settings: { HADOOP_USER_NAME: 'mallory' } },
    );
  });

  it('may show a delegation token that it gave, until that is cancelled', async () => {
    const asked = `${url}/webhdfs/v1/?op=GETDELEGATIONTOKEN&user.name=ada`;
    const said = (await (await fetch(asked)).json()) as {
      readonly Token: { readonly urlString: string };
    };
    const token = said.Token.urlString;
    const given = { secrets: { WAYBILL_HDFS_TOKEN: token } };
    await withGateway(
      '/t',
      async (store) => expectSameBytes(await readAll(store, 'large.bin'), LARGE),
      given,
    );
    const cancel = `op=CANCELDELEGATIONTOKEN&user.name=ada&token=${token}`;
    expect((await fetch(`${url}/webhdfs/v1/?${cancel}`, { method: 'PUT' })).status).toBe(200);
    await withGateway(
      '/t',
      async (store) => {
        const error = await thrownBy(store.openRead('large.bin'));
        expect(error.code).toBe('WB_UNAUTHENTICATED');
        expect(error.message).toContain('WAYBILL_HDFS_TOKEN');
        expect(error.message).not.toContain(token);
      },
      given,
    );
  });

  it('hears what is missing where the name nodes let it ask for nobody', async () => {
    url = await hadoop.startHttpFs({ mayAskForOthers: false });
    await withGateway('/t', async (store) => {
      const error = await thrownBy(store.stat('large.bin'));
      expect(error).toMatchObject({ code: 'WB_PERMISSION_DENIED', retryable: false });
      expect(error.message).toContain('hadoop.proxyuser.');
    });
  });
});

describe('checksums of checksums', () => {
  beforeAll(async () => {
    url = await hadoop.startHttpFs();
  }, LONG_MS);

  const answers = async (root: string, name: string, bytes: Buffer): Promise<Digests[]> => [
    await plainly(root, name, bytes),
    await withGateway(root, (store) => digestsOf(store, name, bytes)),
  ];

  it('are the same by HttpFS as by a data node', async () => {
    for (const [name, bytes] of FILES) {
      const [direct, gateway] = await answers('/t', name, bytes);
      expect(Object.keys(direct ?? {})).toEqual(['md5crc']);
      expect(gateway).toEqual(direct);
    }
  });

  it.each([
    ['erasure-coded', '/coded', 'large.bin', LARGE],
    ['encrypted', '/zone', 'large.bin', LARGE],
    ['with CRCs of two types', '/two', 'types.bin', TWO_KINDS],
    ['with CRCs of chunks of two sizes', '/two', 'sizes.bin', TWO_KINDS],
  ] as const)(
    'cannot be had of a file that is %s: it is read all the same',
    async (_, root, name, bytes) => {
      expect(await answers(root, name, bytes)).toEqual([{}, {}]);
    },
  );
});
