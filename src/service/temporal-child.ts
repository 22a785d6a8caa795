/** Temporal's dev server as a child of the service. */
import { spawn, type ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { writePorts, type Ports } from './ports.js';
import { probeTemporal } from './temporal-probe.js';

export interface TemporalServer {
  readonly cli: string;
  readonly database: string;
  readonly ports: Ports;
}

const PROBE_EVERY_MS = 25;
const PROBE_TIMEOUT_MS = 2_000;
const NAMESPACE = 'default';
const RETENTION_DAYS = 30;

/** The arguments of the dev server; without the user's own Temporal profiles, which mean other servers. */
export function temporalArguments({ database, ports }: TemporalServer): string[] {
  return [
    ...['server', 'start-dev', '--db-filename', database],
    ...['--ip', '127.0.0.1', '--port', String(ports.temporal), '--ui-port', String(ports.ui)],
    ...['--sqlite-pragma', 'journal_mode=wal', '--sqlite-pragma', 'synchronous=normal'],
    ...['--namespace', NAMESPACE, '--log-level', 'warn', '--log-format', 'json'],
    ...['--disable-config-file', '--disable-config-env'],
    // It would ask its maker's server for newer versions, and tell which one runs here.
    ...['--dynamic-config-value', 'frontend.enableServerVersionCheck=false'],
    // Several commands may look at a pull in the same moment; by default the second one is refused for a second.
    ...['--dynamic-config-value', 'history.MaxBufferedQueryCount=16'],
    // Of four partitions, the usual number, three pass their tasks on to the first, and wait two seconds where it has no poller
    // yet: half of all first pulls did. What an older database has in the others is still read.
    ...['--dynamic-config-value', 'matching.numTaskqueueWritePartitions=1'],
    ...(ports.hasOnePartition === true
      ? ['--dynamic-config-value', 'matching.numTaskqueueReadPartitions=1']
      : []),
  ];
}

/** Starts it, in a session of its own: a Ctrl-C in the terminal is not for it. */
export function spawnTemporal(server: TemporalServer, log: number): ChildProcess {
  return spawn(server.cli, temporalArguments(server), {
    detached: true,
    stdio: ['ignore', log, log],
  });
}

/** Waits until it answers; false when `isGivenUp` says so first. */
export async function waitForTemporal(address: string, isGivenUp: () => boolean): Promise<boolean> {
  while (!isGivenUp()) {
    if ((await probeTemporal(address, PROBE_TIMEOUT_MS, NAMESPACE)) === 'answers') return true;
    await sleep(PROBE_EVERY_MS);
  }
  return false;
}

/**
 * Keeps ended pulls for 30 days: the dev server makes its namespace with one day and has no flag for it. Done
 * once a database, beside the work; where it fails it is tried again at the next start.
 */
export function setRetention(
  server: TemporalServer,
  portsFile: string,
  log: number,
  isDatabaseNew: boolean,
): void {
  const { cli, ports } = server;
  if (!isDatabaseNew && ports.retentionDays === RETENTION_DAYS) return;
  const address = `127.0.0.1:${ports.temporal}`;
  const child = spawn(
    cli,
    [
      ...['operator', 'namespace', 'update', '-n', NAMESPACE, '--retention', `${RETENTION_DAYS}d`],
      ...['--address', address, '--disable-config-file', '--disable-config-env'],
    ],
    { stdio: ['ignore', 'ignore', log] },
  );
  child.once('error', () => undefined);
  child.once('exit', (code) => {
    if (code === 0) writePorts(portsFile, { ...ports, retentionDays: RETENTION_DAYS });
  });
}
