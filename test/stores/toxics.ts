/**
 * The reading half of the contract of a store over a network that misbehaves: Toxiproxy before the real service. What is only slow
 * must come out right; what breaks is an error, never a short success, and the same store reads on when the network is back.
 *
 *     storeToxics({ name: 's3', traits: {...}, setup: () => startS3Testbed() });
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { startToxiproxy } from '../helpers/toxiproxy.js';
import type { ToxicName, ToxicProxy, Toxiproxy } from '../helpers/toxiproxy.js';
import {
  expectSameBytes,
  failureOf,
  filePaths,
  listAll,
  readAll,
  withStore,
} from './conformance/expectations.js';
import type { Bench } from './conformance/expectations.js';
import type { ConformanceSpec, Testbed } from './conformance/testbed.js';
import { BASIC, contentOf } from './conformance/tree.js';

const SETUP_TIMEOUT_MS = 120_000;
const MEDIUM = 'reads/medium.bin';

/** Slows down what it lets through. */
const SLOW: readonly (readonly [ToxicName, Record<string, number>])[] = [
  ['latency', { latency: 60, jitter: 40 }],
  ['bandwidth', { rate: 2_000 }],
  ['slow_close', { delay: 300 }],
  ['slicer', { average_size: 7_000, size_variation: 6_000, delay: 100 }],
];

/** Ends every connection before the file of 300,000 bytes is through. */
const BROKEN: readonly (readonly [ToxicName, Record<string, number>])[] = [
  ['limit_data', { bytes: 200_000 }],
  ['reset_peer', { timeout: 0 }],
  ['timeout', { timeout: 100 }],
];

/** Declares the cases for one store behind a network. */
export function storeToxics(spec: ConformanceSpec): void {
  let testbed: Testbed | undefined;
  let toxiproxy: Toxiproxy;
  let proxy: ToxicProxy;
  const bench: Bench = () => {
    if (testbed === undefined) throw new Error('the testbed did not start');
    return testbed;
  };
  const via = (): { host: string; port: number } => ({ host: '127.0.0.1', port: proxy.port });

  describe(`the store contract over a bad network, kept by ${spec.name}`, () => {
    beforeAll(async () => {
      [testbed, toxiproxy] = await Promise.all([spec.setup(), startToxiproxy()]);
      const small = [...BASIC].filter(([, bytes]) => bytes.length < 1_000_000);
      await testbed.seed(small.map(([path, bytes]) => ({ path, bytes })));
    }, SETUP_TIMEOUT_MS);
    afterAll(async () => {
      await toxiproxy.stop();
      await testbed?.stop();
    }, SETUP_TIMEOUT_MS);
    beforeEach(async () => {
      const { address } = bench();
      if (address === undefined) throw new Error('the testbed has no address');
      proxy = await toxiproxy.before(address.port);
    });

    it.each(SLOW)('rule 11: %s changes nothing but the time', async (toxic, attributes) => {
      await proxy.add(toxic, attributes);
      await withStore(
        bench,
        async (store) => {
          expect(filePaths(await listAll(store, 'reads', true))).toEqual([
            'reads/empty.bin',
            MEDIUM,
            'reads/one.bin',
          ]);
          expect((await store.stat(MEDIUM)).sizeBytes).toBe(300_000);
          const reads = await Promise.all([
            readAll(store, MEDIUM),
            readAll(store, MEDIUM, { offsetBytes: 100_000, lengthBytes: 150_000 }),
          ]);
          expectSameBytes(reads[0], contentOf(MEDIUM));
          expectSameBytes(reads[1], contentOf(MEDIUM).subarray(100_000, 250_000));
        },
        { via: via() },
      );
    });

    it.each(BROKEN)(
      'rules 6 and 11: %s is an error and no short success, and the same store reads on afterwards',
      async (toxic, attributes) => {
        await proxy.add(toxic, attributes);
        await withStore(
          bench,
          async (store) => {
            const read = readAll(store, MEDIUM);
            await failureOf(bench, ['WB_UNAVAILABLE', 'WB_TIMEOUT', 'WB_SIZE_MISMATCH'], read);
            await proxy.remove(toxic);
            expectSameBytes(await readAll(store, MEDIUM), contentOf(MEDIUM));
          },
          { via: via() },
        );
      },
    );

    it('nobody who listens is an error, and no missing file', async () => {
      await proxy.setUp(false);
      await withStore(
        bench,
        async (store) => {
          const listing = listAll(store, 'reads', true);
          await failureOf(bench, ['WB_UNAVAILABLE'], listing);
          await failureOf(bench, ['WB_UNAVAILABLE'], store.stat(MEDIUM));
          await proxy.setUp(true);
          expectSameBytes(await readAll(store, MEDIUM), contentOf(MEDIUM));
        },
        { via: via() },
      );
    });
  });
}
