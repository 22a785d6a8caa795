/** How each check of `waybill doctor` is broken on the real thing, what it then says, and what mends it. */
import { expect } from '@jest/globals';
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { DoctorCheck } from '../../src/service/doctor.js';
import { findOrStartService } from '../../src/service/find-or-start.js';
import { readPorts } from '../../src/service/ports.js';
import { isGoneWithin } from '../../src/service/process-identity.js';
import { serviceFiles } from '../../src/service/service-files.js';
import { readServiceRecord, type ServiceRecord } from '../../src/service/service-record.js';
import { mountTmpfs } from '../helpers/mount.js';
import { freePort } from '../helpers/ports.js';
import { startTemporal } from '../helpers/temporal.js';
import { folderOf, giveCli, type Shell, type ShellOptions } from './doctor-shell.js';
import { until } from './service-bed.js';

const USER = 61_234;
const MiB = 1024 * 1024;

/** Where things are broken. */
export interface Bench {
  readonly shell: Shell;
  /** Called last first when the test is over. */
  readonly cleanups: (() => unknown)[];
}

type Part = 'service' | 'temporal' | 'worker';

/** What is broken, and how it is mended. */
export interface Broken {
  /** How the person's shell is. */
  readonly options?: ShellOptions;
  /** What doctor prints. Absent: a person mends it, with `byHand`. */
  readonly remedy?: RegExp;
  readonly byHand?: () => unknown;
  /** What is to be typed after it. */
  readonly then?: readonly RegExp[];
}

/** One check, and one way in which it finds something. */
export interface Row {
  readonly check: string;
  readonly when: string;
  readonly result: DoctorCheck['result'];
  readonly finding: RegExp;
  readonly break: (bench: Bench) => Promise<Broken> | Broken;
}

const record = ({ shell }: Bench): ServiceRecord => {
  const found = readServiceRecord(serviceFiles(shell.stateDir).record);
  if (found === undefined) throw new Error('no service was recorded');
  return found;
};
export const pidOf = (bench: Bench, which: Part): number => record(bench)[which]?.pid ?? 0;

/** A service whose worker polls. */
export async function up(bench: Bench): Promise<void> {
  expect((await bench.shell.run('waybill up')).exitCode).toBe(0);
  await until(
    'the worker polls',
    async () => (await bench.shell.doctor()).checks.every(({ result }) => result === 'ok'),
    60_000,
  );
}

async function stop(bench: Bench, which: Part): Promise<Broken> {
  await up(bench);
  const pid = pidOf(bench, which);
  process.kill(pid, 'SIGSTOP');
  return { remedy: new RegExp(`^kill -CONT ${pid}$`, 'u') };
}

/** The port that the database has, free again. */
async function databasePort(bench: Bench): Promise<number> {
  await up(bench);
  const { serverVersion } = record(bench);
  expect((await bench.shell.run('waybill down')).exitCode).toBe(0);
  return readPorts(serviceFiles(bench.shell.stateDir).ports(serverVersion))?.temporal ?? 0;
}

function asUser(bench: Bench): ShellOptions {
  const home = folderOf(join(bench.shell.base, 'home-of-user'), USER);
  return { userId: USER, env: { HOME: home } };
}

export async function cluster({ cleanups }: Bench, namespace?: string): Promise<ShellOptions> {
  const temporal = await startTemporal();
  cleanups.push(() => temporal.stop());
  return {
    env: {
      TEMPORAL_ADDRESS: temporal.address,
      ...(namespace === undefined ? {} : { TEMPORAL_NAMESPACE: namespace }),
    },
  };
}

export const ROWS: readonly Row[] = [
  {
    check: 'state folder',
    when: 'others may look into it',
    result: 'warning',
    finding: /others on this host can look into/u,
    break: (bench) => {
      mkdirSync(bench.shell.stateDir);
      chmodSync(bench.shell.stateDir, 0o777);
      return { remedy: /^chmod 700 \S+$/u };
    },
  },
  {
    check: 'state folder',
    when: 'it cannot be written',
    result: 'problem',
    finding: /cannot be written \(EACCES\)/u,
    break: (bench) => {
      folderOf(bench.shell.stateDir, USER, 0o500);
      folderOf(bench.shell.cacheDir, USER);
      return { options: asUser(bench), remedy: /^chmod u\+rwx \S+$/u };
    },
  },
  {
    check: 'state folder',
    when: 'it belongs to somebody else',
    result: 'problem',
    finding: /belongs to user 0, not to you/u,
    break: (bench) => {
      mkdirSync(bench.shell.stateDir, { mode: 0o700 });
      folderOf(bench.shell.cacheDir, USER);
      return { options: asUser(bench), remedy: /^export WAYBILL_STATE_DIR=\S+$/u };
    },
  },
  {
    check: 'cache folder',
    when: 'it cannot be written',
    result: 'problem',
    finding: /cannot be written \(EACCES\)/u,
    break: (bench) => {
      folderOf(bench.shell.stateDir, USER);
      folderOf(bench.shell.cacheDir, USER, 0o500);
      return { options: asUser(bench), remedy: /^chmod u\+rwx \S+$/u };
    },
  },
  {
    check: 'cache folder',
    when: 'it belongs to somebody else',
    result: 'problem',
    finding: /belongs to user 0, not to you/u,
    break: (bench) => {
      folderOf(bench.shell.stateDir, USER);
      const options = asUser(bench);
      giveCli(bench.shell.cliPath, join(options.env?.['HOME'] ?? '', '.waybill', 'cache'));
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
    break: (bench) => {
      const disk = mountTmpfs({ sizeBytes: 8 * MiB });
      bench.cleanups.push(() => disk.unmount());
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
    break: (bench) => {
      // Without a network; and a Go that has built it already, for building it takes minutes.
      const go = join(bench.shell.base, 'bin', 'go');
      const answers = '#!/bin/sh\nif [ "$1" = env ]; then echo go1.26.0; exit; fi\n';
      writeFileSync(go, `${answers}cp '${bench.shell.cliPath}' "$GOBIN/temporal"\n`);
      chmodSync(go, 0o755);
      const env = {
        WAYBILL_CACHE_DIR: join(bench.shell.base, 'empty'),
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
    break: (bench) => stop(bench, 'service'),
  },
  {
    check: 'temporal',
    when: 'it was stopped',
    result: 'problem',
    finding: /stands still/u,
    break: (bench) => stop(bench, 'temporal'),
  },
  {
    check: 'worker',
    when: 'it was stopped',
    result: 'problem',
    finding: /stands still/u,
    break: (bench) => stop(bench, 'worker'),
  },
  {
    check: 'worker',
    when: 'it does not come up',
    result: 'problem',
    finding: /exit code 1.*its log: \S+worker\.log/u,
    break: async (bench) => {
      const workerScript = join(bench.shell.base, 'broken-worker.mjs');
      writeFileSync(workerScript, 'throw new Error("no such module");\n');
      const { stateDir, cacheDir } = bench.shell;
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
    break: async (bench) => {
      await up(bench);
      const { service } = record(bench);
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
    break: async (bench) => {
      await up(bench);
      const { database } = record(bench);
      expect((await bench.shell.run('waybill down')).exitCode).toBe(0);
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
    break: async (bench) => {
      const port = await databasePort(bench);
      const stranger = createServer((socket) => socket.destroy()).listen(port, '127.0.0.1');
      bench.cleanups.push(() => new Promise((resolve) => stranger.close(resolve)));
      return { remedy: /^waybill up$/u };
    },
  },
  {
    check: 'ports',
    when: 'a Temporal that nobody recorded has the port of the database',
    result: 'problem',
    finding: /a Temporal that Waybill did not record listens on/u,
    break: async (bench) => {
      const temporal = await startTemporal({ port: await databasePort(bench) });
      bench.cleanups.push(() => temporal.stop());
      return { remedy: /^export WAYBILL_STATE_DIR=\S+$/u };
    },
  },
  {
    check: 'certificates',
    when: 'the variables name no certificates',
    result: 'problem',
    finding: /SSL_CERT_FILE names \/nowhere\S*, which cannot be read.*holds no PEM certificate/u,
    break: (bench) => {
      const empty = join(bench.shell.base, 'empty.pem');
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
    break: async (bench) => {
      const port = await freePort();
      const byHand = async (): Promise<void> => {
        const temporal = await startTemporal({ port });
        bench.cleanups.push(() => temporal.stop());
      };
      return { options: { env: { TEMPORAL_ADDRESS: `127.0.0.1:${port}` } }, byHand };
    },
  },
  {
    check: 'cluster namespace',
    when: 'there is none of that name',
    result: 'problem',
    finding: /has no namespace "models"/u,
    break: async (bench) => ({
      options: await cluster(bench, 'models'),
      remedy: /^\S+ operator namespace create -n models --address \S+$/u,
      then: [/^waybill worker --cluster \S+ --namespace models$/u],
    }),
  },
  {
    check: 'cluster worker',
    when: 'nobody serves',
    result: 'warning',
    finding: /nobody serves destinations any:/u,
    break: async (bench) => ({
      options: await cluster(bench),
      remedy: /^waybill worker --cluster \S+$/u,
    }),
  },
];
