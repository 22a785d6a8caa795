/**
 * Each check of `waybill doctor`: it is broken on the real thing, doctor finds it, and what doctor prints, typed as it
 * is, mends it. What only a person can mend has no command, and says what to do.
 */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { identifyProcess } from '../../src/service/process-identity.js';
import { cluster, pidOf, ROWS, up, type Bench } from './doctor-broken.js';
import { openShell } from './doctor-shell.js';

let bench: Bench;
beforeEach(async () => {
  bench = { shell: await openShell(), cleanups: [] };
});
afterEach(async () => {
  await bench.shell.close();
  for (const cleanup of bench.cleanups.reverse()) await cleanup();
});

/** Checks that no test can break on this machine: what each finds, and says, is in doctor.test.ts. */
const OF_THE_MACHINE: Readonly<Record<string, string>> = {
  node: 'a person installs another Node',
  platform: 'a person takes another machine or image',
  clock: 'it is the clock of everything that runs here',
};

describe('waybill doctor', () => {
  it.each(ROWS)(
    '$check: finds that $when, and what it prints mends it',
    async (row) => {
      const { options = {}, remedy, byHand, then = [] } = await row.break(bench);
      const broken = await bench.shell.doctor(options);
      const found = broken.checks.find(({ name }) => name === row.check);
      expect(found).toMatchObject({ name: row.check, result: row.result });
      expect(found?.finding).toMatch(row.finding);
      expect(broken.exitCode).toBe(row.result === 'problem' ? 10 : 0);
      // Nothing else is wrong: one cause is one finding.
      expect(broken.checks.filter(({ result }) => result !== 'ok')).toEqual([found]);
      if (remedy === undefined) {
        expect(found?.remedy).toBeUndefined();
        await byHand?.();
      } else {
        expect(found?.remedy).toMatch(remedy);
      }
      const typed = await bench.shell.mend(options, remedy === undefined ? undefined : broken);
      const follow = remedy === undefined ? typed : typed.slice(1);
      if (remedy !== undefined) expect(typed[0]).toMatch(remedy);
      const expected = row.check === 'cluster' ? [/^waybill worker/u] : then;
      expect(follow).toHaveLength(expected.length);
      expected.forEach((pattern, index) => expect(follow[index]).toMatch(pattern));
    },
    180_000,
  );

  it('has no check without a row above', async () => {
    await up(bench);
    const { checks } = await bench.shell.doctor(await cluster(bench));
    const broken = [...ROWS.map(({ check }) => check), ...Object.keys(OF_THE_MACHINE)];
    expect(new Set(checks.map(({ name }) => name))).toEqual(new Set(broken));
  });

  it('rule 8: `down --force` ends a service that does not answer, and what it started', async () => {
    await up(bench);
    const left = (['service', 'temporal', 'worker'] as const).map((which) => pidOf(bench, which));
    process.kill(left[0] ?? 0, 'SIGSTOP');
    const { exitCode, stderr } = await bench.shell.run('waybill down --force');
    expect([exitCode, stderr]).toEqual([0, expect.stringMatching(/did not answer; it is ended/u)]);
    expect(left.map((pid) => identifyProcess(pid))).toEqual([undefined, undefined, undefined]);
    expect(await bench.shell.mend()).toEqual([]);
  });
});
