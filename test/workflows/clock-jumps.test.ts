/** Somebody sets the time of the machine while a worker runs (rule 34). */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WaybillClient } from '../../src/client.js';
import { readOrMakeKey } from '../../src/service/private-key.js';
import { serviceFiles } from '../../src/service/service-files.js';
import { serveFile, startCutServer, type CutServer } from '../helpers/cut-server.js';
import { startClock, type Clock } from '../helpers/faketime.js';
import { scratchFolder, scrubbedEnv } from '../helpers/processes.js';
import { startTemporal, type Temporal } from '../helpers/temporal.js';
import { newRequest, until } from './lib/bench.js';

const WORKER = fileURLToPath(new URL('../../src/worker.js', import.meta.url));
const MiB = 1024 * 1024;
const SIZE = 40 * MiB;
const HALF_A_DAY_MS = 12 * 60 * 60 * 1_000;

let temporal: Temporal;
let client: WaybillClient;
let server: CutServer;
let clock: Clock;
let scratch: string;
let worker: ChildProcess;
const body = randomBytes(SIZE);

beforeAll(async () => {
  scratch = scratchFolder('clock');
  clock = await startClock(scratch);
  temporal = await startTemporal();
  const payloadKey = readOrMakeKey(serviceFiles(scratch).payloadKey);
  client = await WaybillClient.connect({ address: temporal.address, payloadKey });
  server = await startCutServer();
  server.serveRest(serveFile(body, { etag: '"v1"', bytesPerSecond: 4 * MiB }));
  const paths = ['--state-dir', scratch, '--control-socket', join(scratch, 'none.sock')];
  worker = spawn(process.execPath, [WORKER, '--local', ...paths, '--address', temporal.address], {
    // As by a service that lives: without its channel a worker takes itself for left behind.
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    env: scrubbedEnv(clock.env),
  });
});

afterAll(async () => {
  worker.kill('SIGKILL');
  if (worker.exitCode === null && worker.signalCode === null) await once(worker, 'exit');
  await client.close();
  await server.stop();
  await temporal.stop();
  rmSync(scratch, { recursive: true, force: true });
});

/** When the pull ended, by the wall clock of its worker. */
function endedAt(destination: string): number {
  const record = join(destination, '..', '.model.bin.waybill', 'receipt.json');
  const receipt = JSON.parse(readFileSync(record, 'utf8')) as { endedAt: string };
  return Date.parse(receipt.endedAt) - Date.now();
}

describe('a wall clock that jumps', () => {
  it('rule 34: a day on and two days back in the middle: no time-out, no retry, no byte twice', async () => {
    const path = join(scratch, 'model.bin');
    const source = { uri: `${server.url}/model.bin`, settings: {} };
    const request = newRequest({ source, destination: { path, isFolder: false } });
    const { pullId } = await client.startPull(request);
    const served = (): number => server.bytesServed('/model.bin');
    await until('bytes flow', () => served() > 2 * MiB, 60_000);
    for (const offset of ['+1d', '-1d']) {
      const before = served();
      clock.jump(offset);
      await until('bytes flow on', () => served() > before + 3 * MiB, 60_000);
    }
    expect(await client.result(pullId)).toMatchObject({ ok: true, files: 1, bytes: SIZE });
    expect(readFileSync(path).equals(body)).toBe(true);
    // The worker did live a day ago.
    expect(endedAt(path)).toBeLessThan(-HALF_A_DAY_MS);
    const { progress } = await client.status(pullId);
    expect(progress).toMatchObject({ failures: [], filesFailed: 0, retries: 0 });
    expect(served()).toBeLessThan(SIZE + MiB);
  }, 120_000);

  it('rule 34: what was fetched two days ago by the clock, or will be tomorrow, is kept by its pin and its stamp', async () => {
    const path = join(scratch, 'model.bin');
    const source = { uri: `${server.url}/model.bin`, settings: {} };
    const before = server.bytesServed('/model.bin');
    for (const offset of ['+1d', '-2d']) {
      clock.jump(offset);
      const request = newRequest({ source, destination: { path, isFolder: false } });
      const { pullId } = await client.startPull(request);
      expect(await client.result(pullId)).toMatchObject({
        ok: true,
        filesKept: 1,
        bytesFetched: 0,
      });
    }
    expect(server.bytesServed('/model.bin')).toBe(before);
    expect(endedAt(path)).toBeLessThan(-HALF_A_DAY_MS);
  }, 120_000);
});
