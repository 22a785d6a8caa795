/** Sources that go away for a while, or bring next to nothing: what `--give-up-after` counts, and what asking costs. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { serveFile, startCutServer, type CutReply, type CutServer } from '../helpers/cut-server.js';
import { openWaybill, type WaybillBed, type WaybillRun } from '../helpers/waybill.js';

const LONG_MS = 300_000;
const MiB = 1024 * 1024;
/** More than an outage and the wait for the probe after it. */
const PATIENCE_MS = 20_000;
const PATIENCE = ['--give-up-after', `${PATIENCE_MS / 1_000}s`];

/** Large enough to be fetched in parts. */
const BODY = randomBytes(33 * MiB);
const SLOW = { etag: '"v1"', bytesPerSecond: 512 * 1024 };
const DOWN: CutReply = { status: 503, body: 'not now' };

let bed: WaybillBed;
const servers: CutServer[] = [];
/** All wait rather than work, so they run at once. */
let runs: Readonly<Record<'long' | 'back' | 'crumbs' | 'gone', Promise<WaybillRun>>>;
let gone: CutServer;

async function newServer(): Promise<CutServer> {
  const server = await startCutServer();
  servers.push(server);
  return server;
}

/** Serves slowly, and is down from so long after the first byte was asked for until then. */
async function withOutage(fromMs: number, untilMs: number): Promise<string> {
  const server = await newServer();
  const whole = serveFile(BODY, SLOW);
  let begunAt: number | undefined;
  server.serve('/model.bin', (request) => {
    if (request.method === 'GET' && begunAt === undefined) {
      begunAt = performance.now();
      setTimeout(() => server.dropConnections(), fromMs);
    }
    const pastMs = begunAt === undefined ? 0 : performance.now() - begunAt;
    return pastMs >= fromMs && pastMs < untilMs ? DOWN : whole(request);
  });
  return `${server.url}/model.bin`;
}

/** Ends every answer after a few bytes of it. */
async function withCrumbs(): Promise<string> {
  const server = await newServer();
  const whole = serveFile(BODY, { etag: '"v1"' });
  server.serve('/model.bin', (request) => ({ ...whole(request), cutAfterBytes: 40 }));
  return `${server.url}/model.bin`;
}

function pull(uri: string, name: string): Promise<WaybillRun> {
  return bed.run(['pull', uri, join(bed.dir, name), '--json', ...PATIENCE]);
}

beforeAll(async () => {
  bed = openWaybill();
  const long = await withOutage(PATIENCE_MS + 3_000, PATIENCE_MS + 11_500);
  const back = await withOutage(1_000, 9_500);
  const crumbs = await withCrumbs();
  gone = await newServer();
  gone.serveRest(DOWN);
  await bed.run(['up']);
  runs = {
    long: pull(long, 'long'),
    back: pull(back, 'back'),
    crumbs: pull(crumbs, 'crumbs'),
    gone: bed.run(['pull', `${gone.url}/model.bin`, join(bed.dir, 'gone'), '--json']),
  };
  await Promise.allSettled(Object.values(runs));
}, LONG_MS);

afterAll(async () => {
  await bed.close();
  for (const server of servers) await server.stop();
}, LONG_MS);

describe('--give-up-after', () => {
  it('counts from the last byte, not from the beginning of a file that takes longer than that', async () => {
    expect(await runs.long).toMatchObject({
      exitCode: 0,
      result: { ok: true, bytes: BODY.length },
    });
    expect(readFileSync(join(bed.dir, 'long')).equals(BODY)).toBe(true);
  });

  it('ends no pull whose source is back, however long what is left takes', async () => {
    expect(await runs.back).toMatchObject({
      exitCode: 0,
      result: { ok: true, bytes: BODY.length },
    });
    expect(readFileSync(join(bed.dir, 'back')).equals(BODY)).toBe(true);
  });

  it('a few bytes by each connection are no progress: it ends', async () => {
    expect(await runs.crumbs).toMatchObject({ exitCode: 12, result: { ok: false } });
  });
});

describe('a source that is down', () => {
  it('is asked four times, then once a probe: seven requests until the command says so and ends', async () => {
    const { exitCode, result } = await runs.gone;
    expect({ exitCode, result }).toMatchObject({ exitCode: 12, result: { code: 'WB_GAVE_UP' } });
    expect(result['message']).toContain('503');
    expect(gone.requests.length).toBeGreaterThanOrEqual(5);
    expect(gone.requests.length).toBeLessThanOrEqual(7);
  });
});
