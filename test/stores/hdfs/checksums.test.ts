/** When checksums are asked for, and of whom: gates before a real name node and a real data node see what comes. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Store } from '../../../src/stores/store.js';
import { md5OfCrcs } from '../../helpers/checksums.js';
import { startHadoop, type Hadoop } from '../../helpers/hadoop.js';
import { passOn, startHttpGate, type HttpGate } from '../../helpers/http-gate.js';
import { expectSameBytes, readAll } from '../conformance/expectations.js';
import { bytesOf } from '../conformance/tree.js';
import { withHdfs } from './testbed.js';

const LONG_MS = 180_000;
const BYTES = bytesOf(41, 70_001);
const SHAPE = 'crc32c/512/65536';
const SUM = 'GETFILECHECKSUM';

let hadoop: Hadoop;
let nameNode: HttpGate;
let dataNode: HttpGate;
/** What came: `name OPEN`, `data GETFILECHECKSUM`. */
const asked: string[] = [];
/** Runs before a request is passed on; false: it has been answered. */
let before: (who: string, op: string, response: ServerResponse) => Promise<boolean>;

beforeAll(async () => {
  hadoop = await startHadoop();
  await hadoop.putFile('/t/a.bin', BYTES, { block: 64 * 1024 });
  await hadoop.encrypt('/zone');
  for (const name of ['a', 'b']) await hadoop.putFile(`/zone/${name}.bin`, BYTES);
  const [node] = hadoop.dataNodes;
  const gateOf = (who: 'name' | 'data', port: number): Promise<HttpGate> =>
    startHttpGate((request, response) => void pass(who, port, request, response));
  dataNode = await gateOf('data', node?.http ?? 0);
  nameNode = await gateOf('name', hadoop.port);
}, LONG_MS);

afterAll(async () => {
  await nameNode.stop();
  await dataNode.stop();
  await hadoop.stop();
}, LONG_MS);

beforeEach(() => {
  asked.length = 0;
  before = () => Promise.resolve(true);
});

async function pass(
  who: 'name' | 'data',
  port: number,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const op = new URL(request.url ?? '', 'http://gate').searchParams.get('op') ?? '';
  asked.push(`${who} ${op}`);
  if (!(await before(who, op, response))) return;
  passOn(request, response, {
    port,
    back: ({ location, ...rest }) =>
      location === undefined
        ? rest
        : { ...rest, location: location.replace(/^http:\/\/[^/]+/, dataNode.url) },
  });
}

const withStore = <T>(folder: string, use: (store: Store) => Promise<T>): Promise<T> =>
  withHdfs(`webhdfs://127.0.0.1:${nameNode.port}${folder}`, use);

async function expectProven(store: Store): Promise<void> {
  const { body, digests } = await store.openRead('a.bin');
  body.destroy();
  expect(digests).toEqual({ md5crc: md5OfCrcs(SHAPE, BYTES) });
}

describe('the checksum of a file that is opened', () => {
  it('is asked of the data node that gives the bytes, while they come', () =>
    withStore('/t', async (store) => {
      let sumIsAsked: () => void;
      const isAsked = new Promise<void>((resolve) => (sumIsAsked = resolve));
      before = async (who, op) => {
        if (op === SUM) sumIsAsked();
        // The bytes wait for it: asked behind them it would never come.
        if (who === 'data' && op === 'OPEN') await isAsked;
        return true;
      };
      await expectProven(store);
      expect(asked.sort()).toEqual([
        'data GETFILECHECKSUM',
        'data OPEN',
        'name GETFILESTATUS',
        'name OPEN',
      ]);
    }));

  it('is asked of the name node where the data node has none to give', () =>
    withStore('/t', async (store) => {
      let refused = 0;
      before = (who, op, response) => {
        const isFirst = who === 'data' && op === SUM && (refused += 1) === 1;
        if (isFirst) response.writeHead(503).end();
        return Promise.resolve(!isFirst);
      };
      await expectProven(store);
      expect(asked.filter((one) => one.endsWith(SUM))).toEqual([
        `data ${SUM}`,
        `name ${SUM}`,
        `data ${SUM}`,
      ]);
    }));

  it('is asked for once more where a node that has the file could not be asked by HttpFS', () =>
    withStore('/t', async (store) => {
      let asks = 0;
      before = (who, op, response) => {
        const isFirst = who === 'name' && op === SUM && (asks += 1) === 1;
        if (isFirst) failedToGetBlock(response);
        return Promise.resolve(!isFirst);
      };
      const { digests } = await store.stat('a.bin', { wantsDigests: true });
      expect(digests).toEqual({ md5crc: md5OfCrcs(SHAPE, BYTES) });
    }));

  it('is not waited for where it is asked in vain twice', () =>
    withStore('/t', async (store) => {
      before = (_who, op, response) => {
        if (op === SUM) failedToGetBlock(response);
        return Promise.resolve(op !== SUM);
      };
      const { body, digests } = await store.openRead('a.bin');
      body.destroy();
      expect(digests).toBeUndefined();
      expect(asked.filter((one) => one.endsWith(SUM))).toHaveLength(2);
    }));

  it('is not asked for any more once a file has been found to lie encrypted', () =>
    withStore('/zone', async (store) => {
      expectSameBytes(await readAll(store, 'a.bin'), BYTES);
      asked.length = 0;
      expectSameBytes(await readAll(store, 'b.bin'), BYTES);
      expect(asked).not.toContain(`data ${SUM}`);
    }));
});

/** As HttpFS does when no node gives it the checksum of a block, whatever the reason. */
function failedToGetBlock(response: ServerResponse): void {
  const message = "`/t/a.bin': Fail to get block MD5 for BP-1:blk_1_1";
  const RemoteException = { exception: 'PathIOException', message };
  response.writeHead(500).end(JSON.stringify({ RemoteException }));
}
