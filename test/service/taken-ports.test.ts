/** A port that another program takes in the moment between Waybill's look at it and Temporal's start. */
import { once } from 'node:events';
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { findService, stopService } from '../../src/service/find-or-start.js';
import { ensureTemporalCli } from '../../src/service/temporal-cli.js';
import { cacheFolder } from '../helpers/cache.js';
import { scratchFolder } from '../helpers/processes.js';
import { openServiceBed, until } from './service-bed.js';

const LONG_MS = 120_000;
const scratch = scratchFolder('taken-ports');
const strangers: number[] = [];

afterAll(() => {
  for (const pid of strangers) process.kill(pid, 'SIGKILL');
  rmSync(scratch, { recursive: true, force: true });
});

/** A Temporal CLI before whose next start, once `takeNext` was called, a stranger listens on the port of a flag. */
async function makeCli(name: string, flag: '--port' | '--ui-port') {
  const real = await ensureTemporalCli({ cacheDir: cacheFolder(), onProgress: () => undefined });
  const [path, wanted, stranger] = ['cli', 'wanted', 'stranger'].map((file) =>
    join(scratch, `${name}-${file}`),
  ) as [string, string, string];
  const listen =
    'require("net").createServer((s) => s.end("no")).listen(+process.argv[1], "127.0.0.1", ' +
    '() => require("fs").writeFileSync(process.argv[2], String(process.pid)))';
  const script = `#!/bin/bash
if [ "$1" = server ] && rm ${wanted} 2>/dev/null; then
  port=$(sed -E 's/.* ${flag} ([0-9]+).*/\\1/' <<<"$*")
  setsid ${process.execPath} -e '${listen}' "$port" ${stranger} </dev/null >/dev/null 2>&1 &
  until [ -s ${stranger} ]; do sleep 0.01; done
fi
exec ${real.path} "$@"
`;
  writeFileSync(path, script);
  chmodSync(path, 0o755);
  return {
    path,
    takeNext: () => writeFileSync(wanted, ''),
    isTaken: () => {
      if (!existsSync(stranger)) return false;
      strangers.push(Number(readFileSync(stranger, 'utf8')));
      return true;
    },
  };
}

describe('a port that is taken while Temporal starts', () => {
  it.each(['--port', '--ui-port'] as const)(
    'of %s is another one at the next try, and the command waits for it',
    async (flag) => {
      const bed = openServiceBed();
      const cli = await makeCli(`first${flag}`, flag);
      cli.takeNext();
      try {
        const { address, control } = await bed.start({ temporalCli: cli.path });
        expect(cli.isTaken()).toBe(true);
        const status = await control.status();
        expect(status).toMatchObject({ address, temporal: { state: 'ready' } });
        expect(status.temporal.restarts).toBeGreaterThan(0);
        // The worker was told the address at its start.
        await until(
          'the worker has the new address',
          async () =>
            (await control.status()).worker.state === 'ready' &&
            bed.workerStarts().at(-1)?.args.includes(address) === true,
        );
      } finally {
        await bed.close();
      }
    },
    LONG_MS,
  );

  it(
    'after it had one, of the web page: the service goes on with another page',
    async () => {
      const bed = openServiceBed();
      const cli = await makeCli('later-page', '--ui-port');
      try {
        const { address, uiAddress, control } = await bed.start({ temporalCli: cli.path });
        const before = await control.status();
        cli.takeNext();
        process.kill(before.temporal.pid ?? 0, 'SIGKILL');
        await until('it has another page', async () => {
          const now = await control.status();
          return now.temporal.state === 'ready' && now.uiAddress !== uiAddress;
        });
        expect(cli.isTaken()).toBe(true);
        expect(await control.status()).toMatchObject({ address, servicePid: before.servicePid });
      } finally {
        await bed.close();
      }
    },
    LONG_MS,
  );

  it(
    'after it had one, of Temporal: the service ends, and what looks for it finds one with another port',
    async () => {
      const bed = openServiceBed();
      const cli = await makeCli('later-port', '--port');
      try {
        const first = await bed.start({ temporalCli: cli.path });
        cli.takeNext();
        process.kill((await first.control.status()).temporal.pid ?? 0, 'SIGKILL');
        await first.lost;
        expect(cli.isTaken()).toBe(true);
        const next = await bed.start({ temporalCli: cli.path });
        expect(next.address).not.toBe(first.address);
        const found = await findService(bed.stateDir);
        if (found !== undefined) await stopService(found, await found.status());
      } finally {
        await bed.close();
      }
    },
    LONG_MS,
  );
});

it(
  'metrics that have no port are told to whoever starts the service, which goes on without',
  async () => {
    const bed = openServiceBed();
    const stranger = createServer().listen(0, '127.0.0.1');
    try {
      await once(stranger, 'listening');
      const metricsBind = `127.0.0.1:${(stranger.address() as AddressInfo).port}`;
      const { control } = await bed.start({ metricsBind, workerScript: undefined });
      expect(bed.progress.join('\n')).toMatch(
        /shows no metrics\. service-metrics-bind 127\.0\.0\.1:\d+: another process listens there: name another port, such as \d+/u,
      );
      await until('it works', async () => (await control.status()).worker.state === 'ready');
    } finally {
      stranger.close();
      await bed.close();
    }
  },
  LONG_MS,
);
