/** Poison among thousands of files, at the command line, and what such a pull leaves in Temporal. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client, Connection } from '@temporalio/client';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startCutServer, type CutServer } from '../helpers/cut-server.js';
import { openWaybill, type WaybillBed, type WaybillRun } from '../helpers/waybill.js';

const LONG_MS = 300_000;
/** As long as a name may be, and not cut where a character is. */
const LONG = 'é'.repeat(118);

let bed: WaybillBed;
let server: CutServer;

const nameOf = (index: number): string => `${LONG}-${String(index).padStart(4, '0')}.bin`;
const bodyOf = (name: string): string => `the bytes of ${name.slice(-8)}`;

/** A folder of `count` files; some answer with a status of their own. `more` are names that the listing has too. */
function serveFolder(
  folder: string,
  count: number,
  statuses: ReadonlyMap<string, number>,
  more: readonly string[] = [],
): void {
  const names = [...Array.from({ length: count }, (_, index) => nameOf(index)), ...more];
  const mtime = 'Wed, 01 Jan 2025 00:00:00 GMT';
  const listing = names.map((name) => {
    return { name, type: 'file', mtime, size: Buffer.byteLength(bodyOf(name)) };
  });
  const headers = { 'Content-Type': 'application/json' };
  server.serve(`/${folder}/`, { headers, body: JSON.stringify(listing) });
  for (const name of names) {
    const status = statuses.get(name);
    const reply = status === undefined ? { body: bodyOf(name) } : { status, body: '' };
    server.serve(`/${folder}/${encodeURIComponent(name)}`, reply);
  }
}

beforeAll(async () => {
  bed = openWaybill();
  server = await startCutServer();
});

afterAll(async () => {
  await bed.close();
  await server.stop();
}, LONG_MS);

function pull(folder: string, ...args: readonly string[]): Promise<WaybillRun> {
  return bed.run(['pull', `${server.url}/${folder}/`, join(bed.dir, folder), '--json', ...args]);
}

const arrived = (folder: string): number =>
  readdirSync(join(bed.dir, folder)).filter((name) => name.endsWith('.bin')).length;

/** All of them: the result shows as many as fit. */
function failuresOf(folder: string): readonly { readonly path: string; readonly code: string }[] {
  const path = join(bed.dir, folder, '.waybill', 'receipt.partial.json');
  const receipt = JSON.parse(readFileSync(path, 'utf8')) as {
    failures: { path: string; code: string }[];
  };
  return receipt.failures;
}

type Event = NonNullable<
  Awaited<ReturnType<ReturnType<Client['workflow']['getHandle']>['fetchHistory']>>['events']
>[number];

/** The history of a pull and of its shards. */
async function historyOf(run: WaybillRun): Promise<readonly Event[]> {
  const { result } = await bed.run(['up', '--json']);
  const connection = await Connection.connect({ address: String(result['address']) });
  try {
    const client = new Client({ connection });
    const eventsOf = async (id: string): Promise<readonly Event[]> =>
      (await client.workflow.getHandle(id).fetchHistory()).events ?? [];
    const root = await eventsOf(String(run.result['pullId']));
    const shards = root.flatMap(
      ({ childWorkflowExecutionStartedEventAttributes: started }) =>
        started?.workflowExecution?.workflowId ?? [],
    );
    return [root, ...(await Promise.all(shards.map(eventsOf)))].flat();
  } finally {
    await connection.close();
  }
}

const activities = (events: readonly Event[]): string[] =>
  events.flatMap(
    ({ activityTaskScheduledEventAttributes: scheduled }) => scheduled?.activityType?.name ?? [],
  );

interface Sized {
  readonly payloads?: readonly { readonly data?: Uint8Array | null }[] | null;
}
const bytesOf = (sized: Sized | null | undefined): number =>
  (sized?.payloads ?? []).reduce((sum, { data }) => sum + (data?.length ?? 0), 0);

/** Rule 29, of every event. */
function expectSmall(events: readonly Event[]): void {
  expect(events.length).toBeLessThan(10_000);
  for (const event of events) {
    const { activityTaskScheduledEventAttributes: scheduled } = event;
    const { activityTaskCompletedEventAttributes: completed } = event;
    const { activityTaskFailedEventAttributes: failed } = event;
    // The request itself is as long as the person made it.
    const name = scheduled?.activityType?.name ?? '';
    const isOpening = name === 'resolve' || name === 'claim';
    if (!isOpening) expect([name, bytesOf(scheduled?.input) < 2_048]).toEqual([name, true]);
    expect(bytesOf(completed?.result)).toBeLessThan(2_048);
    const message = failed?.failure?.message ?? '';
    expect(Buffer.byteLength(message)).toBeLessThanOrEqual(1_024);
    expect(bytesOf(failed?.failure?.applicationFailureInfo?.details)).toBeLessThan(2_048);
    const summary = Buffer.from(event.userMetadata?.summary?.data ?? []);
    expect(summary.length).toBeLessThanOrEqual(400);
    // Cut at a character: nothing in it is the half of one.
    expect(summary.toString('utf8')).not.toContain('\uFFFD');
  }
}

describe('poison among thousands', () => {
  it(
    'rule 26: five of 3,000 files leave their packs and fail alone, the rest arrives; rule 29: its history is small',
    async () => {
      const [gone, lost, forbidden, wrong] = [
        nameOf(7),
        nameOf(1_500),
        nameOf(2_222),
        nameOf(2_999),
      ];
      const statuses = new Map([
        [gone, 404],
        [lost, 404],
        [forbidden, 403],
      ]);
      serveFolder('poison', 3_000, statuses, ['un\\safe.bin']);
      const digest = createHash('sha256').update('other bytes').digest('hex');
      const sums = join(bed.dir, 'sums');
      writeFileSync(sums, `${digest}  ${wrong}\n`);
      const run = await pull('poison', '--expect', sums);
      const { result } = run;
      expect({ exitCode: run.exitCode, ...result }).toMatchObject({
        exitCode: 3,
        code: 'WB_PARTIAL',
        files: 2_996,
        filesFailed: 5,
      });
      expect(
        failuresOf('poison')
          .map(({ code }) => code)
          .sort(),
      ).toEqual([
        'WB_DIGEST_MISMATCH',
        'WB_NOT_FOUND',
        'WB_NOT_FOUND',
        'WB_PERMISSION_DENIED',
        'WB_UNSAFE_PATH',
      ]);
      expect(arrived('poison')).toBe(2_996);
      expect(existsSync(join(bed.dir, 'poison', wrong))).toBe(false);
      const events = await historyOf(run);
      expectSmall(events);
      // Packs, and the four that left them; the unsafe name was refused by the plan.
      const names = activities(events);
      const isAlone = (name: string): boolean => name === 'fetchFile';
      expect(names.filter(isAlone)).toHaveLength(4);
      expect(names.filter((name) => name === 'fetchPack').length).toBeLessThan(40);
    },
    LONG_MS,
  );

  it(
    'rule 26: twelve in one pack and it stays whole: the rest of it arrives, and all twelve are listed',
    async () => {
      const poisoned = Array.from({ length: 12 }, (_, index) => nameOf(3 + 5 * index));
      serveFolder('many', 300, new Map(poisoned.map((name) => [name, 404])));
      const run = await pull('many');
      expect({ exitCode: run.exitCode, ...run.result }).toMatchObject({
        exitCode: 3,
        files: 288,
        filesFailed: 12,
      });
      expect(arrived('many')).toBe(288);
      const listed = failuresOf('many').map(({ path }) => path);
      expect(listed.sort()).toEqual([...poisoned].sort());
      const events = await historyOf(run);
      expectSmall(events);
      expect(activities(events)).not.toContain('fetchFile');
    },
    LONG_MS,
  );
});
