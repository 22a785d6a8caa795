/** When a worker whose service has gone is of no use any more. */
import { setTimeout as sleep } from 'node:timers/promises';
import { identifyProcess, isRunning, type ProcessIdentity } from './process-identity.js';
import { serviceFiles } from './service-files.js';
import { readServiceRecord } from './service-record.js';

const LOOK_MS = 2_000;
/** One look alone may fall between two services. */
const LOOKS = 5;

/**
 * Settles when this process, the worker of a state folder's service, has been left behind: its service is gone, and for
 * ten seconds either its Temporal is gone too, or the record does not name this process, so that no service will find
 * it. As long as neither holds it goes on with what it has.
 */
export async function untilLeftBehind(stateDir: string): Promise<void> {
  await untilServiceIsGone();
  for (let looks = 0; looks < LOOKS;) {
    await sleep(LOOK_MS, undefined, { ref: false });
    looks = isOfUse(stateDir, identifyProcess(process.pid)) ? 0 : looks + 1;
  }
}

function isOfUse(stateDir: string, own: ProcessIdentity | undefined): boolean {
  const record = readServiceRecord(serviceFiles(stateDir).record);
  const { worker, temporal } = record ?? {};
  if (worker?.pid !== own?.pid || worker?.startTime !== own?.startTime) return false;
  return temporal !== undefined && isRunning(temporal);
}

function untilServiceIsGone(): Promise<void> {
  return new Promise((resolve) => {
    // It may have gone while this process was loaded.
    if (!process.connected) resolve();
    else process.once('disconnect', resolve);
  });
}
