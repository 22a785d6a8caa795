import { afterEach, describe, expect, it } from '@jest/globals';
import { Client, Connection } from '@temporalio/client';
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectControl } from '../../src/service/control-client.js';
import { findService, stopService } from '../../src/service/find-or-start.js';
import { isRunning } from '../../src/service/process-identity.js';
import { endOrphans } from '../../src/service/take-over.js';
import { serviceFiles } from '../../src/service/service-files.js';
import { readServiceRecord } from '../../src/service/service-record.js';
import { probeTemporal } from '../../src/service/temporal-probe.js';
import { openServiceBed, until, type ServiceBed } from './service-bed.js';

let bed: ServiceBed;
const open = (name?: string): ServiceBed => (bed = openServiceBed(name));
afterEach(() => bed.close());

async function withClient<T>(address: string, work: (client: Client) => Promise<T>): Promise<T> {
  const connection = await Connection.connect({ address });
  try {
    return await work(new Client({ connection }));
  } finally {
    await connection.close();
  }
}

describe('the local service', () => {
  it('starts Temporal and a worker, and the next command joins them', async () => {
    open();
    const first = await bed.start();
    expect(first.isStarted).toBe(true);
    expect(await probeTemporal(first.address, 2_000)).toBe('answers');
    expect((await fetch(first.uiAddress)).status).toBe(200);
    const second = await bed.start();
    expect(second.isStarted).toBe(false);
    expect(second.address).toBe(first.address);
    const status = await second.control.status();
    expect(status.clients).toBe(2);
    expect(status.servicePid).toBe(bed.record().service.pid);
    await until('the worker polls', async () => {
      const { worker } = await second.control.status();
      return worker.state === 'ready' && worker.identity === `stand-in/${worker.pid}`;
    });
    expect(bed.workerStarts()).toHaveLength(1);
  });

  it('rule 8: four commands that start at once end with one service', async () => {
    open();
    const handles = await Promise.all([bed.start(), bed.start(), bed.start(), bed.start()]);
    expect(new Set(handles.map((handle) => handle.address)).size).toBe(1);
    expect(handles.filter((handle) => handle.isStarted)).toHaveLength(1);
    await until('the worker polls', async () => {
      return (await handles[0]?.control.status())?.worker.state === 'ready';
    });
    expect(bed.workerStarts()).toHaveLength(1);
    expect((await handles[0]?.control.status())?.clients).toBe(4);
  });

  it('rule 8: a killed Temporal is back on the same port with the same database', async () => {
    open();
    const { address, control } = await bed.start();
    const before = bed.record();
    await withClient(address, async (client) => {
      await client.workflow.start('nobodyRunsThis', { taskQueue: 'nowhere', workflowId: 'kept' });
    });
    process.kill(before.temporal?.pid ?? 0, 'SIGKILL');
    await until('Temporal is up again', async () => {
      const { temporal } = await control.status();
      return temporal.state === 'ready' && temporal.restarts === 1;
    });
    const after = bed.record();
    expect(after.address).toBe(before.address);
    expect(after.temporal?.pid).not.toBe(before.temporal?.pid);
    expect(after.worker?.pid).toBe(before.worker?.pid);
    expect((await control.status()).temporal.lastExit).toBe('signal SIGKILL');
    await withClient(address, async (client) => {
      const found = await client.workflow.getHandle('kept').describe();
      expect(found.status.name).toBe('RUNNING');
    });
  });

  it('rule 27: a killed worker is replaced at once by one that knows whom it replaces', async () => {
    open();
    const { control } = await bed.start();
    await until('it polls', async () => (await control.status()).worker.state === 'ready');
    const dead = (await control.status()).worker;
    process.kill(dead.pid ?? 0, 'SIGKILL');
    await until('another polls', async () => {
      const { worker } = await control.status();
      return worker.state === 'ready' && worker.pid !== dead.pid;
    });
    // That the first restart waits for nothing is in clocks.test.ts.
    expect((await control.status()).worker.restarts).toBe(1);
    const [first, second] = bed.workerStarts();
    expect(first?.args).not.toContain('--previous-identity');
    expect(second?.args.slice(-2)).toEqual(['--previous-identity', `stand-in/${dead.pid}`]);
  });

  it('rule 27: a worker that stands still is ended, and another takes its place', async () => {
    open();
    const { control } = await bed.start({ workerSilentMs: 4_000, idleAfterMs: 10_000 });
    const workerNow = async (): Promise<number | undefined> => {
      const { worker } = await control.status({ fresh: false });
      return worker.state === 'ready' ? worker.pid : undefined;
    };
    await until('it polls', async () => (await workerNow()) !== undefined);
    const first = (await workerNow()) ?? 0;
    process.kill(first, 'SIGSTOP');
    const isAnother = async (): Promise<boolean> => ![undefined, first].includes(await workerNow());
    await until('another polls', isAnother, 60_000);
    expect((await control.status()).worker.lastExit).toBe('signal SIGKILL');
  }, 90_000);

  it('rule 8: what a killed service left is ended before a new one starts', async () => {
    open();
    const first = await bed.start();
    await until('it polls', async () => (await first.control.status()).worker.state === 'ready');
    const before = bed.record();
    await withClient(first.address, async (client) => {
      await client.workflow.start('nobodyRunsThis', { taskQueue: 'nowhere', workflowId: 'kept' });
    });
    process.kill(before.service.pid, 'SIGKILL');
    await first.lost;
    expect(before.worker && isRunning(before.worker)).toBe(true);
    expect(before.temporal && isRunning(before.temporal)).toBe(true);
    const second = await bed.start();
    expect(second.isStarted).toBe(true);
    expect(before.worker && isRunning(before.worker)).toBe(false);
    expect(before.temporal && isRunning(before.temporal)).toBe(false);
    expect(second.address).toBe(first.address);
    await until('the new worker polls', async () => {
      return (await second.control.status()).worker.state === 'ready';
    });
    expect(bed.workerStarts()[1]?.args.slice(-1)).toEqual([before.worker?.identity]);
    await withClient(second.address, async (client) => {
      expect((await client.workflow.getHandle('kept').describe()).status.name).toBe('RUNNING');
    });
  });

  it('rule 8: what a killed service left can be ended without starting another', async () => {
    open();
    expect(await endOrphans(bed.stateDir)).toBe(false);
    const { lost } = await bed.start();
    const { service, temporal, worker } = bed.record();
    process.kill(service.pid, 'SIGKILL');
    await lost;
    expect(await endOrphans(bed.stateDir)).toBe(true);
    expect(temporal && isRunning(temporal)).toBe(false);
    expect(worker && isRunning(worker)).toBe(false);
    expect(await endOrphans(bed.stateDir)).toBe(false);
  });

  it('rule 8: a recorded number that is now another process is left alone', async () => {
    open();
    const first = await bed.start();
    const { record } = serviceFiles(bed.stateDir);
    await stopService(first.control, await first.control.status());
    const innocent = { pid: process.pid, startTime: '1', bootId: 'another boot' };
    const stale = { ...staleRecord(first.address), worker: innocent, temporal: innocent };
    writeFileSync(record, JSON.stringify({ ...stale, service: innocent }));
    const second = await bed.start();
    expect(second.isStarted).toBe(true);
  });

  it('ends by itself when nobody uses it and no pull is open', async () => {
    open();
    const handle = await bed.start({ idleAfterMs: 400 });
    const record = bed.record();
    writeFileSync(join(bed.stateDir, 'open-pulls'), '1');
    await until('the worker says so', async () => {
      return (await handle.control.status()).openPulls === 1;
    });
    await handle.close();
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(isRunning(record.service)).toBe(true);
    writeFileSync(join(bed.stateDir, 'open-pulls'), '0');
    await until('it has ended', () => !isRunning(record.service));
    expect(record.temporal && isRunning(record.temporal)).toBe(false);
    expect(record.worker && isRunning(record.worker)).toBe(false);
    expect(readServiceRecord(serviceFiles(bed.stateDir).record)).toBeUndefined();
    const again = await bed.start();
    expect(again.address).toBe(handle.address);
  });

  it('rule 8: commands that come while it ends find or start another', async () => {
    open();
    const first = await bed.start();
    const status = await first.control.status();
    const stopping = stopService(first.control, status);
    const [second, third] = await Promise.all([bed.start(), bed.start()]);
    await stopping;
    expect(second.address).toBe(third.address);
    expect((await second.control.status()).servicePid).not.toBe(status.servicePid);
    expect((await third.control.status()).clients).toBe(2);
  });

  it('stays when it is kept, until it is stopped', async () => {
    open();
    const handle = await bed.start({ idleAfterMs: 200 });
    await handle.control.keep(true);
    const record = bed.record();
    await handle.close();
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const control = await findService(bed.stateDir);
    expect(control).toBeDefined();
    if (control === undefined) return;
    await stopService(control, await control.status());
    expect([record.service, record.temporal, record.worker].filter(Boolean)).toHaveLength(3);
    for (const process of [record.service, record.temporal, record.worker]) {
      expect(process !== undefined && isRunning(process)).toBe(false);
    }
  });

  it('lives as long as its command when it is inline', async () => {
    open();
    const handle = await bed.start({ mode: 'inline' });
    const record = bed.record();
    await handle.close();
    for (const process of [record.service, record.temporal, record.worker]) {
      expect(process !== undefined && isRunning(process)).toBe(false);
    }
    expect(readServiceRecord(serviceFiles(bed.stateDir).record)).toBeUndefined();
  });

  it('works where the path of its state folder is too long for a socket', async () => {
    open(`state-${'x'.repeat(150)}`);
    const handle = await bed.start();
    expect(Buffer.byteLength(handle.controlSocket)).toBeLessThanOrEqual(100);
    expect((await handle.control.status()).stateDir).toBe(bed.stateDir);
  });

  it('tells why it cannot start', async () => {
    open();
    const broken = join(bed.stateDir, '..', 'broken-temporal');
    writeFileSync(
      broken,
      '#!/bin/sh\nif [ "$1" = --version ]; then echo "temporal version 9 (Server 9.9, UI 1)"; exit; fi\n' +
        'echo "database disk image is malformed" >&2\nexit 3\n',
    );
    chmodSync(broken, 0o755);
    await expect(bed.start({ temporalCli: broken })).rejects.toMatchObject({
      code: 'WB_TEMPORAL_UNREACHABLE',
      message: expect.stringMatching(/exit code 3.*database disk image is malformed/su) as unknown,
    });
    expect(await findService(bed.stateDir)).toBeUndefined();
    expect((await bed.start()).isStarted).toBe(true);
  });
});

describe('what the local service knows', () => {
  it('rule 2: secrets are handed over through a private socket and kept in memory only', async () => {
    open();
    const { control, controlSocket } = await bed.start();
    expect(statSync(bed.stateDir).mode & 0o777).toBe(0o700);
    expect(statSync(controlSocket).mode & 0o777).toBe(0o600);
    const secrets = { AWS_SECRET_ACCESS_KEY: 'tr0ub4dor&3', AWS_ACCESS_KEY_ID: 'AKIA' };
    const fingerprint = await control.putCredentials(secrets);
    expect(fingerprint).toMatch(/^[0-9a-f]{64}$/u);
    const reordered = { AWS_ACCESS_KEY_ID: 'AKIA', AWS_SECRET_ACCESS_KEY: 'tr0ub4dor&3' };
    expect(await control.putCredentials(reordered)).toBe(fingerprint);
    const other = await control.putCredentials({ ...secrets, AWS_ACCESS_KEY_ID: 'other' });
    expect(other).not.toBe(fingerprint);
    const worker = await connectControl(controlSocket);
    expect(await worker.getCredentials(fingerprint)).toEqual(secrets);
    expect((await worker.status()).clients).toBe(1);
    worker.close();
    const files = serviceFiles(bed.stateDir);
    for (const path of [files.record, files.serviceLog, files.temporalLog, files.workerLog]) {
      expect(readFileSync(path, 'utf8')).not.toContain('tr0ub4dor');
      expect(statSync(path).mode & 0o777).toBe(0o600);
    }
  });

  it('rule 1: nothing is told to a socket of another user', async () => {
    open();
    const { controlSocket } = await bed.start();
    const uid = (process.getuid?.() ?? 0) + 1;
    await expect(connectControl(controlSocket, { uid })).rejects.toMatchObject({
      code: 'WB_PERMISSION_DENIED',
    });
  });

  it('rule 2: after a restart the secrets are gone and come back under the same name', async () => {
    open();
    const first = await bed.start();
    const fingerprint = await first.control.putCredentials({ TOKEN: 'once' });
    await stopService(first.control, await first.control.status());
    const second = await bed.start();
    await expect(second.control.getCredentials(fingerprint)).rejects.toMatchObject({
      code: 'WB_UNAUTHENTICATED',
    });
    expect(await second.control.putCredentials({ TOKEN: 'once' })).toBe(fingerprint);
  });

  it('rule 2: no process of the service has a secret of the shell in its environment', async () => {
    open();
    process.env['AWS_SECRET_ACCESS_KEY'] = 'shell-secret';
    process.env['MLFLOW_TRACKING_TOKEN'] = 'shell-secret';
    process.env['NODE_OPTIONS'] = '--max-old-space-size=4096';
    try {
      await bed.start();
    } finally {
      delete process.env['AWS_SECRET_ACCESS_KEY'];
      delete process.env['MLFLOW_TRACKING_TOKEN'];
      delete process.env['NODE_OPTIONS'];
    }
    const record = bed.record();
    for (const child of [record.service, record.temporal, record.worker]) {
      const environ = readFileSync(`/proc/${child?.pid}/environ`, 'utf8').split('\0');
      expect(environ.join('\n')).not.toMatch(/shell-secret|AWS_|MLFLOW_|NODE_OPTIONS/u);
      expect(environ.some((entry) => entry.startsWith('PATH='))).toBe(true);
    }
  });

  it('rule 9: a request with an unknown field is refused as a version skew', async () => {
    open();
    const { control } = await bed.start();
    const ask = control as unknown as {
      status(): Promise<unknown>;
      keep(on: unknown): Promise<void>;
    };
    await expect(ask.keep('yes')).rejects.toMatchObject({ code: 'WB_VERSION_SKEW' });
    await expect(ask.status()).resolves.toBeDefined();
  });

  it('gives each task queue one partition, which no task has to be passed on to', async () => {
    open();
    const { address } = await bed.start();
    await withClient(address, async ({ workflowService }) => {
      const { workflowTaskQueuePartitions, activityTaskQueuePartitions } =
        await workflowService.listTaskQueuePartitions({
          namespace: 'default',
          taskQueue: { name: 'waybill' },
        });
      expect(workflowTaskQueuePartitions).toHaveLength(1);
      expect(activityTaskQueuePartitions).toHaveLength(1);
    });
  });

  it('keeps what has ended for thirty days', async () => {
    open();
    const { address } = await bed.start();
    await until('the retention is set', () => {
      const ports = readFileSync(serviceFiles(bed.stateDir).ports('1.29.1'), 'utf8');
      return ports.includes('"retentionDays":30');
    });
    await withClient(address, async ({ workflowService }) => {
      const { config } = await workflowService.describeNamespace({ namespace: 'default' });
      expect(config?.workflowExecutionRetentionTtl?.seconds?.toString()).toBe('2592000');
    });
  });
});

/** A record of a service that is gone. */
function staleRecord(address: string): Record<string, unknown> {
  return {
    v: 1,
    waybillVersion: '0.1.0',
    mode: 'background',
    startedAt: '2026-01-01T00:00:00.000Z',
    address,
    uiAddress: 'http://127.0.0.1:1',
    controlSocket: '/nowhere',
    temporalCli: '/nowhere',
    serverVersion: '1.29.1',
    database: '/nowhere',
  };
}
