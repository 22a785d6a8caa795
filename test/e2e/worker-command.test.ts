/** `waybill worker` as whoever runs it sees it: what it says while it serves, and while its cluster does not answer. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { WaybillClient } from '../../src/client.js';
import { freePort } from '../helpers/ports.js';
import { scratchFolder } from '../helpers/processes.js';
import { startTemporal, type Temporal } from '../helpers/temporal.js';
import { startWaybill, type RunningWaybill } from '../helpers/waybill.js';
import { until } from '../workflows/lib/bench.js';

const LONG_MS = 120_000;

let temporal: Temporal;

beforeAll(async () => {
  temporal = await startTemporal();
}, LONG_MS);

afterAll(() => temporal.stop(), LONG_MS);

/** The helper holds what it prints to the schemas. */
function worker(...args: readonly string[]): RunningWaybill {
  return startWaybill(['worker', '--json', ...args], { stateDir: scratchFolder('worker-command') });
}

describe('waybill worker --json', () => {
  it(
    'says what it serves, ends with the result when it is told to, and fits its schema',
    async () => {
      const serving = worker('--cluster', temporal.address, '--site', 'gpu');
      const client = await WaybillClient.connect({ address: temporal.address });
      await until('it polls', () => client.isServed('gpu'), 60_000);
      await client.close();
      serving.signal('SIGTERM');
      const { exitCode, events, stderr } = await serving.done;
      expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
      expect(events).toEqual([
        { type: 'serving', address: temporal.address, site: 'gpu' },
        expect.objectContaining({ type: 'result', ok: true, exitCode: 0 }),
      ]);
    },
    LONG_MS,
  );

  it(
    'says that its cluster does not answer long before it gives up, and can be stopped meanwhile',
    async () => {
      const address = `127.0.0.1:${await freePort()}`;
      const waiting = worker('--cluster', address);
      await waiting.untilOutput(new RegExp(`Temporal at ${address} does not answer yet`, 'u'));
      waiting.signal('SIGTERM');
      const { exitCode, result } = await waiting.done;
      expect({ exitCode, result }).toMatchObject({ exitCode: 0, result: { ok: true } });
    },
    LONG_MS,
  );
});
