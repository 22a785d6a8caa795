/** What operators of a cluster rely on: metrics, probes, logs, keys that change, workers that are asked to end. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { METRICS } from '../../src/telemetry/metric-table.js';
import { startCutServer, type CutServer } from '../helpers/cut-server.js';
import { namedMetrics } from '../helpers/ops-metrics.js';
import { startOtlpReceiver, type OtlpReceiver } from '../helpers/otlp-receiver.js';
import { scratchFolder } from '../helpers/processes.js';
import { startTemporal, type Temporal } from '../helpers/temporal.js';
import { runWaybill, startWaybill, type RunningWaybill } from '../helpers/waybill.js';
import { startSlowSource, type SlowSource } from './half-way.js';
import { startOperatedWorker, untilIs, type OperatedWorker } from './lib/operated-worker.js';

const LONG_MS = 300_000;
const MODEL_BYTES = 40 * 1024 * 1024;
const OLD = 'token-that-was-6f1c0a';
const NEW = 'token-that-is-now-77aa3e';

let temporal: Temporal;
let slow: SlowSource;
let server: CutServer;
let collector: OtlpReceiver;
let worker: OperatedWorker;
let home: string;
let data: string;
/** Words of Authorization that the sources accept. */
const accepted = [`Bearer ${OLD}`];

beforeAll(async () => {
  home = scratchFolder('operators');
  data = join(home, 'data');
  for (const folder of [data, join(home, 'waybill')]) mkdirSync(folder);
  slow = await startSlowSource(accepted);
  server = await startOddServer();
  collector = await startOtlpReceiver('collector-token');
  writeFileSync(join(home, 'token'), OLD);
  const origins = [new URL(slow.uri('x')).origin, new URL(server.url).origin];
  writeFileSync(
    join(home, 'waybill', 'waybill.toml'),
    [
      ...['[worker]', `roots = ["${data}"]`],
      ...['[connections.lab]', 'type = "http"', `http_token_file = "${join(home, 'token')}"`],
      `origins = ${JSON.stringify(origins)}`,
    ].join('\n'),
  );
  temporal = await startTemporal();
  worker = await startWorker(['--grace', '5s']);
  await worker.untilReadiness('ready');
}, LONG_MS);

afterAll(async () => {
  for (const one of workers) one.running.signal('SIGKILL');
  await Promise.all(workers.map((one) => one.running.done));
  await temporal.stop();
  await slow.stop();
  await server.stop();
  await collector.stop();
}, LONG_MS);

const workers: OperatedWorker[] = [];

async function startWorker(args: readonly string[]): Promise<OperatedWorker> {
  const env = {
    ...temporal.env,
    XDG_CONFIG_HOME: home,
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_EXPORTER_OTLP_HEADERS: 'x-token=collector%2Dtoken',
  };
  const started = await startOperatedWorker(args, { env, cwd: home });
  workers.push(started);
  return started;
}

/** A listing with one file that is gone, and a file that is there from the second question on. */
async function startOddServer(): Promise<CutServer> {
  const odd = await startCutServer();
  let asked = 0;
  odd.serveRest(({ path, headers }) => {
    if (!accepted.includes(headers.authorization ?? '')) return { status: 401 };
    const html = { 'Content-Type': 'text/html' };
    const names = ['good.bin', 'gone.bin'].map((name) => `<a href="${name}">${name}</a>`);
    const page = `<html><title>Index of /set/</title><pre>${names.join('\n')}</pre></html>`;
    if (path === '/set/') return { status: 200, headers: html, body: Buffer.from(page) };
    if (path === '/set/good.bin') return { status: 200, body: Buffer.from('good') };
    if (path === '/flaky.bin' && (asked += 1) > 1) return { status: 200, body: Buffer.from('ok') };
    return { status: path === '/flaky.bin' ? 503 : 404 };
  });
  return odd;
}

function pull(source: string, name: string): RunningWaybill {
  const args = ['pull', source, `any:${join(data, name)}`, '--connection', 'lab', '--json'];
  return startWaybill(args, { cwd: home, env: temporal.env });
}

/** Asks the pull that a command follows to try again at once. */
async function retry(pulling: RunningWaybill): Promise<void> {
  await pulling.untilOutput(/"pullId":"/u);
  const id = /"pullId":"([^"]+)"/u.exec(pulling.stdout())?.[1] ?? '';
  const { exitCode, stderr } = await runWaybill(['retry', id], { cwd: home, env: temporal.env });
  expect([id, exitCode, stderr]).toEqual([id, 0, stderr]);
}

describe('a worker of a cluster', () => {
  it(
    'takes a key that was changed without a restart: nothing is blocked, nothing fetched twice',
    async () => {
      const to = join(data, 'rotated.bin');
      const pulling = pull(slow.uri('rotated'), 'rotated.bin');
      await slow.untilHalfWay(to);
      writeFileSync(join(home, 'token'), NEW);
      accepted.splice(0, 1, `Bearer ${NEW}`);
      slow.hurry();
      const { exitCode, stderr } = await pulling.done;
      slow.slowDown();
      expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
      slow.expectWhole(to);
      expect(slow.bytesServed('rotated')).toBeLessThan(MODEL_BYTES * 1.5);
      const codes = worker.log().map(({ code }) => code);
      expect(codes).not.toContain('WB_UNAUTHENTICATED');
    },
    LONG_MS,
  );

  it(
    'is blocked visibly by a key that nobody has renewed, and goes on when its file has',
    async () => {
      writeFileSync(join(home, 'token'), NEW);
      accepted.splice(0, 1, `Bearer ${NEW}`);
      const blocked = 'waybill_pulls_blocked{code="WB_UNAUTHENTICATED"}';
      const to = join(data, 'renewed.bin');
      const pulling = pull(slow.uri('renewed'), 'renewed.bin');
      await slow.untilHalfWay(to);
      accepted.splice(0, 1, `Bearer ${OLD}`);
      slow.hurry();
      const seen = async (): Promise<boolean> =>
        [...(await worker.scrape())].some(([name, value]) => name === blocked && value === 1);
      await untilIs('a blocked pull in the metrics', seen, true);
      writeFileSync(join(home, 'token'), OLD);
      await retry(pulling);
      expect(await pulling.done).toMatchObject({ exitCode: 0 });
      slow.slowDown();
      slow.expectWhole(to);
      const blockedNow = async (): Promise<number | undefined> =>
        (await worker.scrape()).get(blocked);
      await untilIs('the blocked pull in the metrics', blockedNow, 0);
    },
    LONG_MS,
  );

  it(
    'shows every metric of the table in one scrape with those of the SDK, and nothing that names a source',
    async () => {
      expect((await pull(`${server.url}/flaky.bin`, 'flaky.bin').done).exitCode).toBe(0);
      expect((await pull(`${server.url}/set/`, 'set').done).exitCode).toBe(3);
      const text = await worker.scrapeText();
      const values = await worker.scrape();
      const names = new Set([...values.keys()].map((key) => key.replace(/\{.*/u, '')));
      for (const { name, kind } of Object.values(METRICS)) {
        expect(text).toContain(`# TYPE ${name} ${kind}`);
        expect(names).toContain(name);
      }
      expect(names).toContain('temporal_activity_execution_latency_seconds_count');
      expect(names).toContain('temporal_num_pollers');
      const named = [...namedMetrics()].map((name) => [name, names.has(name)]);
      expect(named.filter(([, isThere]) => isThere !== true)).toEqual([]);
      expect(named.length).toBeGreaterThan(12);
      const labels = [...values.keys()].filter((key) => key.startsWith('waybill_'));
      for (const key of labels) {
        const row = Object.values(METRICS).find(({ name }) => name === key.replace(/\{.*/u, ''));
        const own = [...key.matchAll(/(\w+)="/gu)].map(([, label]) => label);
        expect([key, own]).toEqual([key, [...(row?.labels ?? ['unknown'])].sort()]);
      }
      expect(values.get('waybill_files_total{level="size",store="http"}')).toBeGreaterThan(2);
      expect(values.get('waybill_bytes_total{store="http"}')).toBeGreaterThan(MODEL_BYTES - 1);
      expect(values.get('waybill_files_failed_total{code="WB_NOT_FOUND"}')).toBe(1);
      expect(values.get('waybill_pulls_ended_total{code="WB_PARTIAL"}')).toBe(1);
      expect(values.get('waybill_worker_ready')).toBe(1);
      for (const secret of [OLD, NEW, data, 'good.bin', '/set', new URL(server.url).host]) {
        expect(text).not.toContain(secret);
      }
    },
    LONG_MS,
  );

  it('rule 3: logs lines of JSON with level, time and the pull, and no secret', () => {
    const lines = worker.log();
    for (const line of lines) {
      expect(line).toMatchObject({
        level: expect.stringMatching(/^(info|warn|error)$/u) as unknown,
        time: expect.stringMatching(/^\d{4}-.*Z$/u) as unknown,
        msg: expect.any(String) as unknown,
      });
    }
    const failed = lines.filter(({ msg }) => String(msg).startsWith('an attempt failed'));
    expect(failed.map(({ code }) => code)).toContain('WB_UNAUTHENTICATED');
    for (const line of failed) expect(line['pullId']).toMatch(/\S/u);
    expect(worker.running.stderr()).not.toMatch(new RegExp(`${OLD}|${NEW}`, 'u'));
  });

  it(
    'rule 28: that is asked to end hands back what it has, with every byte; the other one goes on',
    async () => {
      const to = join(data, 'handed.bin');
      const first = worker;
      const pulling = pull(slow.uri('handed'), 'handed.bin');
      await slow.untilHalfWay(to);
      const second = await startWorker([]);
      await second.untilReadiness('ready');
      first.running.signal('SIGTERM');
      await first.untilReadiness('draining');
      const probes = ['/healthz', '/readyz'].map((path) => first.probe(path));
      expect(await Promise.all(probes)).toEqual([200, 503]);
      expect((await first.running.done).exitCode).toBe(0);
      slow.hurry();
      const { exitCode, stderr } = await pulling.done;
      expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
      slow.expectWhole(to);
      expect(slow.bytesServed('handed')).toBeLessThan(MODEL_BYTES + 1024 * 1024);
      const failed = [first, second].flatMap((one) =>
        one.log().filter(({ code }) => code !== undefined),
      );
      expect(failed.filter(({ pullId }) => String(pullId).includes('handed'))).toEqual([]);
    },
    LONG_MS,
  );

  it('sends its attempts as spans to a collector: one trace for each pull, whichever workers it met', () => {
    const { spans, refused } = collector;
    expect(refused).toEqual([]);
    const traces = new Map<string, typeof spans>();
    for (const span of spans) {
      traces.set(span.traceId, [...(traces.get(span.traceId) ?? []), span]);
    }
    const idsOf = (trace: typeof spans): string[] => [
      ...new Set(trace.map(({ attributes }) => attributes['waybill.pull_id'] ?? '')),
    ];
    for (const trace of traces.values()) expect(idsOf(trace)).toHaveLength(1);
    const rotated =
      [...traces.values()].find((trace) => idsOf(trace)[0]?.startsWith('rotated')) ?? [];
    const root = rotated.find(({ name }) => name === 'resolve');
    expect(root?.parentSpanId).toBeUndefined();
    expect(rotated.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['resolve', 'claim', 'planPages', 'fetchFile', 'seal']),
    );
    for (const span of rotated.filter((one) => one !== root)) {
      expect(span.parentSpanId).toBe(root?.spanId);
    }
    const failed = spans.filter(({ status }) => status === 2);
    expect(failed.map(({ attributes }) => attributes['waybill.code'])).toContain(
      'WB_UNAUTHENTICATED',
    );
    expect(JSON.stringify(spans)).not.toMatch(
      new RegExp(`${OLD}|${NEW}|${data}|collector-token`, 'u'),
    );
  });

  it(
    'that is asked a second time leaves at once; /readyz says when Temporal is away',
    async () => {
      slow.slowDown();
      for (const one of workers) one.running.signal('SIGTERM');
      const third = await startWorker(['--grace', '10m']);
      await third.untilReadiness('ready');
      const pulling = pull(slow.uri('left'), 'left.bin');
      await slow.untilHalfWay(join(data, 'left.bin'));
      await temporal.stop();
      await third.untilReadiness('unreachable');
      const isReady = async (): Promise<number | undefined> =>
        (await third.scrape()).get('waybill_worker_ready');
      await untilIs('waybill_worker_ready', isReady, 0);
      third.running.signal('SIGTERM');
      await third.untilReadiness('draining');
      third.running.signal('SIGTERM');
      expect((await third.running.done).exitCode).toBe(143);
      pulling.signal('SIGKILL');
      await pulling.done;
    },
    LONG_MS,
  );
});

describe('waybill worker', () => {
  it.each(['--metrics-bind', '--health-bind'])(
    '%s with a port in use says what to type',
    async (flag) => {
      const taken = new URL(server.url).host;
      const args = ['worker', '--cluster', '127.0.0.1:1', flag, taken];
      const { exitCode, stderr } = await runWaybill(args, { cwd: home });
      expect({ exitCode, stderr }).toEqual({
        exitCode: 2,
        stderr: expect.stringContaining(
          `${flag} ${taken}: another process listens there: name another port, such as`,
        ) as unknown,
      });
    },
  );

  it.each([
    ['--metrics-bind', '9464', '127.0.0.1:9464'],
    ['--metrics-bind', 'no.such.host.invalid:9464', '0.0.0.0'],
    ['--health-bind', '192.0.2.1:8086', '127.0.0.1'],
    ['--grace', 'long', '90s'],
    ['--log-format', 'yaml', 'json, text'],
    ['--site', 'a b', 'such as gpu1'],
    ['--site', 'any', 'a worker without --site'],
  ])('%s %s is refused with what to type', async (flag, value, typed) => {
    const { exitCode, stderr } = await runWaybill(
      ['worker', '--cluster', '127.0.0.1:1', flag, value],
      { cwd: home },
    );
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining(typed)]);
    expect(stderr).toContain(flag);
  });
});
