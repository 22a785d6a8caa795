/**
 * What servers do wrong, in every store that speaks HTTP, at the command line with a real service: one pull of a tree for what
 * passes, one for what stays, and one for each thing that concerns all of a source.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startCutServer, type CutReply, type CutServer } from '../helpers/cut-server.js';
import { openWaybill, type WaybillBed, type WaybillRun } from '../helpers/waybill.js';
import { READ_FAULTS, type ReadFault } from '../stores/failures/reading.js';
import {
  bytesOf,
  LARGE_NAME,
  serviceOf,
  STORES,
  type FaultStore,
  type ReadFaultOf,
  type Service,
} from './fault-stores.js';
import { namesIn } from './refusals.js';

const LONG_MS = 600_000;
const AT_ONCE = 3;
const GOOD = 'good.bin';
const nameOf = ({ title }: ReadFault): string => `${title.replace(/\W+/gu, '-')}.bin`;
const endsOf = ({ dialect }: FaultStore, one: ReadFault): ReadFault['ends'] =>
  dialect.ends?.[one.title] ?? one.ends;

/** What is over when it is tried again: each goes wrong at the first read of a file. */
const passingFor = (store: FaultStore): ReadFault[] =>
  READ_FAULTS.filter(
    (one) =>
      one.retryable === true &&
      one.isRange === undefined &&
      one.isOfVersion === undefined &&
      endsOf(store, one) === one.ends,
  );

/** What concerns one file, and stays: as many as a result names. */
const STAYING: readonly ReadFault[] = [
  {
    title: '404',
    // A store that asks for the version that was listed is told that it has gone.
    ends: ['WB_NOT_FOUND', 'WB_SOURCE_CHANGED'],
    fault: ({ headers = {} }) => ({ status: 404, headers }),
  },
  ...READ_FAULTS.filter(({ title }) =>
    [
      'no body at all',
      'a smaller Content-Length than the body',
      '412',
      'compressed bytes that nobody asked for',
    ].includes(title),
  ),
];

/** What concerns a source as a whole. */
const WHOLE = [
  { title: '503 for good', reply: { status: 503 }, exitCode: 12, code: 'WB_GAVE_UP', says: /503/u },
  { title: '401', reply: { status: 401 }, exitCode: 5, code: 'WB_UNAUTHENTICATED', says: /./u },
  {
    title: 'silence for good',
    reply: { neverAnswers: true },
    exitCode: 12,
    code: 'WB_GAVE_UP',
    says: /did not answer in time/u,
  },
] as const;

interface Ended {
  readonly run: WaybillRun;
  readonly folder: string;
  readonly service: Service;
}

let bed: WaybillBed;
const servers: CutServer[] = [];
const ends = new Map<string, Promise<Ended>>();

async function pull(
  store: FaultStore,
  scene: string,
  { names, fault, args = [] }: { names: string[]; fault: ReadFaultOf; args?: readonly string[] },
): Promise<Ended> {
  const server = await startCutServer();
  servers.push(server);
  const service = serviceOf(store, names, fault);
  server.serveRest(service.script);
  const folder = join(bed.dir, `${store.name}-${scene.replace(/\W+/gu, '-')}`);
  mkdirSync(folder);
  writeFileSync(join(folder, 'mine.txt'), 'not yours');
  const env = { ...store.env(server.url), WAYBILL_STALL_TIMEOUT: '2s' };
  const run = await bed.run(['pull', store.source, `${folder}/`, '--json', ...args], { env });
  return { run, folder, service };
}

const faultBy =
  (store: FaultStore, faults: readonly ReadFault[], times: number): ReadFaultOf =>
  (name, index, good, request): CutReply | undefined => {
    if (name === LARGE_NAME && index % 2 === 1 && index < 6) return { ...good, cutAfterBytes: 100 };
    const one = faults.find((fault) => nameOf(fault) === name);
    return one === undefined || index >= times
      ? undefined
      : one.fault(good, store.dialect, request);
  };

function scenesOf(store: FaultStore): (readonly [string, () => Promise<Ended>])[] {
  const passing = passingFor(store);
  const one = (title: string, start: () => Promise<Ended>) =>
    [`${store.name}: ${title}`, start] as const;
  return [
    one('passing', () =>
      pull(store, 'passing', {
        names: [GOOD, LARGE_NAME, ...passing.map(nameOf)].sort(),
        fault: faultBy(store, passing, 1),
      }),
    ),
    one('staying', () =>
      pull(store, 'staying', {
        names: [GOOD, ...STAYING.map(nameOf)].sort(),
        fault: faultBy(store, STAYING, Infinity),
        args: ['--give-up-after', '20s'],
      }),
    ),
    ...WHOLE.map(({ title, reply }) =>
      one(title, () =>
        pull(store, title, {
          names: [GOOD],
          fault: () => reply,
          args: ['--give-up-after', '3s'],
        }),
      ),
    ),
  ];
}

beforeAll(async () => {
  bed = openWaybill();
  await bed.run(['up']);
  const waiting = STORES.flatMap(scenesOf);
  const lane = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const running = next[1]();
      ends.set(next[0], running);
      await running.catch(() => undefined);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}, LONG_MS);

afterAll(async () => {
  for (const server of servers) await server.stop();
  await bed.close();
}, LONG_MS);

describe.each(STORES)('rules 11, 12 and 17: $name', (store) => {
  const ended = async (title: string): Promise<Ended> => {
    const found = await ends.get(`${store.name}: ${title}`);
    if (found === undefined) throw new Error(`${title} was never pulled`);
    return found;
  };

  it('what passes is tried again, and everything arrives', async () => {
    const { run, folder, service } = await ended('passing');
    expect({ exitCode: run.exitCode, result: run.result }).toMatchObject({
      exitCode: 0,
      result: { ok: true, code: null },
    });
    const names = [GOOD, LARGE_NAME, ...passingFor(store).map(nameOf)];
    expect(namesIn(folder)).toEqual([...names, 'mine.txt'].sort());
    for (const name of names) {
      expect([name, readFileSync(join(folder, name)).equals(bytesOf(name))]).toEqual([name, true]);
    }
    for (const one of passingFor(store)) {
      const reads = service.readsOf(nameOf(one));
      expect([one.title, reads > 1 && reads <= 6]).toEqual([one.title, true]);
    }
  });

  it('what stays fails its file by name, and no other', async () => {
    const { run, folder } = await ended('staying');
    expect({ exitCode: run.exitCode, code: run.result.code }).toEqual({
      exitCode: 3,
      code: 'WB_PARTIAL',
    });
    const failures = run.result.failures as { path: string; code: string; message: string }[];
    const codes = new Map(failures.map(({ path, code }) => [path, code]));
    for (const one of STAYING) {
      expect([one.title, endsOf(store, one)]).toEqual([
        one.title,
        expect.arrayContaining([codes.get(nameOf(one))]),
      ]);
    }
    expect(namesIn(folder)).toEqual([GOOD, 'mine.txt']);
    expect(readFileSync(join(folder, GOOD)).equals(bytesOf(GOOD))).toBe(true);
  });

  it.each(WHOLE)('$title: exit $exitCode', async ({ title, exitCode, code, says }) => {
    const { run, folder } = await ended(title);
    expect({ exitCode: run.exitCode, result: run.result }).toMatchObject({
      exitCode,
      result: { ok: false, code, message: expect.stringMatching(says) },
    });
    expect(namesIn(folder)).toEqual(['mine.txt']);
  });
});
