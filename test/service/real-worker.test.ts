import { afterEach, describe, expect, it } from '@jest/globals';
import { fileURLToPath } from 'node:url';
import { openServiceBed, until, type ServiceBed } from './service-bed.js';

const WORKER = fileURLToPath(new URL('../../src/worker.js', import.meta.url));

let bed: ServiceBed;
afterEach(() => bed.close());

describe('the local service with its real worker', () => {
  it('rule 27: both come up again after kill -9, and know how busy they are', async () => {
    bed = openServiceBed();
    const { control } = await bed.start({ workerScript: WORKER });
    const isPolling = (butNot?: number) => async () => {
      const { worker } = await control.status();
      return worker.state === 'ready' && worker.pid !== butNot;
    };
    await until('the worker polls', isPolling(), 50_000);
    expect(await control.status()).toMatchObject({ openPulls: 0, temporal: { restarts: 0 } });
    const { temporal, worker } = bed.record();
    process.kill(temporal?.pid ?? 0, 'SIGKILL');
    process.kill(worker?.pid ?? 0, 'SIGKILL');
    await until('another worker polls', isPolling(worker?.pid), 50_000);
    const after = await control.status();
    expect(after).toMatchObject({ openPulls: 0, temporal: { state: 'ready', restarts: 1 } });
    expect(bed.record().worker?.identity).toBe(after.worker.identity);
    expect(after.worker.identity).not.toBe(worker?.identity);
  }, 120_000);
});
