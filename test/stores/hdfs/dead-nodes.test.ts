/** Data nodes that nobody answers at. The name node is a scripted one: those of a cluster in one process have one address. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Store } from '../../../src/stores/store.js';
import { readHdfsConfig } from '../../../src/stores/hdfs/config.js';
import { DeadNodes } from '../../../src/stores/hdfs/dead-nodes.js';
import { HdfsStore } from '../../../src/stores/hdfs/store.js';
import { closedPort } from '../../helpers/fault-proxy.js';

const DEAD = '127.0.0.9';
const BODY = Buffer.from('of a live node');

let server: Server;
let store: Store;
let deadPort: number;
/** What was asked of the name node, the nodes that were to be passed over. */
const asked: (string | null)[] = [];
/** Whether another node has the file, too. */
let isReplicated = true;

beforeAll(async () => {
  deadPort = await closedPort();
  server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://name-node');
    const op = url.searchParams.get('op');
    if (url.pathname.startsWith('/data')) {
      response.end(BODY);
    } else if (op === 'GETFILESTATUS') {
      const status = { pathSuffix: '', type: 'FILE', modificationTime: 1, fileId: 7 };
      response.end(JSON.stringify({ FileStatus: { ...status, length: BODY.length } }));
    } else {
      const excluded = url.searchParams.get('excludedatanodes');
      asked.push(excluded);
      const { port } = server.address() as AddressInfo;
      if (excluded === null) {
        response.writeHead(307, { location: `http://${DEAD}:${deadPort}/data` }).end();
      } else if (isReplicated) {
        response.writeHead(307, { location: `http://127.0.0.1:${port}/data` }).end();
      } else {
        // As chooseDatanode of Hadoop does.
        const message = 'No active nodes contain this block';
        const exception = { exception: 'IOException', javaClassName: 'java.io.IOException' };
        response.writeHead(403).end(JSON.stringify({ RemoteException: { ...exception, message } }));
      }
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterAll(async () => {
  await store.close();
  server.closeAllConnections();
  await new Promise<void>((resolve) => server.close(() => resolve()));
});

beforeEach(async () => {
  await (store as Store | undefined)?.close();
  const { port } = server.address() as AddressInfo;
  const settings = { WAYBILL_HDFS_CHECKSUM: 'never' };
  const address = { uri: `webhdfs://127.0.0.1:${port}/models`, settings, secrets: {} };
  store = new HdfsStore(await readHdfsConfig(address), address);
  asked.length = 0;
});

const read = async (): Promise<string> =>
  (await buffer((await store.openRead('a')).body)).toString();

describe('a data node that cannot be reached', () => {
  it('is passed over at once, and from then on, for another that has the file', async () => {
    isReplicated = true;
    expect(await read()).toBe(BODY.toString());
    expect(await read()).toBe(BODY.toString());
    expect(asked).toEqual([null, DEAD, DEAD]);
  });

  it('is named where no other has it, and asked again each time', async () => {
    isReplicated = false;
    for (const expected of [
      [null, DEAD],
      [DEAD, null],
    ]) {
      asked.length = 0;
      await expect(read()).rejects.toMatchObject({
        code: 'WB_UNAVAILABLE',
        retryable: true,
        message: expect.stringContaining(`${DEAD}:${deadPort}`),
      });
      expect(asked.slice(0, 2)).toEqual(expected);
    }
  });

  it('is asked for again after a minute, by its address', async () => {
    let now = 0;
    const nodes = new DeadNodes(() => now);
    await nodes.add('[::1]');
    await nodes.add('localhost');
    expect(nodes.query()['excludedatanodes']).toMatch(/^::1,(127\.0\.0\.1|::1)$|^::1$/);
    now = 60_001;
    expect(nodes.query()).toEqual({});
  });
});
