/** A state folder of its own for a test, with services that end with the test. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  findOrStartService,
  findService,
  stopService,
  type FindOrStartOptions,
  type ServiceHandle,
} from '../../src/service/find-or-start.js';
import { serviceFiles } from '../../src/service/service-files.js';
import { readServiceRecord, type ServiceRecord } from '../../src/service/service-record.js';
import { endProcess } from '../../src/service/process-identity.js';
import { cacheFolder } from '../helpers/cache.js';

export { until } from '../helpers/until.js';

export const STAND_IN_WORKER = fileURLToPath(new URL('stand-in-worker.js', import.meta.url));

export interface ServiceBed {
  readonly stateDir: string;
  readonly progress: readonly string[];
  start(options?: Partial<FindOrStartOptions>): Promise<ServiceHandle>;
  record(): ServiceRecord;
  /** The arguments of each worker that was started, in order. */
  workerStarts(): { readonly pid: number; readonly args: readonly string[] }[];
  /** Ends the service and whatever the record still names. */
  close(): Promise<void>;
}

/** @param stateDirName where the state is, below a folder of the bed unless it is absolute */
export function openServiceBed(stateDirName = 'state'): ServiceBed {
  const scratch = mkdtempSync(join(tmpdir(), 'waybill-service-'));
  const stateDir = resolve(scratch, stateDirName);
  const progress: string[] = [];
  const files = serviceFiles(stateDir);
  const handles: ServiceHandle[] = [];
  return {
    stateDir,
    progress,
    async start(options = {}) {
      const handle = await findOrStartService({
        stateDir,
        cacheDir: cacheFolder(),
        mode: 'background',
        onProgress: (line) => progress.push(line),
        workerScript: STAND_IN_WORKER,
        ...options,
      });
      handles.push(handle);
      return handle;
    },
    record() {
      const record = readServiceRecord(files.record);
      if (record === undefined) throw new Error(`no record in ${files.record}`);
      return record;
    },
    workerStarts: () =>
      readFileSync(join(stateDir, 'worker-args.ndjson'), 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { pid: number; args: string[] }),
    async close() {
      for (const handle of handles) await handle.close();
      const control = await findService(stateDir);
      if (control !== undefined) await stopService(control, await control.status());
      const left = readServiceRecord(files.record);
      for (const process of [left?.service, left?.worker, left?.temporal]) {
        if (process !== undefined) await endProcess(process, 1_000);
      }
      rmSync(scratch, { recursive: true, force: true });
    },
  };
}
