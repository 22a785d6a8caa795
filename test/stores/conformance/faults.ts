/** Cases of the suite: faults of the network, of credentials, and aborts. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { closedPort, startFaultProxy } from '../../helpers/fault-proxy.js';
import type { Fault } from '../../helpers/fault-proxy.js';
import { eventually, failureOf, listAll, readAll, withStore } from './expectations.js';
import type { Bench } from './expectations.js';
import type { OpenOptions, StoreTraits, Testbed } from './testbed.js';

/** Every store. */
export function abortCases(bench: Bench): void {
  describe('abort', () => {
    it('before a call rejects it with the reason of the signal', () =>
      withStore(bench, async (store) => {
        const reason = new Error('stopped by the caller');
        const signal = AbortSignal.abort(reason);
        await expect(store.stat('basic/hello.txt', { signal })).rejects.toBe(reason);
        await expect(store.openRead('basic/hello.txt', { signal })).rejects.toBe(reason);
      }));

    it('in the middle of a body ends it with the reason of the signal', () =>
      withStore(bench, async (store) => {
        const reason = new Error('stopped by the caller');
        const controller = new AbortController();
        const opened = await store.openRead('reads/large.bin', { signal: controller.signal });
        const read = (async (): Promise<number> => {
          let total = 0;
          for await (const chunk of opened.body) {
            total += (chunk as Uint8Array).length;
            controller.abort(reason);
          }
          return total;
        })();
        await expect(read).rejects.toBe(reason);
      }));
  });
}

/** Stores with a credential. */
export function credentialCases(bench: Bench, traits: StoreTraits): void {
  const codes = traits.wrongCredentials ?? [];
  describe('wrong credentials', () => {
    it('are never taken for a missing file', () =>
      withStore(
        bench,
        async (store) => {
          const asked = [
            store.stat('basic/hello.txt'),
            store.stat('basic/absent.txt'),
            store.openRead('basic/hello.txt'),
            ...(traits.capabilities.canList
              ? [listAll(store, 'basic', true), listAll(store, 'basic/absent', true)]
              : []),
          ];
          for (const error of await Promise.all(asked.map((one) => failureOf(bench, codes, one)))) {
            expect(error.message).toMatch(traits.wrongCredentialsSay ?? /./);
          }
        },
        { wrongCredentials: true },
      ));
  });
}

/** Stores whose service keeps its files in containers that have names. */
export function nowhereCases(bench: Bench, says: RegExp): void {
  it('a container that is not there is said to be missing, and not a file of it', async () => {
    const store = await bench().openNowhere?.();
    if (store === undefined) throw new Error('the testbed opens nothing that is not there');
    const asked = [store.stat('a.txt'), store.openRead('a.txt'), listAll(store, '', true)];
    for (const error of await Promise.all(
      asked.map((one) => failureOf(bench, ['WB_NOT_FOUND'], one)),
    )) {
      expect(error.message).toMatch(says);
      expect(error.scope).toBe('source');
    }
    await store.close();
  });
}

/** Stores behind a network. */
export function networkCases(bench: Bench, traits: StoreTraits): void {
  let proxy: FaultProxies;
  const AFTER_BYTES = 200_000;

  describe('a network that fails', () => {
    beforeEach(async () => {
      proxy = await startFaultProxies(bench());
    });
    afterEach(() => proxy.stop());

    it.each(['cut', 'reset'] as const)(
      'rule 11: a connection %s in mid-body is never a short success',
      async (kind) => {
        proxy.setFault({ kind, afterBytes: AFTER_BYTES });
        await withStore(
          bench,
          async (store) => {
            const read = readAll(store, 'reads/medium.bin');
            await failureOf(bench, ['WB_SIZE_MISMATCH', 'WB_UNAVAILABLE'], read);
          },
          proxy.open,
        );
      },
    );

    it('a connection cut before the answer is no missing file', async () => {
      proxy.setFault({ kind: 'cut', afterBytes: 0 });
      await withStore(
        bench,
        async (store) => {
          await failureOf(bench, ['WB_UNAVAILABLE'], store.stat('basic/hello.txt'));
          await failureOf(bench, ['WB_UNAVAILABLE'], store.openRead('basic/hello.txt'));
          if (!traits.capabilities.canList) return;
          await failureOf(bench, ['WB_UNAVAILABLE'], listAll(store, 'basic', true));
        },
        proxy.open,
      );
    });

    it('an unreachable host is said to be one, with its name', async () => {
      const port = await closedPort();
      await withStore(
        bench,
        async (store) => {
          const codes = ['WB_UNAVAILABLE', 'WB_TIMEOUT'] as const;
          const error = await failureOf(bench, codes, store.stat('basic/hello.txt'));
          expect(error.message).toContain(String(port));
          expect(error.scope).toBe('source');
          expect(error.retryable).toBe(true);
        },
        { via: { host: '127.0.0.1', port } },
      );
    });

    it('an abort frees the socket of a body that stalls', async () => {
      proxy.setFault({ kind: 'stall', afterBytes: AFTER_BYTES });
      await withStore(
        bench,
        async (store) => {
          const controller = new AbortController();
          const { signal } = controller;
          const opened = await store.openRead('reads/large.bin', { signal });
          const ended = new Promise((resolve) => opened.body.once('error', resolve));
          opened.body.resume();
          const before = proxy.openConnections();
          expect(before).toBeGreaterThan(0);
          const reason = new Error('stopped by the caller');
          controller.abort(reason);
          expect(await ended).toBe(reason);
          await eventually('the socket is closed', () => proxy.openConnections() < before);
        },
        proxy.open,
      );
    });
  });
}

interface FaultProxies {
  /** How a store is opened behind them. */
  readonly open: OpenOptions;
  setFault(fault: Fault): void;
  openConnections(): number;
  stop(): Promise<void>;
}

/** A proxy before every address of the service. */
async function startFaultProxies({ address, alsoAt = [] }: Testbed): Promise<FaultProxies> {
  if (address === undefined) throw new Error('the testbed has no address');
  const [via, ...viaAlso] = await Promise.all([address, ...alsoAt].map(startFaultProxy));
  if (via === undefined) throw new Error('no proxy was started');
  const all = [via, ...viaAlso];
  return {
    open: { via, viaAlso },
    setFault: (fault) => all.forEach((one) => one.setFault(fault)),
    openConnections: () => all.reduce((sum, one) => sum + one.openConnections(), 0),
    stop: async () => {
      await Promise.all(all.map((one) => one.stop()));
    },
  };
}
