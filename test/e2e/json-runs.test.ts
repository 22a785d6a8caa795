/** Every command with --json: each line fits the schema that ships, and the last one is the result. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildProgram } from '../../src/cli/program.js';
import { openWaybill, type WaybillBed } from '../helpers/waybill.js';
import { startSlowSource, type SlowSource } from './half-way.js';

const LONG_MS = 300_000;

/** A command line and how it ends. The helper that runs it holds every line to its schema. */
type Run = readonly [args: readonly string[], exitCode: number, result?: object];

/** In order: `tree` becomes `out`; a pull into `slow.bin` runs until it is cancelled. */
const RUNS: Readonly<Record<string, readonly Run[]>> = {
  pull: [
    [['pull', 'tree', 'out'], 0, { destination: expect.stringMatching(/\/out$/) }],
    [['pull', 'tree', 'out', '-n'], 0, { isDryRun: true }],
    [['pull', 'nosuch', 'out2'], 4, { code: 'WB_NOT_FOUND' }],
    [['pull', 'tree', 'full', '--if-exists', 'fail'], 9, { code: 'WB_CONFLICT' }],
    [['pull', '--help'], 0, { text: expect.stringContaining('waybill pull') }],
  ],
  ls: [
    [['ls', 'tree'], 0],
    [['ls', 'tree', '-r'], 0],
    [['ls', 'nosuch'], 4, { code: 'WB_NOT_FOUND' }],
  ],
  seal: [
    [['seal', 'tree'], 0, { files: 1 }],
    [['seal', 'nosuch'], 4, { code: 'WB_NOT_FOUND' }],
  ],
  verify: [
    [['verify', 'out'], 0, { state: 'complete' }],
    [['verify', 'out', '--quick'], 0, { isQuick: true }],
    [['verify', 'nosuch'], 4, { code: 'WB_NOT_FOUND' }],
  ],
  pulls: [[['pulls'], 0, { pulls: expect.arrayContaining([expect.anything()]) }]],
  status: [
    [['status', './slow.bin'], 0, { state: 'running' }],
    [['status', 'out'], 0, { state: 'done' }],
    [['status', 'nosuch'], 4, { code: 'WB_NOT_FOUND' }],
  ],
  watch: [
    [['watch', 'out'], 0, { destination: expect.stringMatching(/\/out$/) }],
    [['watch', 'nosuch'], 4, { code: 'WB_NOT_FOUND' }],
  ],
  pause: [
    [['pause', './slow.bin'], 0, { did: 'pause' }],
    [['pause', 'out'], 2, { code: 'WB_USAGE' }],
  ],
  resume: [[['resume', './slow.bin'], 0, { did: 'resume' }]],
  retry: [[['retry', './slow.bin'], 0, { did: 'retry' }]],
  tune: [
    [['tune', './slow.bin', '--concurrency', '2'], 0, { did: 'tune' }],
    [['tune'], 2, { code: 'WB_USAGE' }],
  ],
  cancel: [[['cancel', './slow.bin'], 0, { did: 'cancel' }]],
  up: [[['up'], 0, { isStarted: false }]],
  setup: [[['setup'], 0, { temporalCli: expect.anything() }]],
  doctor: [[['doctor'], 0, { checks: expect.anything() }]],
  stores: [[['stores'], 0, { stores: expect.anything() }]],
  config: [
    [['config', 'show'], 0, { settings: expect.anything() }],
    [['config'], 2, { code: 'WB_USAGE' }],
  ],
  completion: [
    [['completion', 'bash'], 0, { shell: 'bash' }],
    [['completion', 'tcsh'], 2, { code: 'WB_USAGE' }],
  ],
  // What it says when it serves is in cluster-reach.test.ts, what the demo proves in demo.test.ts.
  worker: [[['worker'], 2, { code: 'WB_USAGE' }]],
  'codec-server': [[['codec-server'], 2, { code: 'WB_USAGE' }]],
  demo: [[['demo', '--nosuch'], 2, { code: 'WB_USAGE' }]],
  help: [
    [['help'], 0, { text: expect.stringContaining('waybill pull') }],
    [['help', 'levels'], 0, { text: expect.stringContaining('--require') }],
    [['help', 'tune'], 0, { text: expect.stringContaining('waybill tune') }],
    [['help', 'nosuch'], 2, { code: 'WB_USAGE' }],
  ],
  down: [[['down', '--force'], 0, { wasRunning: true }]],
};

/** No command of the parser. */
const OTHERS: readonly Run[] = [
  [['--version'], 0, { text: expect.stringMatching(/^\d+\.\d+\.\d+/) }],
  [['--help'], 0, { text: expect.stringContaining('waybill pull') }],
  [['nosuch'], 2, { code: 'WB_USAGE' }],
  [['--nosuch'], 2, { code: 'WB_USAGE' }],
  [['pull', 'tree', 'out', '--nosuch'], 2, { code: 'WB_USAGE' }],
];

let bed: WaybillBed;
let source: SlowSource;

beforeAll(async () => {
  bed = openWaybill();
  source = await startSlowSource();
  mkdirSync(join(bed.dir, 'tree'));
  writeFileSync(join(bed.dir, 'tree/a.bin'), 'hello');
  mkdirSync(join(bed.dir, 'full'));
  writeFileSync(join(bed.dir, 'full/mine'), 'mine');
  await bed.run(['pull', source.uri('slow'), join(bed.dir, 'slow.bin'), '--detach']);
}, LONG_MS);

afterAll(async () => {
  await bed.close();
  await source.stop();
}, LONG_MS);

describe('--json', () => {
  it('is run below for every command that there is', () => {
    const program = buildProgram('0', () => Promise.resolve());
    const names = program
      .createHelp()
      .visibleCommands(program)
      .map((command) => command.name());
    expect(Object.keys(RUNS).sort()).toEqual(names.sort());
  });

  const all = [...Object.values(RUNS).flat(), ...OTHERS];
  it.each(all)(
    'ends %j with the result line, exit code %i',
    async (args, exitCode, result = {}) => {
      const run = await bed.run([...args, '--json']);
      expect({ exitCode: run.exitCode, ...run.result }).toMatchObject({
        type: 'result',
        ok: exitCode === 0,
        exitCode,
        ...(exitCode === 0 ? { code: null } : { message: expect.stringMatching(/./) }),
        ...result,
      });
      // People read of a failure on stderr, also where a script asked for JSON.
      if (exitCode !== 0) expect(run.stderr).toMatch(/^waybill: ./mu);
    },
    LONG_MS,
  );
});
