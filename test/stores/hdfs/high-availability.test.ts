/** A name service with two name nodes, and the mount table of a viewfs over it. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Store } from '../../../src/stores/store.js';
import { startHadoop, type Hadoop } from '../../helpers/hadoop.js';
import { expectSameBytes, filePaths, listAll, readAll } from '../conformance/expectations.js';
import { bytesOf } from '../conformance/tree.js';
import { openHdfs, withHdfs } from './testbed.js';
import { thrownBy } from '../../helpers/thrown-by.js';

const LONG_MS = 180_000;
const BYTES = bytesOf(4, 300_000);
const TABLE = 'fs.viewfs.mounttable.cluster.';

let hadoop: Hadoop;
let settings: { readonly HADOOP_CONF_DIR: string };

beforeAll(async () => {
  hadoop = await startHadoop({ nameService: 'lake' });
  settings = {
    HADOOP_CONF_DIR: hadoop.userConf({
      coreSite: {
        [`${TABLE}link./models`]: 'hdfs://lake/real/models',
        [`${TABLE}link./data/raw`]: 'hdfs://lake/real/raw',
        [`${TABLE}link./cloud`]: 's3a://bucket/prefix',
      },
    }),
  };
  await hadoop.putFile('/real/models/churn/w.bin', BYTES);
  await hadoop.putFile('/real/raw/part-0', Buffer.from('raw'));
}, LONG_MS);

afterAll(() => hadoop.stop(), LONG_MS);

function withStore<T>(uri: string, use: (store: Store) => Promise<T>): Promise<T> {
  return withHdfs(uri, use, { settings });
}

describe('a name service', () => {
  it(
    'is asked at whichever of its name nodes is active, and again after a failover',
    () =>
      withStore('hdfs://lake/real/models', async (store) => {
        expectSameBytes(await readAll(store, 'churn/w.bin'), BYTES);
        await hadoop.setStandby(0);
        const none = await thrownBy(store.stat('churn/w.bin'));
        expect(none).toMatchObject({ code: 'WB_UNAVAILABLE', scope: 'source', retryable: true });
        expect(none.message).toContain('none of the name nodes of hdfs://lake is active');
        await hadoop.setActive(1);
        expectSameBytes(await readAll(store, 'churn/w.bin'), BYTES);
        expect(filePaths(await listAll(store, '', true))).toEqual(['churn/w.bin']);
      }),
    LONG_MS,
  );

  it(
    'goes on where one of them is not there',
    async () => {
      await hadoop.stopNameNode(0);
      try {
        await withStore('hdfs:///real/models', async (store) => {
          expectSameBytes(await readAll(store, 'churn/w.bin'), BYTES);
        });
      } finally {
        await hadoop.startNameNode(0);
      }
    },
    LONG_MS,
  );

  it('that nobody has heard of says so', async () => {
    await withStore('hdfs://pond/x', async (store) => {
      const error = await thrownBy(store.stat(''));
      expect(error.code).toBe('WB_UNAVAILABLE');
      expect(error.message).toContain('pond');
    });
  });
});

describe('a mount table', () => {
  it('is a folder with what its links lead to', () =>
    withStore('viewfs://cluster/', async (store) => {
      expect(await store.stat('')).toEqual({ path: '', kind: 'directory' });
      expect(await store.stat('data')).toMatchObject({ kind: 'directory' });
      const found = await listAll(store, 'data', true);
      expect(found.map(({ path, kind }) => [path, kind])).toEqual([
        ['data/raw', 'directory'],
        ['data/raw/part-0', 'file'],
      ]);
      expectSameBytes(await readAll(store, 'models/churn/w.bin'), BYTES);
    }));

  it('may be left out where it is the default, and names a link that is no HDFS', async () => {
    await withStore('viewfs://cluster/models', async (store) => {
      expect(filePaths(await listAll(store, '', true))).toEqual(['churn/w.bin']);
    });
    await withStore('viewfs://cluster/', async (store) => {
      const found = await listAll(store, '', false);
      expect(found.map(({ path, kind }) => [path, kind])).toEqual([
        ['cloud', 'file'],
        ['data', 'directory'],
        ['models', 'directory'],
      ]);
      const error = await thrownBy(store.openRead('cloud/x'));
      expect(error.code).toBe('WB_UNSUPPORTED');
      expect(error.message).toContain('s3a://bucket/prefix');
    });
  });

  it('that nobody has heard of says so', async () => {
    const error = await thrownBy(openHdfs('viewfs://other/x', { settings }));
    expect(error.code).toBe('WB_CONFIG_INVALID');
    expect(error.message).toContain('viewfs://other');
  });
});
