import { afterEach, describe, expect, it } from '@jest/globals';
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkClock, checkNode, checkPlatform } from '../../src/service/doctor-machine.js';
import { runDoctor, type DoctorReport } from '../../src/service/doctor.js';
import { isRunning } from '../../src/service/process-identity.js';
import { localFolder } from '../../src/service/service-files.js';
import { runSetup } from '../../src/service/setup.js';
import { cacheFolder } from '../helpers/cache.js';
import { openServiceBed, until, type ServiceBed } from './service-bed.js';

let bed: ServiceBed;
const open = (): ServiceBed => (bed = openServiceBed());
afterEach(() => bed?.close());

const examine = (cacheDir = cacheFolder()): Promise<DoctorReport> =>
  runDoctor({ stateDir: bed.stateDir, cacheDir });
const finding = (report: DoctorReport, name: string): DoctorReport['checks'][number] | undefined =>
  report.checks.find((check) => check.name === name);

describe('doctor', () => {
  it('finds nothing wrong before anything was started, and starts nothing', async () => {
    open();
    const report = await examine();
    expect(report.ok).toBe(true);
    expect(report.processes).toEqual({});
    expect(finding(report, 'service')?.finding).toMatch(/not running/u);
    expect(existsSync(bed.stateDir)).toBe(false);
  });

  it('tells addresses and process ids of what runs', async () => {
    open();
    const { address, uiAddress, control } = await bed.start();
    await until('it polls', async () => (await control.status()).worker.state === 'ready');
    const report = await examine();
    const record = bed.record();
    expect(report.ok).toBe(true);
    expect(report.addresses).toEqual({ temporal: address, ui: uiAddress });
    expect(report.processes).toEqual({
      service: record.service.pid,
      temporal: record.temporal?.pid,
      worker: record.worker?.pid,
    });
    expect(finding(report, 'worker')).toMatchObject({ result: 'ok' });
  });

  it('names what a killed service left, and the next start ends it', async () => {
    open();
    const { lost } = await bed.start();
    const record = bed.record();
    process.kill(record.service.pid, 'SIGKILL');
    await lost;
    // Its socket goes a moment before the process does.
    await until('it is gone', () => !isRunning(record.service));
    const left = finding(await examine(), 'records');
    expect(left?.result).toBe('warning');
    expect(left?.finding).toContain(String(record.temporal?.pid));
    expect(left?.remedy).toMatch(/^waybill down$/u);
    await bed.start();
    expect(record.temporal && isRunning(record.temporal)).toBe(false);
  });

  it('says so when the worker does not come up', async () => {
    open();
    const script = join(bed.stateDir, '..', 'broken-worker.mjs');
    writeFileSync(script, 'throw new Error("no such module");\n');
    const { control } = await bed.start({ workerScript: script });
    await until('it died twice', async () => (await control.status()).worker.restarts > 2);
    const report = await examine();
    expect(report.ok).toBe(false);
    expect(finding(report, 'worker')).toMatchObject({ result: 'problem' });
    expect(finding(report, 'worker')?.finding).toMatch(/exit code 1.*worker\.log/u);
  });

  it('warns of a state folder that others can look into, and of a missing Temporal CLI', async () => {
    open();
    mkdirSync(bed.stateDir);
    chmodSync(bed.stateDir, 0o755);
    const report = await examine(join(bed.stateDir, 'empty-cache'));
    expect(finding(report, 'state folder')).toMatchObject({
      result: 'warning',
      remedy: `chmod 700 ${bed.stateDir}`,
    });
    expect(finding(report, 'temporal cli')?.name).toBe('temporal cli');
  });

  it('knows which machines Waybill cannot run on', () => {
    open();
    expect(checkNode('20.19.9').result).toBe('problem');
    expect(checkNode('20.20.0').result).toBe('ok');
    expect(checkNode('24.0.0').result).toBe('ok');
    expect(checkPlatform('win32', 'x64').finding).toMatch(/WSL/u);
    expect(checkPlatform('linux', 'riscv64').result).toBe('problem');
    expect(checkPlatform().result).toBe('ok');
    expect(checkClock(0).result).toBe('problem');
  });
});

describe('setup', () => {
  it('makes the folders and has the Temporal CLI, once and again', async () => {
    open();
    const options = {
      stateDir: bed.stateDir,
      cacheDir: cacheFolder(),
      onProgress: () => undefined,
    };
    const first = await runSetup(options);
    expect(first.temporalCli.serverVersion).toBe('1.29.1');
    expect(existsSync(bed.stateDir)).toBe(true);
    expect((await runSetup(options)).temporalCli.path).toBe(first.temporalCli.path);
  });
});

describe('a state folder on a network file system', () => {
  it('rule 8: has a local folder of the same user in its place', () => {
    open();
    const networkOf = (path: string): string | undefined =>
      path.startsWith('/net/') ? 'NFS' : undefined;
    expect(localFolder('/home/a/state', networkOf)).toBe('/home/a/state');
    const moved = localFolder('/net/home/a/state', networkOf);
    expect(moved).toMatch(/^\/var\/tmp\/waybill-\d+-[0-9a-f]{16}$/u);
    expect(localFolder('/net/home/b/state', networkOf)).not.toBe(moved);
    expect(localFolder('/net/home/a/state', () => 'FUSE')).toBe('/net/home/a/state');
  });
});
