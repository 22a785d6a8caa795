/** A source that goes away, asks for patience, or no longer accepts the sign-in, in the middle of a pull. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { serveFile, startCutServer } from '../helpers/cut-server.js';
import { startMinio, type Minio } from '../helpers/minio.js';
import { partsInPlace } from '../helpers/parts-in-place.js';
import { digestsOfTree } from '../helpers/tree.js';
import {
  openWaybill,
  type RunningWaybill,
  type WaybillBed,
  type WaybillRun,
} from '../helpers/waybill.js';
import { temporaryKeys } from '../stores/s3/assume-role.js';

const LONG_MS = 300_000;
const MiB = 1024 * 1024;
const FILES = 10;
/** Slow enough to be still at it when its source has gone down, however busy the machine. */
const SLOWLY = ['--max-bandwidth', '1MiB/s'];

let bed: WaybillBed;
let minio: Minio;
let source: string;

interface Impatient {
  readonly pulling: RunningWaybill;
  refusals(): number;
  stop(): Promise<void>;
}
let impatient: Impatient;

beforeAll(async () => {
  bed = openWaybill();
  source = join(bed.dir, 'source');
  mkdirSync(source);
  for (let index = 0; index < FILES; index += 1) {
    writeFileSync(join(source, `part-${String(index).padStart(2, '0')}.bin`), randomBytes(MiB));
  }
  minio = await startMinio();
  await minio.createBucket('models');
  await minio.putTree('models', 'churn', source);
  impatient = await startImpatient();
}, LONG_MS);

afterAll(async () => {
  await bed.close();
  await impatient.stop();
  await minio.stop();
}, LONG_MS);

/** A pull from a source that wants to be left alone for eleven seconds: the other tests run beside it. */
async function startImpatient(): Promise<Impatient> {
  const server = await startCutServer();
  const behaves = serveFile(randomBytes(MiB), { etag: '"v1"' });
  const patienceMs = 11_000;
  let refusals = 0;
  let refusedAt = Number.POSITIVE_INFINITY;
  server.serveRest((request) => {
    const isOver = performance.now() > refusedAt + patienceMs - 500;
    if (request.method === 'HEAD' || isOver) return behaves(request);
    refusals += 1;
    refusedAt = performance.now();
    return { status: 429, headers: { 'Retry-After': String(patienceMs / 1_000) } };
  });
  const pulling = bed.start(['pull', `${server.url}/patient.bin`, join(bed.dir, 'patient.bin')]);
  return { pulling, refusals: () => refusals, stop: () => server.stop() };
}

/** The same server, with what it has stored, and another password where one is given. */
async function restartMinio(
  password = minio.secretAccessKey,
): Promise<Readonly<Record<string, string>>> {
  await minio.stop();
  const { dir, port } = minio;
  minio = await startMinio({ dir, port, env: { MINIO_ROOT_PASSWORD: password } });
  return { ...minio.env, AWS_SECRET_ACCESS_KEY: password };
}

async function startHalfWay(
  to: string,
  env: Readonly<Record<string, string>>,
): Promise<RunningWaybill> {
  const pulling = bed.start(['pull', 's3://models/churn', to, ...SLOWLY], { env });
  let isOver = false;
  void pulling.done.finally(() => (isOver = true)).catch(() => undefined);
  while (partsInPlace(to) < 2) {
    if (isOver) throw new Error(`it ended before it was half-way:\n${pulling.stderr()}`);
    await sleep(20);
  }
  return pulling;
}

async function expectWhole(to: string): Promise<void> {
  expect(await digestsOfTree(to)).toEqual(await digestsOfTree(source));
  expect(await bed.run(['verify', to])).toMatchObject({ exitCode: 0 });
}

function expectNothingTwice({ result }: WaybillRun, before: number): void {
  expect(result).toMatchObject({ files: FILES, filesFailed: 0 });
  expect(Number(result['filesKept'])).toBeGreaterThanOrEqual(before);
  expect(result['bytesFetched']).toBe((FILES - Number(result['filesKept'])) * MiB);
}

/** Before the real server, which gives no token for less than a quarter of an hour: it answers as S3 does to one that has expired. */
async function startDoor(): Promise<{
  readonly url: string;
  expire(token: string): void;
  stop(): void;
}> {
  const expired = new Set<string>();
  const body =
    '<?xml version="1.0" encoding="UTF-8"?>' +
    '<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>';
  const door = createServer(({ method, url: path, headers }, response) => {
    if (expired.has(String(headers['x-amz-security-token']))) {
      response.writeHead(400, { 'content-type': 'application/xml' }).end(body);
      return;
    }
    const { port } = minio;
    const onward = request({ host: '127.0.0.1', port, method, path, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy()).end();
  });
  door.listen(0, '127.0.0.1');
  await once(door, 'listening');
  return {
    url: `http://127.0.0.1:${(door.address() as AddressInfo).port}`,
    expire: (token) => void expired.add(token),
    stop: () => {
      door.close();
      door.closeAllConnections();
    },
  };
}

describe('a source', () => {
  it(
    'rule 28: that goes down in the middle costs no file and no retry that counts: the pull goes on when it is back',
    async () => {
      const to = join(bed.dir, 'comes-back');
      const pulling = await startHalfWay(to, minio.env);
      await minio.stop();
      await pulling.untilOutput(/blocked/u);
      await restartMinio();
      const quick = ['tune', to, '--max-bandwidth', 'never'];
      // Slow until it was asked to go on: by itself it may have noticed, and have ended, before.
      expect(await bed.run(['retry', to])).toMatchObject({ exitCode: 0 });
      await bed.run(quick);
      const { exitCode, stderr } = await pulling.done;
      expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
      await expectWhole(to);
    },
    LONG_MS,
  );

  it(
    'rule 26: that answers 429 is left alone for as long as it asks, visibly, and no file fails',
    async () => {
      const { exitCode, stderr } = await impatient.pulling.done;
      expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
      expect(stderr).toMatch(/blocked.*fewer requests/u);
      // Nobody asked before the time.
      expect(impatient.refusals()).toBe(1);
    },
    LONG_MS,
  );
});

describe('a sign-in', () => {
  it(
    'rule 2: that is revoked in the middle blocks the pull; a command with the new one goes on, and fetches nothing twice',
    async () => {
      const to = join(bed.dir, 'revoked');
      const pulling = await startHalfWay(to, minio.env);
      const fresh = await restartMinio('another-secret-of-the-test');
      await pulling.untilOutput(/blocked.*secret key/u);
      const before = partsInPlace(to);
      const again = await bed.run(['pull', 's3://models/churn', to, '--json'], { env: fresh });
      expect({ exitCode: again.exitCode, stderr: again.stderr }).toMatchObject({ exitCode: 0 });
      expectNothingTwice(again, before);
      await expectWhole(to);
      // Whoever waited with the old one learns that its run was ended, or has seen the other one to its end.
      const waited = await pulling.done;
      expect([0, 13]).toContain(waited.exitCode);
      expect(waited.exitCode === 0 || /another command goes on/u.test(waited.stderr)).toBe(true);
    },
    LONG_MS,
  );

  it(
    'rule 2: that a restarted service has forgotten is asked for by name; the next command that has it sends it again',
    async () => {
      const to = join(bed.dir, 'forgotten');
      const env = await restartMinio();
      // Slow enough to be still at it when the service goes down, and file by file, so that the first to follow is not the last.
      const slowly = ['--max-bandwidth', '512KiB/s', '--concurrency', '1'];
      const pull = ['pull', 's3://models/churn', to, ...slowly];
      expect(await bed.run([...pull, '--detach'], { env })).toMatchObject({ exitCode: 0 });
      while (partsInPlace(to) < 1) await sleep(20);
      expect(await bed.run(['down', '--force'])).toMatchObject({ exitCode: 0 });
      const before = partsInPlace(to);
      // A shell without the credentials: it starts the service, and sees what is missing.
      const watching = bed.start(['watch', to]);
      await watching.untilOutput(/blocked.*needs credentials/u);
      const going = bed.start([...pull, '--json'], { env });
      while (partsInPlace(to) <= before) await sleep(20);
      const tuned = await bed.run(['tune', to, '--max-bandwidth', 'never']);
      expect({ exitCode: tuned.exitCode, stderr: tuned.stderr }).toMatchObject({ exitCode: 0 });
      const again = await going.done;
      expect({ exitCode: again.exitCode, stderr: again.stderr }).toMatchObject({ exitCode: 0 });
      // It is the same run that went on.
      expect(await watching.done).toMatchObject({ exitCode: 0 });
      expect(again.result).toMatchObject({ files: FILES, bytesFetched: FILES * MiB });
      expect(before).toBeGreaterThan(0);
      await expectWhole(to);
    },
    LONG_MS,
  );

  it(
    'rule 2: that is temporary and expires in the middle blocks the pull; a command with the next one goes on, and fetches nothing twice',
    async () => {
      const to = join(bed.dir, 'expired');
      const door = await startDoor();
      const all = [{ Action: ['s3:*'], Resource: ['arn:aws:s3:::*'] }];
      const [first, second] = [await temporaryKeys(minio, all), await temporaryKeys(minio, all)];
      const env = { ...minio.env, AWS_ENDPOINT_URL: door.url };
      const pulling = await startHalfWay(to, { ...env, ...first });
      door.expire(first['AWS_SESSION_TOKEN'] ?? '');
      await pulling.untilOutput(/blocked.*expired/u);
      const before = partsInPlace(to);
      const pull = ['pull', 's3://models/churn', to, '--json'];
      const again = await bed.run(pull, { env: { ...env, ...second } });
      expect({ exitCode: again.exitCode, stderr: again.stderr }).toMatchObject({ exitCode: 0 });
      expectNothingTwice(again, before);
      await expectWhole(to);
      await pulling.done;
      door.stop();
    },
    LONG_MS,
  );
});
