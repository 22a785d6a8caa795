/** What `npm run trials` does with the stores that are no web servers: here it is a test of whole pulls. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createWorld, type World } from '../../bench/lib/world.js';
import { ROWS } from '../../bench/stores/rows.js';
import type { Served } from '../../bench/stores/served.js';
import { awkwardTree, killedHalfWay, replacedHalfWay } from '../../bench/stores/trials.js';
import { openWaybill, type WaybillBed } from '../helpers/waybill.js';

const LONG_MS = 240_000;

describe.each(ROWS.filter(({ server }) => ['OpenSSH', 'vsftpd'].includes(server)))(
  'a pull from $store ($server)',
  (row) => {
    let world: World;
    let bed: WaybillBed;
    let served: Served;

    beforeAll(async () => {
      const { signal } = new AbortController();
      world = createWorld({ scale: 1, against: [], signal, say: () => undefined });
      bed = openWaybill();
      served = await row.serve(world);
    }, LONG_MS);

    afterAll(async () => {
      await bed.close();
      await world.close();
    }, LONG_MS);

    it(
      'brings every name that the server holds and the guard lets through, byte for byte',
      async () => expect(await awkwardTree(served, bed)).toMatch(/^\d+, 3 refused$/u),
      LONG_MS,
    );

    it(
      'goes on with what was there when everything was killed half-way',
      async () => expect(await killedHalfWay(served, bed)).toMatch(/^yes, [1-9]\d* MiB kept$/u),
      LONG_MS,
    );

    it(
      'never is a mixture of two versions',
      async () =>
        expect(await replacedHalfWay(served, bed)).toMatch(
          /^(exit 8|the (old|new) one, exit [08])$/u,
        ),
      LONG_MS,
    );
  },
);
