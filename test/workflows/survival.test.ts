import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { WaybillClient } from '../../src/client.js';
import type { PullRequest } from '../../src/model/pull.js';
import { readOrMakeKey } from '../../src/service/private-key.js';
import { serviceFiles } from '../../src/service/service-files.js';
import { startTemporal, type Temporal } from '../helpers/temporal.js';
import { newRequest, until } from './lib/bench.js';

const WORKER = fileURLToPath(new URL('../../src/worker.js', import.meta.url));
const SIZE = 48 * 1024 * 1024;
const BYTES_PER_SECOND = 4 * 1024 * 1024;

/** A file that comes slowly, with ranges and a strong ETag; it counts what it sends. */
class SlowSource {
  readonly bytes = randomBytes(SIZE);
  sent = 0;
  bytesPerSecond = BYTES_PER_SECOND;
  private readonly server: Server = createServer((request, response) => {
    const range = /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? '');
    const from = Number(range?.[1] ?? 0);
    const to = range?.[2] === undefined || range[2] === '' ? SIZE - 1 : Number(range[2]);
    response.writeHead(range === null ? 200 : 206, {
      'content-type': 'application/octet-stream',
      'accept-ranges': 'bytes',
      etag: '"one-version"',
      'content-length': to - from + 1,
      ...(range === null ? {} : { 'content-range': `bytes ${from}-${to}/${SIZE}` }),
    });
    if (request.method === 'HEAD') response.end();
    else void this.drip(from, to + 1, response);
  });

  async start(): Promise<string> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    const { port } = this.server.address() as AddressInfo;
    return `http://127.0.0.1:${port}/model.bin`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  private async drip(from: number, to: number, response: ServerResponse): Promise<void> {
    const step = 64 * 1024;
    for (let at = from; at < to && !response.destroyed; at += step) {
      const chunk = this.bytes.subarray(at, Math.min(at + step, to));
      this.sent += chunk.length;
      response.write(chunk);
      await sleep((step / this.bytesPerSecond) * 1_000);
    }
    response.end();
  }
}

let temporal: Temporal;
let client: WaybillClient;
let source: SlowSource;
let uri: string;
let scratch: string;
const workers: ChildProcess[] = [];

function startWorker(previous?: ChildProcess): ChildProcess {
  const worker = spawn(
    process.execPath,
    [
      WORKER,
      '--local',
      ...['--state-dir', scratch, '--address', temporal.address],
      ...['--control-socket', join(scratch, 'none.sock')],
      ...(previous === undefined
        ? []
        : ['--previous-identity', `${hostname()}/${previous.pid}/worker`]),
    ],
    // As by a service that lives: without its channel a worker takes itself for left behind.
    { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] },
  );
  workers.push(worker);
  return worker;
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

const request = (): PullRequest =>
  newRequest({
    source: { uri, settings: {} },
    destination: { path: join(scratch, `model-${workers.length}.bin`), isFolder: false },
  });

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'waybill-survival-'));
  temporal = await startTemporal({ databaseFile: join(scratch, 'temporal.db') });
  const payloadKey = readOrMakeKey(serviceFiles(scratch).payloadKey);
  client = await WaybillClient.connect({ address: temporal.address, payloadKey });
});

beforeAll(async () => {
  source = new SlowSource();
  uri = await source.start();
});

afterEach(async () => {
  await Promise.all(workers.map(kill));
});

afterAll(async () => {
  await client.close();
  await temporal.stop();
  await source.stop();
  rmSync(scratch, { recursive: true, force: true });
});

describe('a pull survives', () => {
  it('rule 27: kill -9 of its worker; bytes flow again within 10 s and nothing partial shows', async () => {
    const startedAt = performance.now();
    const first = startWorker();
    const asked = request();
    source.sent = 0;
    const { pullId } = await client.startPull(asked);
    await until('bytes flow', () => source.sent > 200_000);
    // A machine that needs longer for this needs longer for that, too.
    const withinMs = Math.max(10_000, 3 * (performance.now() - startedAt));
    await until('a third is there', () => source.sent > SIZE / 3);
    await kill(first);
    expect(existsSync(asked.destination.path)).toBe(false);
    const sentBefore = source.sent;
    const killedAt = performance.now();
    startWorker(first);
    await until('bytes flow again', () => source.sent > sentBefore + 200_000);
    expect(performance.now() - killedAt).toBeLessThan(withinMs);
    source.bytesPerSecond = 200 * 1024 * 1024;
    const result = await client.result(pullId);
    source.bytesPerSecond = BYTES_PER_SECOND;
    expect(result).toMatchObject({ ok: true, files: 1, bytes: SIZE });
    expect(sha256(await readFile(asked.destination.path))).toBe(sha256(source.bytes));
    expect((await client.status(pullId)).progress.failures).toEqual([]);
  });

  it('kill -9 of Temporal; the watch goes on, and says that it cannot reach it', async () => {
    startWorker();
    const asked = request();
    const { pullId } = await client.startPull(asked);
    source.sent = 0;
    const reasons = new Set<string>();
    const seen: number[] = [];
    let ended: boolean | undefined;
    const watching = (async () => {
      for await (const status of client.watch(pullId, { intervalMs: 200 })) {
        if (status.progress.reason !== undefined) reasons.add(status.progress.reason);
        seen.push(status.progress.bytesDone);
        ended = status.result?.ok;
      }
    })();
    await until('a third is there', () => source.sent > SIZE / 3);
    const saysSo = (): boolean =>
      [...reasons].some((reason) => reason.startsWith('Temporal cannot be reached'));
    const { port } = temporal;
    temporal.kill('SIGKILL');
    await until('the watch says so', saysSo);
    temporal = await startTemporal({ databaseFile: join(scratch, 'temporal.db'), port });
    await watching;
    expect(ended).toBe(true);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(sha256(await readFile(asked.destination.path))).toBe(sha256(source.bytes));
  });
});
