/**
 * Cases of the suite: the contract once more over a network that misbehaves, Toxiproxy before the real service. What is only slow
 * changes nothing but the time. What breaks makes each call right or an error that may be tried again: never a short body, a
 * listing that lacks something, or a missing file; and the same store goes on when the network is well.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { ErrorCode } from '../../../src/model/errors.js';
import { startToxiproxy } from '../../helpers/toxiproxy.js';
import type { ToxicName, ToxicProxy, Toxiproxy } from '../../helpers/toxiproxy.js';
import { failureOf, withStore } from './expectations.js';
import type { Bench } from './expectations.js';
import { callsOf } from './calls.js';
import type { Call } from './calls.js';
import type { Address, OpenOptions, StoreTraits } from './testbed.js';

type Toxic = readonly [title: string, toxic: ToxicName, attributes: Record<string, number>];

const SLOW: readonly Toxic[] = [
  ['latency', 'latency', { latency: 25, jitter: 20 }],
  ['bandwidth', 'bandwidth', { rate: 4_000 }],
  ['slow_close', 'slow_close', { delay: 100 }],
  ['slicer', 'slicer', { average_size: 7_000, size_variation: 6_000, delay: 100 }],
];

/** Each ends every connection before the file of 300,000 bytes is through: in a greeting, a head, a listing, a body. */
const BROKEN: readonly Toxic[] = [
  ...[1, 40, 500, 4_000, 30_000, 200_000].map((bytes): Toxic => [
    `limit_data of ${bytes} bytes`,
    'limit_data',
    { bytes },
  ]),
  ['reset_peer at once', 'reset_peer', { timeout: 0 }],
  ['reset_peer after 30 ms', 'reset_peer', { timeout: 30 }],
  ['timeout', 'timeout', { timeout: 50 }],
];

const RETRYABLE: readonly ErrorCode[] = ['WB_UNAVAILABLE', 'WB_TIMEOUT', 'WB_SIZE_MISMATCH'];

/** Handshakes with real servers, many times over, on a busy machine. */
const LONG_MS = 120_000;

/** Stores behind a network. */
export function toxicCases(bench: Bench, traits: StoreTraits, manyFiles: number): void {
  const calls = callsOf(traits, manyFiles);
  const isPartly = traits.breaksInPart === true;
  let toxiproxy: Toxiproxy;
  let proxies: readonly ToxicProxy[];

  describe('through Toxiproxy', () => {
    beforeAll(async () => {
      toxiproxy = await startToxiproxy();
    }, LONG_MS);
    afterAll(() => toxiproxy.stop(), LONG_MS);
    beforeEach(async () => {
      const { address, alsoAt = [] } = bench();
      if (address === undefined) throw new Error('the testbed has no address');
      const before = ({ port }: Address): Promise<ToxicProxy> => toxiproxy.before(port);
      proxies = await Promise.all([address, ...alsoAt].map(before));
    });
    const forAll = (change: (proxy: ToxicProxy) => Promise<void>): Promise<unknown> =>
      Promise.all(proxies.map(change));
    const behind = (): OpenOptions => {
      const [via, ...viaAlso] = proxies.map(({ port }) => ({ host: '127.0.0.1', port }));
      return via === undefined ? {} : { via, viaAlso };
    };

    it.each(SLOW)(
      'rule 11: %s changes nothing but the time',
      async (_, toxic, attributes) => {
        await forAll((proxy) => proxy.add(toxic, attributes));
        await withStore(
          bench,
          (store) => Promise.all(calls.map((call) => call.isRight(store))),
          behind(),
        );
      },
      LONG_MS,
    );

    it.each(BROKEN)(
      'rules 6 and 11: %s makes errors that may be tried again, and nothing short; the same store goes on afterwards',
      async (_, toxic, attributes) => {
        await forAll((proxy) => proxy.add(toxic, attributes));
        await withStore(
          bench,
          async (store) => {
            const ends = await Promise.all(
              calls.map((call) => endOf(bench, call, call.isRight(store))),
            );
            if (!isPartly) {
              const whole = calls.findIndex(
                ({ moves }) => moves === 'more than a cut lets through',
              );
              expect(ends[whole]).toBe('failed');
            }
            await forAll((proxy) => proxy.remove(toxic));
            for (const call of calls) await call.isRight(store);
          },
          behind(),
        );
      },
      LONG_MS,
    );

    it(
      'nobody who listens is an error, and no missing file',
      async () => {
        await forAll((proxy) => proxy.setUp(false));
        await withStore(
          bench,
          async (store) => {
            const refused = calls.map((call) =>
              isPartly
                ? endOf(bench, call, call.isRight(store))
                : failureOf(bench, ['WB_UNAVAILABLE'], call.isRight(store)),
            );
            await Promise.all(refused);
            await forAll((proxy) => proxy.setUp(true));
            for (const call of calls) await call.isRight(store);
          },
          behind(),
        );
      },
      LONG_MS,
    );
  });
}

/** How a call ended that may fail; throws where it failed as it must not. */
async function endOf(
  bench: Bench,
  call: Call,
  made: Promise<unknown>,
): Promise<'right' | 'failed'> {
  const isRight = await made.then(
    () => true,
    () => false,
  );
  if (isRight) return 'right';
  const error = await failureOf(bench, RETRYABLE, made);
  expect([call.title, error.code, error.retryable]).toEqual([call.title, error.code, true]);
  return 'failed';
}
