/** What a round does to a pull, and when. */
import { existsSync, mkdirSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isRunning, type ProcessIdentity } from '../../src/service/process-identity.js';
import { serviceFiles } from '../../src/service/service-files.js';
import { readServiceRecord } from '../../src/service/service-record.js';
import type { RunningWaybill } from '../helpers/waybill.js';
import type { Gate } from './gate.js';
import type { Chance } from './random.js';

/** SIGKILL where nothing else is said. */
export const VICTIMS = [
  'worker',
  'temporal',
  'worker and temporal',
  'service',
  'command',
  'everything',
  'worker, SIGTERM',
  'worker, stopped',
  'temporal, stopped',
  'command, SIGTERM',
  'network, cut',
  'disk, full',
] as const;
export type Victim = (typeof VICTIMS)[number];

/** When: at a random time, or when something appears at the destination of one of the pulls. */
export const MOMENTS = [
  'any time',
  'claimed',
  'planned',
  'partial there',
  'publishing',
  'first file there',
  'sums written',
  'receipt written',
] as const;
export type Moment = (typeof MOMENTS)[number];

/** Seals are a small part of a pull's time and a large part of what can go wrong. */
const MOMENT_WEIGHTS: readonly (readonly [Moment, number])[] = MOMENTS.map((moment) => [
  moment,
  moment === 'any time' ? 5 : 1,
]);

/** What is within reach of a wave. */
export interface Reach {
  readonly stateDir: string;
  readonly commands: readonly RunningWaybill[];
  readonly gates: readonly Gate[];
  /** The file system of the destinations, if it may be filled. */
  readonly disk: string | undefined;
}

/** Chooses the moment of a kill. */
export function momentOf(chance: Chance): Moment {
  return chance.weighted(MOMENT_WEIGHTS);
}

/** Waits for the moment at a destination; false when `isOver` first. */
export async function waitForMoment(
  moment: Moment,
  destination: string,
  chance: Chance,
  isOver: () => boolean,
): Promise<boolean> {
  const jitterMs = moment === 'any time' ? chance.next() * 4_000 : chance.next() ** 3 * 60;
  const isThere = (): boolean => hasCome(moment, destination);
  while (!isThere()) {
    if (isOver()) return false;
    await sleep(2);
  }
  const until = performance.now() + jitterMs;
  while (performance.now() < until) {
    if (isOver()) return false;
    await sleep(Math.min(20, until - performance.now()));
  }
  return !isOver();
}

function hasCome(moment: Moment, destination: string): boolean {
  const record = join(destination, '.waybill');
  switch (moment) {
    case 'any time':
      return true;
    case 'claimed':
      return existsSync(join(record, 'owner.json'));
    case 'planned':
      return existsSync(join(record, 'plan'));
    case 'partial there':
      return namesIn(join(record, 'partial')).length > 0;
    case 'publishing':
      return namesIn(join(record, 'journal')).length > 0;
    case 'first file there':
      return namesIn(destination).some((name) => name !== '.waybill');
    case 'sums written':
      return existsSync(join(record, 'SHA256SUMS'));
    case 'receipt written':
      return existsSync(join(record, 'receipt.json'));
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Does it, and takes back what can be taken back. Answers when it was done, by `performance.now()`. */
export async function strike(victim: Victim, reach: Reach, chance: Chance): Promise<number> {
  const record = readServiceRecord(serviceFiles(reach.stateDir).record);
  const signal = (process: ProcessIdentity | undefined, name: NodeJS.Signals): void => {
    if (process !== undefined) send(process, name);
  };
  const pauseMs = 200 + chance.next() * 1_800;
  const stop = async (process: ProcessIdentity | undefined): Promise<void> => {
    signal(process, 'SIGSTOP');
    await sleep(pauseMs);
    signal(process, 'SIGCONT');
  };
  const struckMs = performance.now();
  switch (victim) {
    case 'worker':
      signal(record?.worker, 'SIGKILL');
      break;
    case 'worker, SIGTERM':
      signal(record?.worker, 'SIGTERM');
      break;
    case 'worker, stopped':
      await stop(record?.worker);
      break;
    case 'temporal':
      signal(record?.temporal, 'SIGKILL');
      break;
    case 'temporal, stopped':
      await stop(record?.temporal);
      break;
    case 'worker and temporal':
      signal(record?.worker, 'SIGKILL');
      signal(record?.temporal, 'SIGKILL');
      break;
    case 'service':
      signal(record?.service, 'SIGKILL');
      break;
    case 'command':
      for (const command of reach.commands) command.signal('SIGKILL');
      break;
    case 'command, SIGTERM':
      for (const command of reach.commands) command.signal('SIGTERM');
      break;
    case 'everything':
      for (const command of reach.commands) command.signal('SIGKILL');
      for (const one of [record?.service, record?.worker, record?.temporal]) signal(one, 'SIGKILL');
      break;
    case 'network, cut':
      for (const gate of reach.gates) gate.shut();
      await sleep(pauseMs);
      for (const gate of reach.gates) gate.open();
      break;
    case 'disk, full':
      if (reach.disk !== undefined) await fill(reach.disk, pauseMs);
      break;
  }
  return struckMs;
}

/** A number that another process has by now is left alone. */
function send(target: ProcessIdentity, name: NodeJS.Signals): void {
  if (!isRunning(target)) return;
  try {
    process.kill(target.pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Leaves no byte free for a while. */
async function fill(disk: string, forMs: number): Promise<void> {
  const folder = join(disk, 'ballast');
  mkdirSync(folder, { recursive: true });
  const block = Buffer.alloc(1024 * 1024);
  for (let index = 0; ; index += 1) {
    const { bavail, bsize } = statfsSync(disk);
    const bytes = Math.min(block.length, bavail * bsize);
    if (bytes === 0) break;
    try {
      writeFileSync(join(folder, String(index)), block.subarray(0, bytes));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOSPC') break;
      throw error;
    }
  }
  await sleep(forMs);
  rmSync(folder, { recursive: true, force: true });
}
