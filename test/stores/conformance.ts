/**
 * The contract of a store as one suite, run over every store against its real service. Cases are picked by what
 * the store declares; what only one service does is tested in the store's own folder. A service behind a network is
 * asked once more through Toxiproxy (`conformance/toxics.ts`), without anything to call.
 *
 * In `test/stores/<name>/conformance.test.ts`:
 *
 *     storeConformance({ name: 's3', traits: {...}, setup: () => startS3Testbed() });
 */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { STORE_FACTORIES } from '../../src/stores/index.js';
import { abortCases, credentialCases, networkCases, nowhereCases } from './conformance/faults.js';
import { withStore } from './conformance/expectations.js';
import type { Bench } from './conformance/expectations.js';
import { listCases, nameCases, pagingCases, statCases } from './conformance/listing.js';
import { pinCases, rangeCases, readCases } from './conformance/reading.js';
import { servedPin, servesRanges } from './conformance/testbed.js';
import type { ConformanceSpec, Testbed } from './conformance/testbed.js';
import { toxicCases } from './conformance/toxics.js';
import { AWKWARD_NAMES, treeSeeds } from './conformance/tree.js';

/** Seeding 1,000 objects and starting a server take a while on a busy machine. */
const SETUP_TIMEOUT_MS = 120_000;

/** Declares the suite for one store. */
export function storeConformance(spec: ConformanceSpec): void {
  const { traits } = spec;
  const { capabilities } = traits;
  const manyFiles = traits.manyFiles ?? 1_005;
  const names = awkwardNames(spec);
  let testbed: Testbed | undefined;
  const bench: Bench = () => {
    if (testbed === undefined) throw new Error('the testbed did not start');
    return testbed;
  };

  describe(`the store contract, kept by ${spec.name}`, () => {
    beforeAll(async () => {
      testbed = await spec.setup();
      await testbed.seed(
        treeSeeds(
          names.map(([, name]) => name),
          capabilities.canList ? manyFiles : 0,
        ),
      );
    }, SETUP_TIMEOUT_MS);
    afterAll(() => testbed?.stop(), SETUP_TIMEOUT_MS);

    it('declares what it can do, and names itself without secrets', () =>
      withStore(bench, async (store) => {
        expect(store.capabilities).toEqual(capabilities);
        expect(store.name).toBe(spec.name);
        for (const secret of bench().secrets ?? []) expect(store.root).not.toContain(secret);
        await Promise.resolve();
      }));

    it('shows what it declares: waybill stores', () => {
      const facts = STORE_FACTORIES.find(({ name }) => name === spec.name)?.facts;
      expect(facts?.digests).toEqual(expect.arrayContaining([...capabilities.nativeDigests]));
      if (capabilities.pin !== 'unknown' && capabilities.pin !== 'none')
        expect(facts?.pin).toContain(capabilities.pin);
      if (capabilities.ranges === 'yes') expect(facts?.ranges).toMatch(/^(yes|presigned)/);
    });

    statCases(bench, traits);
    if (capabilities.canList) {
      listCases(bench, traits);
      pagingCases(bench, traits, manyFiles);
    }
    nameCases(bench, traits, names);
    readCases(bench, traits);
    if (servesRanges(traits)) rangeCases(bench);
    if (servedPin(traits) !== 'none') pinCases(bench, traits);
    abortCases(bench);
    if (traits.wrongCredentials !== undefined) credentialCases(bench, traits);
    if (traits.nowhereSays !== undefined) nowhereCases(bench, traits.nowhereSays);
    const hasNetwork = traits.hasNetwork !== false;
    if (hasNetwork) networkCases(bench, traits);
    if (traits.goesThroughToxics ?? hasNetwork) toxicCases(bench, traits, manyFiles);
  });
}

function awkwardNames({ traits }: ConformanceSpec): readonly (readonly [string, string])[] {
  const longest = 'n'.repeat((traits.longestNameBytes ?? 255) - 4) + '.bin';
  const all = [...AWKWARD_NAMES, ['the longest segment', longest] as const];
  return all.filter(([, name]) => traits.canHold?.(name) ?? true);
}
