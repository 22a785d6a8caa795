/** Two versions of Waybill on one host, one state folder and one destination. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { scratchFolder } from '../helpers/processes.js';
import { ensureRelease, FIRST_RELEASE, patchedBuild } from '../helpers/releases.js';
import { openWaybill, type WaybillBed } from '../helpers/waybill.js';
import { startSlowSource, UNRECORDED_BYTES, type SlowSource } from './half-way.js';

const LONG_MS = 300_000;
const MiB = 1024 * 1024;

let older: string;
let source: SlowSource;
let bed: WaybillBed;
let count = 0;
let uri: string;
let destination: string;
let name: string;

beforeAll(async () => {
  older = await ensureRelease(FIRST_RELEASE);
  source = await startSlowSource();
}, LONG_MS);

afterAll(() => source.stop(), LONG_MS);

beforeEach(() => {
  bed = openWaybill();
  source.slowDown();
  count += 1;
  name = `pull-${count}`;
  uri = source.uri(name);
  destination = join(bed.dir, name, 'model.bin');
});

afterEach(() => bed.close(), LONG_MS);

const pids = async (main?: string): Promise<Record<string, number>> => {
  const { result } = await bed.run(['doctor', '--json'], main === undefined ? {} : { main });
  return result['processes'] as Record<string, number>;
};

/** The next command's own bytes are counted from here. */
function countFromNow(): () => number {
  const before = source.bytesServed(name);
  return () => source.bytesServed(name) - before;
}

describe('rule 9: started with one release, finished with the next', () => {
  it(
    'rule 9: after Ctrl-C the newer one ends the idle older service and goes on from what is recorded',
    async () => {
      const pulling = bed.start(['pull', uri, destination, '--json'], { main: older });
      await source.untilHalfWay(destination);
      pulling.signal('SIGINT');
      expect(await pulling.done).toMatchObject({ exitCode: 130 });
      const before = await pids(older);
      source.hurry();
      const fetched = countFromNow();
      const run = await bed.run(['pull', uri, destination, '--json']);
      expect(run).toMatchObject({ exitCode: 0, result: { ok: true } });
      source.expectWhole(destination);
      expect(fetched()).toBeLessThanOrEqual(UNRECORDED_BYTES + MiB);
      expect((await pids())['service']).not.toBe(before['service']);
      expect(await bed.run(['verify', destination])).toMatchObject({ exitCode: 0 });
    },
    LONG_MS,
  );

  it(
    'rule 9: after kill -9 of everything the newer one ends what is left and goes on',
    async () => {
      const pulling = bed.start(['pull', uri, destination, '--json'], { main: older });
      await source.untilHalfWay(destination);
      const { service, worker } = await pids(older);
      pulling.signal('SIGKILL');
      for (const pid of [service, worker]) process.kill(pid ?? 0, 'SIGKILL');
      await pulling.done;
      source.hurry();
      const fetched = countFromNow();
      const run = await bed.run(['pull', uri, destination, '--json']);
      expect(run).toMatchObject({ exitCode: 0, result: { ok: true } });
      source.expectWhole(destination);
      expect(fetched()).toBeLessThanOrEqual(UNRECORDED_BYTES + MiB);
    },
    LONG_MS,
  );

  it(
    'rule 9: an older service with a running pull is left alone, and what is said to do ends in a correct pull',
    async () => {
      const detached = await bed.run(['pull', uri, destination, '--detach'], { main: older });
      expect(detached).toMatchObject({ exitCode: 0 });
      await source.untilHalfWay(destination);
      const before = await pids(older);
      const refused = await bed.run(['pull', uri, destination, '--json']);
      expect(refused).toMatchObject({ exitCode: 10, result: { code: 'WB_VERSION_SKEW' } });
      expect(refused.result['message']).toMatch(/1 pull is running.*waybill down --force/u);
      expect(await pids(older)).toEqual(before);
      expect(await bed.run(['down'])).toMatchObject({ exitCode: 9 });
      expect(await bed.run(['down', '--force'])).toMatchObject({ exitCode: 0 });
      source.hurry();
      const run = await bed.run(['pull', uri, destination, '--json']);
      expect(run).toMatchObject({ exitCode: 0, result: { ok: true } });
      source.expectWhole(destination);
    },
    LONG_MS,
  );

  it(
    'rule 9: an older command that meets a newer service or its half-done pull says so, or is right; nothing is damaged',
    async () => {
      const pulling = bed.start(['pull', uri, destination, '--json']);
      await source.untilHalfWay(destination);
      const refused = await bed.run(['pull', uri, destination, '--json'], { main: older });
      expect(refused).toMatchObject({ exitCode: 10, result: { code: 'WB_VERSION_SKEW' } });
      pulling.signal('SIGINT');
      expect(await pulling.done).toMatchObject({ exitCode: 130 });
      expect(await bed.run(['down'])).toMatchObject({ exitCode: 0 });
      source.hurry();
      const back = await bed.run(['pull', uri, destination, '--json'], { main: older });
      if (back.exitCode !== 0) expect(back.result['code']).toBe('WB_VERSION_SKEW');
      expect(back.exitCode === 0).toBe(existsSync(destination));
      const forth = await bed.run(['pull', uri, destination, '--json']);
      expect(forth).toMatchObject({ exitCode: 0, result: { ok: true } });
      source.expectWhole(destination);
    },
    LONG_MS,
  );
});

describe('rule 9: two builds of one version', () => {
  it(
    'rule 9: another build uses a busy service that speaks as it does, and replaces it when it is idle',
    async () => {
      const folder = join(scratchFolder('build'), 'patched');
      mkdirSync(folder);
      const other = await patchedBuild(folder, {
        'cli/version.js': (code) => `${code}\n// other\n`,
      });
      const kept = await bed.run(['up', '--json']);
      expect(kept).toMatchObject({ exitCode: 0, result: { isStarted: true } });
      const detached = await bed.run(['pull', uri, destination, '--detach']);
      expect(detached).toMatchObject({ exitCode: 0 });
      await source.untilHalfWay(destination);
      const before = await pids();
      const joining = bed.start(['pull', uri, destination, '--json'], { main: other });
      await joining.untilOutput(/"started"/u);
      source.hurry();
      const joined = await joining.done;
      expect(joined).toMatchObject({ exitCode: 0, result: { ok: true } });
      expect(joined.events.find(({ type }) => type === 'started')).toMatchObject({ joined: true });
      expect(await pids()).toMatchObject({ service: before['service'] });
      source.expectWhole(destination);
      expect(await bed.run(['pulls', '--json'], { main: other })).toMatchObject({ exitCode: 0 });
      const after = await pids(other);
      expect(after['service']).not.toBe(before['service']);
      const doctor = await bed.run(['doctor'], { main: other });
      expect(doctor.stdout).toContain('kept by `waybill up`');
    },
    LONG_MS,
  );
});
