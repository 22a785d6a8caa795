/** What a service that dies leaves running: nothing without end (rule 8). */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { fileURLToPath } from 'node:url';
import { isRunning } from '../../src/service/process-identity.js';
import { serviceFiles } from '../../src/service/service-files.js';
import { commandLinesWith } from '../helpers/processes.js';
import { openServiceBed, until, type ServiceBed } from './service-bed.js';

const WORKER = fileURLToPath(new URL('../../src/worker.js', import.meta.url));
const LONG_MS = 120_000;

let bed: ServiceBed;
afterEach(() => bed.close());

/** What still runs for the state folder of the bed. */
const left = (): string[] => commandLinesWith(bed.stateDir);

/** In the place of the record: what no file can be written over. */
function spoilRecord(): void {
  const { record } = serviceFiles(bed.stateDir);
  rmSync(record, { force: true });
  mkdirSync(join(record, 'in-the-way'), { recursive: true });
}

describe('a service that fails', () => {
  it(
    'rule 8: ends what it has started when it cannot write its record',
    async () => {
      bed = openServiceBed();
      spoilRecord();
      await expect(bed.start()).rejects.toMatchObject({
        message: expect.stringMatching(/EISDIR|ENOTEMPTY/u),
      });
      await until('all has ended', () => left().length === 0, 20_000);
      rmSync(serviceFiles(bed.stateDir).record, { recursive: true });
      expect((await bed.start()).isStarted).toBe(true);
    },
    LONG_MS,
  );

  it(
    'rule 8: ends what it has started when its record goes bad later',
    async () => {
      bed = openServiceBed();
      const { lost } = await bed.start();
      const { worker } = bed.record();
      spoilRecord();
      process.kill(worker?.pid ?? 0, 'SIGKILL');
      await lost;
      await until('all has ended', () => left().length === 0, 30_000);
      rmSync(serviceFiles(bed.stateDir).record, { recursive: true });
    },
    LONG_MS,
  );
});

describe('a worker whose service was killed', () => {
  async function killService(): Promise<ReturnType<ServiceBed['record']>> {
    bed = openServiceBed();
    const { control, lost } = await bed.start({ workerScript: WORKER });
    const polls = async (): Promise<boolean> => (await control.status()).worker.state === 'ready';
    await until('the worker polls', polls, 50_000);
    const record = bed.record();
    process.kill(record.service.pid, 'SIGKILL');
    await lost;
    return record;
  }

  it(
    'ends by itself when its Temporal is gone too',
    async () => {
      const { temporal, worker } = await killService();
      process.kill(temporal?.pid ?? 0, 'SIGKILL');
      await until('the worker has ended', () => worker === undefined || !isRunning(worker), 60_000);
      expect(readFileSync(serviceFiles(bed.stateDir).workerLog, 'utf8')).toContain(
        'the service has gone, and left nothing to work for',
      );
    },
    LONG_MS,
  );

  it(
    'ends by itself when nobody could find it',
    async () => {
      const { temporal, worker } = await killService();
      rmSync(bed.stateDir, { recursive: true });
      try {
        await until(
          'the worker has ended',
          () => worker === undefined || !isRunning(worker),
          60_000,
        );
      } finally {
        process.kill(temporal?.pid ?? 0, 'SIGKILL');
      }
    },
    LONG_MS,
  );

  it(
    'goes on as long as its Temporal runs and the record names it',
    async () => {
      const { temporal, worker } = await killService();
      // Longer than it would take it to end.
      await new Promise((resolve) => setTimeout(resolve, 15_000));
      expect(worker && isRunning(worker)).toBe(true);
      expect(temporal && isRunning(temporal)).toBe(true);
    },
    LONG_MS,
  );
});
