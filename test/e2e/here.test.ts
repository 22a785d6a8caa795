/** `--here`: a cluster keeps the pull, and this host fetches, for as long as its command runs. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Client, Connection } from '@temporalio/client';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { WaybillClient } from '../../src/client.js';
import { siteOfThisHost } from '../../src/cli/request/here.js';
import { startTemporal, type Temporal } from '../helpers/temporal.js';
import {
  openWaybill,
  type RunningWaybill,
  type WaybillBed,
  type WaybillRun,
} from '../helpers/waybill.js';
import { newRequest, until } from '../workflows/lib/bench.js';
import { startSlowSource, UNRECORDED_BYTES, type SlowSource } from './half-way.js';

const LONG_MS = 300_000;
const MiB = 1024 * 1024;
const TOKEN = 'token-of-this-shell-5b1e9c';
const PASSWORD = 'pw-8861-2f';
const BASIC = Buffer.from(`user:${PASSWORD}`).toString('base64');
const ACCEPTED = [`Bearer ${TOKEN}`, `Basic ${BASIC}`];

let temporal: Temporal;
/** Without a worker. */
let lonely: Temporal;
let alone: Promise<WaybillRun>;
let client: WaybillClient;
let bed: WaybillBed;
let worker: RunningWaybill;
let source: SlowSource;
let env: Readonly<Record<string, string>>;
let count = 0;
let name: string;
let uri: string;
let destination: string;

beforeAll(async () => {
  bed = openWaybill();
  [temporal, lonely, source] = await Promise.all([
    startTemporal(),
    startTemporal(),
    startSlowSource(ACCEPTED),
  ]);
  // It takes half a minute to say so: meanwhile the others have their turn.
  alone = bed.run(['pull', source.uri('alone'), join(bed.dir, 'alone.bin'), '--here', '--json'], {
    env: { ...lonely.env, WAYBILL_HTTP_TOKEN: TOKEN },
  });
  alone.catch(() => undefined);
  client = await WaybillClient.connect({ address: temporal.address });
  env = { ...temporal.env, WAYBILL_HTTP_TOKEN: TOKEN };
  // It serves the workflows, and may write nowhere.
  worker = bed.start(['worker'], { env: temporal.env, timeoutMs: 900_000 });
  await until(
    'the worker polls',
    async () => (await client.pollersOf('waybill')).length > 0,
    120_000,
  );
}, LONG_MS);

afterAll(async () => {
  worker.signal('SIGTERM');
  expect(await worker.done).toMatchObject({ exitCode: 0 });
  await client.close();
  await source.stop();
  await Promise.all([temporal.stop(), lonely.stop()]);
  await bed.close();
}, LONG_MS);

beforeEach(() => {
  source.slowDown();
  count += 1;
  name = `pull-${count}`;
  uri = source.uri(name);
  destination = join(bed.dir, name, 'model.bin');
});

const pull = (...flags: readonly string[]): RunningWaybill =>
  bed.start(['pull', uri, destination, '--here', ...flags], { env });

async function expectEnd(pulling: RunningWaybill, servedBefore: number): Promise<void> {
  source.hurry();
  expect(await pulling.done).toMatchObject({ exitCode: 0 });
  source.expectWhole(destination);
  const again = source.bytesServed(name) - servedBefore;
  expect(again).toBeLessThanOrEqual(UNRECORDED_BYTES + MiB);
}

/** All that Temporal keeps of the pull into this test's destination. */
async function historyText(pullId: string): Promise<string> {
  const connection = await Connection.connect({ address: temporal.address });
  try {
    const history = await new Client({ connection }).workflow.getHandle(pullId).fetchHistory();
    const text = JSON.stringify(history);
    const payloads = [...text.matchAll(/"data":"([^"]*)"/gu)].map(([, data = '']) =>
      Buffer.from(data, 'base64').toString('utf8'),
    );
    return [text, ...payloads].join('\n');
  } finally {
    await connection.close();
  }
}

describe('a pull on a cluster with --here', () => {
  it(
    'rule 2: is fetched by its command with the credentials of its shell, which no history has',
    async () => {
      source.hurry();
      const run = await pull('--json').done;
      expect(run).toMatchObject({ exitCode: 0, result: { ok: true, destination } });
      expect(run.events.find(({ type }) => type === 'started')).toMatchObject({
        temporal: `Temporal at ${temporal.address}, fetched by this host`,
      });
      source.expectWhole(destination);
      expect(existsSync(join(bed.dir, name, '.model.bin.waybill', 'receipt.json'))).toBe(true);
      const history = await historyText(String(run.result['pullId']));
      expect(history).toContain(`waybill-transfer.${siteOfThisHost(destination)}`);
      expect(history).toContain(uri);
      expect(history).not.toContain(TOKEN);
      expect(run.stdout + run.stderr + bed.stateText()).not.toContain(TOKEN);
    },
    LONG_MS,
  );

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)(
    'pauses at %s with exit %i, for nobody else could go on, and the same command goes on',
    async (signal, exitCode) => {
      const pulling = pull();
      await source.untilHalfWay(destination);
      pulling.signal(signal);
      const run = await pulling.done;
      expect(run.exitCode).toBe(exitCode);
      expect(run.stderr).toMatch(/^Kept: [\d.]+ MB of 42 MB, in .*model\.bin$/mu);
      expect(run.stderr).toContain(`Go on with: waybill pull ${uri} ${destination} --here`);
      await source.expectStopped(name);
      const { state, progress } = await client.status((await client.find(destination)).pullId);
      expect([state, progress.phase]).toEqual(['running', 'paused']);
      const served = source.bytesServed(name);
      await expectEnd(pull(), served);
    },
    LONG_MS,
  );

  it(
    'waits when its command is killed; the same command goes on with it, and its Ctrl-C pauses it again',
    async () => {
      const killed = pull();
      await source.untilHalfWay(destination);
      killed.signal('SIGKILL');
      await killed.done;
      await source.expectStopped(name);
      expect((await client.find(destination)).state).toBe('running');
      const requests = source.bytesServed(name);
      const next = pull();
      await until('bytes flow again', () => source.bytesServed(name) > requests, 120_000);
      next.signal('SIGINT');
      const stopped = await next.done;
      expect([stopped.exitCode, stopped.stderr]).toEqual([130, expect.stringContaining('Kept: ')]);
      const served = source.bytesServed(name);
      await expectEnd(pull(), served);
    },
    LONG_MS,
  );

  it(
    'of two commands at once is one pull, and Ctrl-C in the second only stops watching',
    async () => {
      const first = pull();
      await source.untilHalfWay(destination);
      const second = pull('--json');
      await second.untilOutput(/"type":"progress"/u);
      second.signal('SIGINT');
      const left = await second.done;
      expect(left.exitCode).toBe(130);
      expect(left.result['message']).toContain('because another command started it');
      source.hurry();
      expect(await first.done).toMatchObject({ exitCode: 0 });
      source.expectWhole(destination);
    },
    LONG_MS,
  );

  it(
    'rule 4: does nothing but its own pull, whoever puts work into its queue',
    async () => {
      const secret = join(bed.dir, 'secret.txt');
      writeFileSync(secret, 'secret');
      const pulling = pull();
      await source.untilHalfWay(destination);
      const site = siteOfThisHost(destination);
      const stolen = join(bed.dir, `stolen-${count}`);
      mkdirSync(stolen);
      for (const to of [
        { path: join(stolen, 'x'), isFolder: false },
        { path: stolen, isFolder: true },
      ]) {
        const request = newRequest({ source: { uri: secret, settings: {} }, destination: to });
        const { pullId } = await client.startPull(request, { site });
        expect(await client.result(pullId)).toMatchObject({
          ok: false,
          code: 'WB_PERMISSION_DENIED',
          message: expect.stringContaining('serves its own pull alone') as unknown,
        });
      }
      expect(existsSync(join(stolen, 'x')) || existsSync(join(stolen, 'secret.txt'))).toBe(false);
      await expectEnd(pulling, source.bytesServed(name));
    },
    LONG_MS,
  );

  it(
    'says who is missing when nobody serves the workflows of the cluster',
    async () => {
      const run = await alone;
      expect(run).toMatchObject({ exitCode: 10, result: { code: 'WB_NO_WORKER' } });
      expect(run.stderr).toContain('start one for the workflows of the cluster: waybill worker.');
    },
    LONG_MS,
  );
});

describe('on a cluster', () => {
  it(
    'Ctrl-C without --here only stops watching, and says so',
    async () => {
      const args = ['pull', uri, `nobody:${destination}`, '--json'];
      const pulling = bed.start(args, { env: temporal.env });
      await pulling.untilOutput(/"type":"started"/u);
      pulling.signal('SIGINT');
      const { exitCode, result } = await pulling.done;
      expect([exitCode, result['message']]).toEqual([
        130,
        expect.stringContaining('the pull goes on, because it runs on the cluster'),
      ]);
      const { pullId, state } = await client.find(destination);
      expect(state).toBe('running');
      const steered = await bed.run(['cancel', pullId], { env: temporal.env });
      expect(steered.exitCode).toBe(0);
      const watched = await bed.run(['watch', pullId], { env: temporal.env });
      expect(watched.exitCode).toBe(13);
    },
    LONG_MS,
  );

  it.each([
    [
      'a folder of this host without --here',
      ['./model.bin'],
      /SITE:\/absolute\/path[\s\S]*--here/u,
    ],
    ['no destination without --here', [], /SITE:\/absolute\/path[\s\S]*--here/u],
    [
      'a site with --here',
      ['gpu1:/data/x', '--here'],
      /names the site gpu1[\s\S]*leave --here away/u,
    ],
    ['--detach with --here', ['./model.bin', '--here', '--detach'], /the command is the worker/u],
    ['--here without a cluster', ['./model.bin', '--here', '--local'], /leave --here away/u],
  ])(
    '%s is a usage error that says both ways',
    async (_what, args, message) => {
      const run = await bed.run(['pull', uri, ...args], { env: temporal.env });
      expect([run.exitCode, run.stderr]).toEqual([2, expect.stringMatching(message)]);
    },
    LONG_MS,
  );

  it(
    'an address with a secret goes with --here, and only redacted into the history',
    async () => {
      source.hurry();
      const secretUri = uri.replace('http://', `http://user:${PASSWORD}@`);
      const args = ['pull', secretUri, destination, '--here', '--json'];
      const run = await bed.run(args, { env: temporal.env });
      expect(run).toMatchObject({ exitCode: 0 });
      const history = await historyText(String(run.result['pullId']));
      for (const secret of [PASSWORD, BASIC]) expect(history).not.toContain(secret);
      const record = join(bed.dir, name, '.model.bin.waybill', 'receipt.json');
      expect(readFileSync(record, 'utf8')).not.toContain(PASSWORD);
    },
    LONG_MS,
  );

  it(
    '--dry-run with --here looks at this host',
    async () => {
      const run = await bed.run(['pull', uri, destination, '--here', '--dry-run'], { env });
      expect([run.exitCode, run.stdout]).toEqual([0, expect.stringContaining('model.bin')]);
      expect(existsSync(destination)).toBe(false);
    },
    LONG_MS,
  );
});
