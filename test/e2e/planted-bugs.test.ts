/** A Waybill with mistakes in it: whatever throws, wherever, the person gets one line, the place of the log, and exit 1. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ERRORS } from '../../src/model/errors.js';
import { patchedBuild, type Patches } from '../helpers/releases.js';
import { openWaybill, type WaybillBed, type WaybillRun } from '../helpers/waybill.js';

const LONG_MS = 300_000;
const STACK = /\n\s+at .*[:(]/u;

/** Thrown where `name` stands in what is worked on: as a slip of a programmer is. */
const slipIf = (condition: string): string => `if (${condition}) { undefined.planted; }\n`;

function inFront(pattern: RegExp, planted: string): (code: string) => string {
  return (code) => code.replace(pattern, (found) => found + planted);
}

const PATCHES: Patches = {
  'cli/commands/stores.js': inFront(/function runStores\(.*\) \{\n/u, slipIf('true')),
  // Nobody waits for it, and the command itself would go on.
  'cli/commands/setup.js': inFront(
    /async function runSetup\(.*\) \{\n/u,
    'Promise.reject(new TypeError("planted")); await new Promise((done) => setTimeout(done, 60000));\n',
  ),
  'cli/commands/verify.js': inFront(
    /async function runVerify\(.*\) \{\n/u,
    'setImmediate(() => { undefined.planted; }); await new Promise((done) => setTimeout(done, 60000));\n',
  ),
  'service/supervisor.js': inFront(
    /async start\(\) \{\n/u,
    slipIf("this.deps.args.stateDir.endsWith('slip')"),
  ),
  'transfer/engine.js': inFront(
    /async planPage\(.*\) \{\n/u,
    slipIf("JSON.stringify(arguments).includes('slip-worker')"),
  ),
  'transfer/thread/fetch-files.js': inFront(
    /async function stream\(.*\) \{\n/u,
    slipIf("JSON.stringify(file).includes('slip-thread')"),
  ),
};

let bed: WaybillBed;
let main: string;

beforeAll(async () => {
  bed = openWaybill();
  main = await patchedBuild(join(bed.dir, 'broken'), PATCHES);
  mkdirSync(join(bed.dir, 'tree'));
  writeFileSync(join(bed.dir, 'tree/a.bin'), 'x');
}, LONG_MS);

afterAll(() => bed.close(), LONG_MS);

function expectOneLine(run: WaybillRun, log: RegExp): void {
  expect({ exitCode: run.exitCode, stderr: run.stderr }).toEqual({
    exitCode: 1,
    stderr: expect.stringMatching(
      /^waybill: (1 file failed:\n {2}a\.bin: )?[^\n]*planted[^\n]*$/mu,
    ),
  });
  expect(run.stderr).not.toMatch(STACK);
  expect(run.stderr).toMatch(log);
  expect(run.stderr).toContain(ERRORS.WB_UNEXPECTED.advice);
}

describe('a mistake in Waybill itself', () => {
  it.each([
    ['that is thrown', ['stores']],
    ['that rejects a promise nobody waits for', ['setup']],
    ['that is thrown outside of every promise', ['verify', '.']],
  ])(
    'in the command, %s, is one line and exit 1, and a stack with --debug',
    async (_how, args) => {
      mkdirSync(bed.stateDir, { recursive: true });
      const run = await bed.run(args, { main });
      expectOneLine(run, new RegExp(`logs .* ${bed.stateDir}`, 'u'));
      const json = await bed.run([...args, '--json'], { main });
      expect(json.result).toMatchObject({ ok: false, exitCode: 1, code: 'WB_UNEXPECTED' });
      expect((await bed.run([...args, '--debug'], { main })).stderr).toMatch(STACK);
    },
    LONG_MS,
  );

  it(
    'in the service is told by the command that waits for it',
    async () => {
      const stateDir = join(bed.dir, 'slip');
      const run = await bed.run(['pulls'], { main, stateDir });
      expectOneLine(run, new RegExp(`logs .* ${stateDir}`, 'u'));
      expect(readFileSync(join(stateDir, 'service.log'), 'utf8')).toMatch(STACK);
      const debug = await bed.run(['pulls', '--debug'], { main, stateDir });
      expect(debug.stderr).toMatch(/at Supervisor\.start/u);
    },
    LONG_MS,
  );

  it.each(['worker', 'thread'])(
    'in a %s ends the pull, names the log that has the stack, and shows it with --debug',
    async (where) => {
      const pull = (to: string, ...more: string[]): Promise<WaybillRun> =>
        bed.run(['pull', 'tree', join(bed.dir, `slip-${where}-${to}`), ...more], { main });
      expectOneLine(await pull('plain'), /worker's log .*worker\.log/u);
      const debug = await pull('debug', '--debug');
      expect(debug.stderr).toMatch(/TypeError: .*planted.*\n\s+at /u);
    },
    LONG_MS,
  );
});
