import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { WaybillError } from '../../src/model/errors.js';
import { newRequest, QUICK, startBench, until, type Bench } from './lib/bench.js';
import { StandInEngine } from './lib/stand-in-engine.js';

let bench: Bench;
let client: Client;
let connection: Connection;

beforeAll(async () => {
  bench = await startBench();
  connection = await Connection.connect({ address: bench.temporal.address });
  client = new Client({ connection });
});

afterAll(async () => {
  await connection.close();
  await bench.stop();
});

/** Every payload in a history, however deep, with the event that holds it. */
function payloadSizes(event: unknown): number[] {
  if (typeof event !== 'object' || event === null) return [];
  if ('data' in event && event.data instanceof Uint8Array) return [event.data.length];
  return Object.values(event).flatMap(payloadSizes);
}

describe('rule 29: what a pull leaves in Temporal', () => {
  it('stays small, with the longest names and the longest messages', async () => {
    const longName = '🗄'.repeat(900);
    const engine = new StandInEngine({
      pages: [14],
      unit: (unit) =>
        unit.unit % 2 === 0
          ? Promise.resolve()
          : Promise.reject(
              new WaybillError('WB_NOT_FOUND', `gone: ${'ä'.repeat(50_000)}`, { path: longName }),
            ),
    });
    engine.nameUnits = ({ from }) =>
      Promise.resolve(
        Array.from({ length: Math.min(5, 14 - from) }, () => ({
          kind: 'file' as const,
          label: longName.slice(0, 60),
          files: 1,
          bytes: 1,
        })),
      );
    const worker = await bench.startWorker(engine);
    const { pullId, runId } = await bench.client.startPull(newRequest(), { tuning: QUICK });
    const result = await bench.client.result(pullId);
    await worker.stop();
    expect(result).toMatchObject({ ok: false, filesFailed: 7 });
    const history = await client.workflow.getHandle(pullId, runId).fetchHistory();
    const sizes = (history.events ?? []).map((event) => ({
      type: Object.keys(event).find((key) => key.endsWith('Attributes')),
      bytes: payloadSizes(event).reduce((sum, size) => sum + size, 0),
    }));
    // The start holds the request, the details of the pull and its memo.
    const large = sizes.filter(({ type, bytes }) => !type?.includes('Started') && bytes > 2_600);
    expect(large).toEqual([]);
    const messages = (history.events ?? []).map(
      (event) => event.activityTaskFailedEventAttributes?.failure?.message ?? '',
    );
    expect(Math.max(...messages.map((message) => Buffer.byteLength(message)))).toBeGreaterThan(900);
    expect(Math.max(...messages.map((message) => Buffer.byteLength(message)))).toBeLessThan(1_025);
  });

  it('beats under 1 KiB, with the longest name in hand', async () => {
    let isOver = false;
    const engine = new StandInEngine({
      pages: [1],
      unit: async (_unit, _call, context) => {
        context.progress.name = '🗄'.repeat(4_000);
        await until('the beats were seen', () => isOver);
      },
    });
    const worker = await bench.startWorker(engine);
    const { pullId } = await bench.client.startPull(newRequest(), { tuning: QUICK });
    const handle = client.workflow.getHandle(pullId);
    const beats = async (): Promise<number[]> => {
      const { raw } = await handle.describe();
      const details = (raw.pendingActivities ?? []).map((pending) => pending.heartbeatDetails);
      return details.flatMap(payloadSizes);
    };
    await until('it has beaten', async () => (await beats()).some((bytes) => bytes > 100));
    expect(Math.max(...(await beats()))).toBeLessThan(1_024);
    isOver = true;
    await bench.client.result(pullId);
    await worker.stop();
  });

  it('grows slowly: a listing of 160 pages is under 1,600 events in the root', async () => {
    const pages = Array.from({ length: 160 }, () => 1);
    const worker = await bench.startWorker(new StandInEngine({ pages }));
    const { pullId, runId } = await bench.client.startPull(newRequest(), {
      tuning: { ...QUICK, unitsInRoot: 1 },
    });
    const result = await bench.client.result(pullId);
    expect(result).toMatchObject({ ok: true, files: 160 });
    const { historyLength } = await client.workflow.getHandle(pullId, runId).describe();
    expect(historyLength).toBeLessThan(1_600);
    await worker.stop();
  }, 120_000);

  it('reads well in its pages: a summary at every unit, and details of the whole', async () => {
    const worker = await bench.startWorker(new StandInEngine({ pages: [2] }));
    const { pullId } = await bench.client.startPull(newRequest(), { tuning: QUICK });
    await bench.client.result(pullId);
    const handle = client.workflow.getHandle(pullId);
    const description = await handle.describe();
    expect(await description.staticSummary()).toMatch(/^file:\/\/\/source → \/destination\//);
    const history = await handle.fetchHistory();
    const summaries = (history.events ?? [])
      .filter((event) => event.activityTaskScheduledEventAttributes)
      .map((event) => Buffer.from(event.userMetadata?.summary?.data ?? []).toString());
    expect(summaries).toContain('"1 file: weights-0-1.bin"');
    await until('the details say how it ended', async () => {
      const metadata: unknown = await handle.query('__temporal_workflow_metadata');
      return JSON.stringify(metadata).includes('2 of 2 files');
    });
    await worker.stop();
  });
});
