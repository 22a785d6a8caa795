import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { keyStreamDigest } from './key-stream.js';
import { digestOf, mebibytes } from './proof.js';
import { startShapedServer } from './shaped-server.js';
import type { ShapedServer } from './shaped-server.js';
import { unproven } from './stage.js';
import type { Stage } from './stage.js';

const MiB = 1024 * 1024;
const FILE_NAME = 'weights.safetensors';
const SIZE_BYTES = 300 * MiB;
const BYTES_PER_SECOND = 20 * MiB;
const POLL_MS = 50;

const doctorSchema = z.object({ processes: z.object({ worker: z.number().int().positive() }) });

/** Scene (b): a large file over a slow link, and the worker killed in the middle. */
export async function playKill(stage: Stage): Promise<string> {
  const options = { fileName: FILE_NAME, sizeBytes: SIZE_BYTES, bytesPerSecond: BYTES_PER_SECOND };
  const server = await startShapedServer(options);
  stage.onStrike(() => server.stop());
  const expected = keyStreamDigest(FILE_NAME, SIZE_BYTES);
  const pull = stage.waybill(['pull', server.url, `large/${FILE_NAME}`]);
  const killed = await Promise.race([
    killWorkerHalfWay(stage, server),
    pull.then(({ exitCode }) => {
      throw unproven(`the pull ended with ${exitCode} before its worker was killed`);
    }),
  ]);
  const { exitCode } = await pull;
  if (exitCode !== 0) throw unproven(`the pull ended with ${exitCode}`);
  const file = join(stage.dir, 'large', FILE_NAME);
  const { size } = await stat(file);
  if (size !== SIZE_BYTES || (await digestOf(file)) !== expected) {
    throw unproven('the file is not what the server has');
  }
  const twice = server.bytesServed() - SIZE_BYTES;
  await server.stop();
  return (
    `worker ${killed.pid} killed at ${killed.percent} %: bytes again after ${killed.pauseSeconds} s, ` +
    `${mebibytes(SIZE_BYTES)} correct, ${mebibytes(Math.max(0, twice))} fetched twice`
  );
}

interface Killed {
  readonly pid: number;
  readonly percent: number;
  readonly pauseSeconds: string;
}

async function killWorkerHalfWay(stage: Stage, server: ShapedServer): Promise<Killed> {
  await until(stage, () => server.bytesServed() >= SIZE_BYTES * 0.45);
  const asked = await stage.waybill(['doctor', '--json'], { isQuiet: true });
  const report = asked.stdout.trim().split('\n').at(-1) ?? '';
  const { worker: pid } = doctorSchema.parse(JSON.parse(report)).processes;
  await until(stage, () => server.bytesServed() >= SIZE_BYTES * 0.5);
  const percent = Math.round((100 * server.bytesServed()) / SIZE_BYTES);
  stage.io.say(`  $ kill -9 ${pid}        (the worker, with ${percent} % of the file sent)`);
  process.kill(pid, 'SIGKILL');
  const killedAt = performance.now();
  // What was already on its way counts as sent; a moment later only a new worker asks for more.
  await sleep(300, undefined, { signal: stage.signal });
  const before = server.bytesServed();
  await until(stage, () => server.bytesServed() > before);
  return { pid, percent, pauseSeconds: ((performance.now() - killedAt) / 1000).toFixed(1) };
}

async function until(stage: Stage, isTrue: () => boolean): Promise<void> {
  const deadline = performance.now() + 120_000;
  while (!isTrue()) {
    if (performance.now() > deadline) throw unproven('no bytes moved for two minutes');
    await sleep(POLL_MS, undefined, { signal: stage.signal });
  }
}
