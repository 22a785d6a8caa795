/**
 * Each check of `waybill doctor`: it is broken on the real thing, doctor finds it, and what doctor prints, typed as it
 * is, mends it. What only a person can mend has no command, and says what to do.
 */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { DoctorCheck } from '../../src/service/doctor.js';
import { findOrStartService } from '../../src/service/find-or-start.js';
import { readPorts } from '../../src/service/ports.js';
import { identifyProcess, isGoneWithin } from '../../src/service/process-identity.js';
import { serviceFiles } from '../../src/service/service-files.js';
import { readServiceRecord, type ServiceRecord } from '../../src/service/service-record.js';
import { mountTmpfs } from '../helpers/mount.js';
import { freePort } from '../helpers/ports.js';
import { startTemporal } from '../helpers/temporal.js';
import { folderOf, giveCli, openShell, type Shell, type ShellOptions } from './doctor-shell.js';
import { until } from './service-bed.js';

const USER = 61_234;
const MiB = 1024 * 1024;

let shell: Shell;
let cleanups: (() => unknown)[] = [];
beforeEach(async () => {
  shell = await openShell();
  cleanups = [];
});
afterEach(async () => {
  await shell.close();
  for (const cleanup of cleanups.reverse()) await cleanup();
});

interface Broken {
  /** How the person's shell is. */
  readonly options?: ShellOptions;
  /** What doctor prints. Absent: a person mends it, with `byHand`. */
  readonly remedy?: RegExp;
  readonly byHand?: () => unknown;
  /** What is to be typed after it. */
  readonly then?: readonly RegExp[];
}

interface Row {
  readonly check: string;
  readonly when: string;
  readonly result: DoctorCheck['result'];
  readonly finding: RegExp;
  readonly break: () => Promise<Broken> | Broken;
}

const record = (): ServiceRecord => {
  const found = readServiceRecord(serviceFiles(shell.stateDir).record);
  if (found === undefined) throw new Error('no service was recorded');
  return found;
};
const pidOf = (which: 'service' | 'temporal' | 'worker'): number => record()[which]?.pid ?? 0;

/** A service whose worker polls. */
async function up(): Promise<void> {
  expect((await shell.run('waybill up')).exitCode).toBe(0);
  await until(
    'the worker polls',
    async () => (await shell.doctor()).checks.every(({ result }) => result === 'ok'),
    60_000,
  );
}

async function stop(which: 'service' | 'temporal' | 'worker'): Promise<Broken> {
  await up();
  const pid = pidOf(which);
  process.kill(pid, 'SIGSTOP');
  return { remedy: new RegExp(`^kill -CONT ${pid}$`, 'u') };
}

/** The port that the database has, free again. */
async function databasePort(): Promise<number> {
  await up();
  const { serverVersion } = record();
  expect((await shell.run('waybill down')).exitCode).toBe(0);
  return readPorts(serviceFiles(shell.stateDir).ports(serverVersion))?.temporal ?? 0;
}

function asUser(): ShellOptions {
  const home = folderOf(join(shell.base, 'home-of-user'), USER);
  return { userId: USER, env: { HOME: home } };
}

async function cluster(namespace?: string): Promise<ShellOptions> {
  const temporal = await startTemporal();
  cleanups.push(() => temporal.stop());
  return {
    env: {
      TEMPORAL_ADDRESS: temporal.address,
      ...(namespace === undefined ? {} : { TEMPORAL_NAMESPACE: namespace }),
    },
  };
}

const ROWS: readonly Row[] = [
  {
    check: 'state folder',
    when: 'others may look into it',
    result: 'warning',
    finding: /others on this host can look into/u,
    break: () => {
      mkdirSync(shell.stateDir);
      chmodSync(shell.stateDir, 0o777);
      return { remedy: /^chmod 700 \S+$/u };
    },
  },
  {
    check: 'state folder',
    when: 'it cannot be written',
    result: 'problem',
    finding: /cannot be written \(EACCES\)/u,
    break: () => {
      folderOf(shell.stateDir, USER, 0o500);
      folderOf(shell.cacheDir, USER);
      return { options: asUser(), remedy: /^chmod u\+rwx \S+$/u };
    },
  },
  {
    check: 'state folder',
    when: 'it belongs to somebody else',
    result: 'problem',
    finding: /belongs to user 0, not to you/u,
    break: () => {
      mkdirSync(shell.stateDir, { mode: 0o700 });
      folderOf(shell.cacheDir, USER);
      return { options: asUser(), remedy: /^export WAYBILL_STATE_DIR=\S+$/u };
    },
  },
  {
    check: 'cache folder',
    when: 'it cannot be written',
    result: 'problem',
    finding: /cannot be written \(EACCES\)/u,
    break: () => {
      folderOf(shell.stateDir, USER);
      folderOf(shell.cacheDir, USER, 0o500);
      return { options: asUser(), remedy: /^chmod u\+rwx \S+$/u };
    },
  },
  {
    check: 'cache folder',
    when: 'it belongs to somebody else',
    result: 'problem',
    finding: /belongs to user 0, not to you/u,
    break: () => {
      folderOf(shell.stateDir, USER);
      const options = asUser();
      giveCli(shell.cliPath, join(options.env?.['HOME'] ?? '', '.waybill', 'cache'));
      folderOf(join(options.env?.['HOME'] ?? '', '.waybill'), USER);
      folderOf(join(options.env?.['HOME'] ?? '', '.waybill', 'cache'), USER);
      return { options, remedy: /^export WAYBILL_CACHE_DIR=\S+$/u };
    },
  },
  {
    check: 'disk space',
    when: 'the disk is full: only its owner knows what may go',
    result: 'problem',
    finding: /MiB free for .*make room, or name folders elsewhere/u,
    break: () => {
      const disk = mountTmpfs({ sizeBytes: 8 * MiB });
      cleanups.push(() => disk.unmount());
      const state = join(disk.path, 'state');
      // As a filled disk is when something on it was deleted.
      const byHand = (): void => disk.remount(`size=${1024 * MiB}`);
      return { options: { env: { WAYBILL_STATE_DIR: state } }, byHand };
    },
  },
  {
    check: 'temporal cli',
    when: 'the setting names nothing',
    result: 'problem',
    finding: /WAYBILL_TEMPORAL_CLI names \S+, which is not a Temporal CLI that runs here/u,
    break: () => ({
      options: { env: { WAYBILL_TEMPORAL_CLI: '/nowhere/temporal' } },
      remedy: /^unset WAYBILL_TEMPORAL_CLI$/u,
    }),
  },
  {
    check: 'temporal cli',
    when: 'there is none',
    result: 'warning',
    finding: /there is none on this machine/u,
    break: () => {
      // Without a network; and a Go that has built it already, for building it takes minutes.
      const go = join(shell.base, 'bin', 'go');
      const answers = '#!/bin/sh\nif [ "$1" = env ]; then echo go1.26.0; exit; fi\n';
      writeFileSync(go, `${answers}cp '${shell.cliPath}' "$GOBIN/temporal"\n`);
      chmodSync(go, 0o755);
      const env = {
        WAYBILL_CACHE_DIR: join(shell.base, 'empty'),
        HTTPS_PROXY: 'http://127.0.0.1:9',
      };
      return { options: { env }, remedy: /^waybill setup$/u };
    },
  },
  {
    check: 'service',
    when: 'it was stopped',
    result: 'problem',
    finding: /stands still/u,
    break: () => stop('service'),
  },
  {
    check: 'temporal',
    when: 'it was stopped',
    result: 'problem',
    finding: /stands still/u,
    break: () => stop('temporal'),
  },
  {
    check: 'worker',
    when: 'it was stopped',
    result: 'problem',
    finding: /stands still/u,
    break: () => stop('worker'),
  },
  {
    check: 'worker',
    when: 'it does not come up',
    result: 'problem',
    finding: /exit code 1.*its log: \S+worker\.log/u,
    break: async () => {
      const workerScript = join(shell.base, 'broken-worker.mjs');
      writeFileSync(workerScript, 'throw new Error("no such module");\n');
      const { stateDir, cacheDir } = shell;
      const onProgress = (): void => undefined;
      const options = { stateDir, cacheDir, mode: 'background', onProgress, workerScript } as const;
      const { control, close } = await findOrStartService(options);
      await until('it died twice', async () => (await control.status()).worker.restarts > 2);
      await close();
      return { remedy: /^waybill down --force$/u };
    },
  },
  {
    check: 'records',
    when: 'the service was killed',
    result: 'warning',
    finding: /processes of a service that died still run: \d+, \d+/u,
    break: async () => {
      await up();
      const { service } = record();
      process.kill(service.pid, 'SIGKILL');
      expect(await isGoneWithin(service, 10_000)).toBe(true);
      return { remedy: /^waybill down$/u };
    },
  },
  {
    check: 'database',
    when: 'it holds garbage',
    result: 'warning',
    finding: /is no database any more/u,
    break: async () => {
      await up();
      const { database } = record();
      expect((await shell.run('waybill down')).exitCode).toBe(0);
      for (const log of ['-wal', '-shm']) rmSync(`${database}${log}`, { force: true });
      writeFileSync(database, Buffer.alloc(MiB, 'garbage'));
      return { remedy: /^waybill up$/u, then: [/^rm -f \S+\.db\.damaged/u] };
    },
  },
  {
    check: 'ports',
    when: 'another program took the port of the database',
    result: 'warning',
    finding: /another program has port \d+/u,
    break: async () => {
      const port = await databasePort();
      const stranger = createServer((socket) => socket.destroy()).listen(port, '127.0.0.1');
      cleanups.push(() => new Promise((resolve) => stranger.close(resolve)));
      return { remedy: /^waybill up$/u };
    },
  },
  {
    check: 'ports',
    when: 'a Temporal that nobody recorded has the port of the database',
    result: 'problem',
    finding: /a Temporal that Waybill did not record listens on/u,
    break: async () => {
      const temporal = await startTemporal({ port: await databasePort() });
      cleanups.push(() => temporal.stop());
      return { remedy: /^export WAYBILL_STATE_DIR=\S+$/u };
    },
  },
  {
    check: 'certificates',
    when: 'the variables name no certificates',
    result: 'problem',
    finding: /SSL_CERT_FILE names \/nowhere\S*, which cannot be read.*holds no PEM certificate/u,
    break: () => {
      const empty = join(shell.base, 'empty.pem');
      writeFileSync(empty, 'hello\n');
      const env = {
        SSL_CERT_FILE: '/nowhere/ca.pem',
        REQUESTS_CA_BUNDLE: empty,
        AWS_CA_BUNDLE: '/nowhere/aws.pem',
        NODE_EXTRA_CA_CERTS: empty,
        MLFLOW_TRACKING_CLIENT_CERT_PATH: '/nowhere/client.pem',
      };
      const names = 'SSL_CERT_FILE REQUESTS_CA_BUNDLE NODE_EXTRA_CA_CERTS AWS_CA_BUNDLE';
      const remedy = new RegExp(`^unset ${names} MLFLOW_TRACKING_CLIENT_CERT_PATH$`, 'u');
      return { options: { env }, remedy };
    },
  },
  {
    check: 'proxies',
    when: 'the variable holds no address',
    result: 'problem',
    finding: /https_proxy is not the address of a proxy/u,
    break: () => ({
      options: { env: { https_proxy: 'not a proxy', HTTP_PROXY: 'http://127.0.0.1:3128' } },
      remedy: /^unset https_proxy$/u,
    }),
  },
  {
    check: 'cluster',
    when: 'nobody answers there: only who runs it can start it',
    result: 'problem',
    finding: /start it, or correct its address/u,
    break: async () => {
      const port = await freePort();
      const byHand = async (): Promise<void> => {
        const temporal = await startTemporal({ port });
        cleanups.push(() => temporal.stop());
      };
      return { options: { env: { TEMPORAL_ADDRESS: `127.0.0.1:${port}` } }, byHand };
    },
  },
  {
    check: 'cluster namespace',
    when: 'there is none of that name',
    result: 'problem',
    finding: /has no namespace "models"/u,
    break: async () => ({
      options: await cluster('models'),
      remedy: /^\S+ operator namespace create -n models --address \S+$/u,
      then: [/^waybill worker --cluster \S+ --namespace models$/u],
    }),
  },
  {
    check: 'cluster worker',
    when: 'nobody serves',
    result: 'warning',
    finding: /nobody serves destinations any:/u,
    break: async () => ({
      options: await cluster(),
      remedy: /^waybill worker --cluster \S+$/u,
    }),
  },
];

/** Checks that no test can break on this machine: what each finds, and says, is in doctor.test.ts. */
const OF_THE_MACHINE: Readonly<Record<string, string>> = {
  node: 'a person installs another Node',
  platform: 'a person takes another machine or image',
  clock: 'it is the clock of everything that runs here',
};

describe('waybill doctor', () => {
  it.each(ROWS)(
    '$check: finds that $when, and what it prints mends it',
    async (row) => {
      const { options = {}, remedy, byHand, then = [] } = await row.break();
      const broken = await shell.doctor(options);
      const found = broken.checks.find(({ name }) => name === row.check);
      expect(found).toMatchObject({ name: row.check, result: row.result });
      expect(found?.finding).toMatch(row.finding);
      expect(broken.exitCode).toBe(row.result === 'problem' ? 10 : 0);
      // Nothing else is wrong: one cause is one finding.
      expect(broken.checks.filter(({ result }) => result !== 'ok')).toEqual([found]);
      if (remedy === undefined) {
        expect(found?.remedy).toBeUndefined();
        await byHand?.();
      } else {
        expect(found?.remedy).toMatch(remedy);
      }
      const typed = await shell.mend(options, remedy === undefined ? undefined : broken);
      const follow = remedy === undefined ? typed : typed.slice(1);
      if (remedy !== undefined) expect(typed[0]).toMatch(remedy);
      const expected = row.check === 'cluster' ? [/^waybill worker/u] : then;
      expect(follow).toHaveLength(expected.length);
      expected.forEach((pattern, index) => expect(follow[index]).toMatch(pattern));
    },
    180_000,
  );

  it('has no check without a row above', async () => {
    await up();
    const { checks } = await shell.doctor(await cluster());
    const broken = [...ROWS.map(({ check }) => check), ...Object.keys(OF_THE_MACHINE)];
    expect(new Set(checks.map(({ name }) => name))).toEqual(new Set(broken));
  });

  it('rule 8: `down --force` ends a service that does not answer, and what it started', async () => {
    await up();
    const left = (['service', 'temporal', 'worker'] as const).map((which) => pidOf(which));
    process.kill(left[0] ?? 0, 'SIGSTOP');
    const { exitCode, stderr } = await shell.run('waybill down --force');
    expect([exitCode, stderr]).toEqual([0, expect.stringMatching(/did not answer; it is ended/u)]);
    expect(left.map((pid) => identifyProcess(pid))).toEqual([undefined, undefined, undefined]);
    expect(await shell.mend()).toEqual([]);
  });
});
