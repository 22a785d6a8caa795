/** Every code of the error table, as a person and as a script get to see it. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { ERRORS, type ErrorCode } from '../../../src/model/errors.js';
import { cut, sendAll, serveFile, type CutScript } from '../../helpers/cut-server.js';
import type { RunOptions, WaybillRun } from '../../helpers/waybill.js';
import { CASES } from './cases.js';
import { openWorld, SECRET, type World } from './world.js';

const LONG_MS = 300_000;
const STACK = /\n\s+at .*[:(]/u;

let world: World;
/** They wait before they say it, half a minute and longer: meanwhile the others run. */
const PATIENT: readonly ErrorCode[] = ['WB_NO_WORKER', 'WB_DESTINATION_NOT_HERE'];
const runs = new Map<ErrorCode, Promise<readonly [WaybillRun, WaybillRun]>>();
/** Most of them wait for something. */
const AT_ONCE = 2;
const CODES = (Object.keys(CASES) as ErrorCode[]).filter((code) => !PATIENT.includes(code));

beforeAll(async () => {
  world = await openWorld();
  const begin = async (code: ErrorCode): Promise<void> => {
    const pair = both(code);
    runs.set(code, pair);
    await pair.catch(() => undefined);
  };
  const patient = PATIENT.map(begin);
  const waiting = [...CODES];
  const lane = async (): Promise<void> => {
    for (let code = waiting.shift(); code !== undefined; code = waiting.shift()) await begin(code);
  };
  await Promise.all([...patient, ...Array.from({ length: AT_ONCE }, lane)]);
}, 2 * LONG_MS);

afterAll(async () => {
  await world.close();
}, LONG_MS);

async function run(code: ErrorCode, form: 'plain' | 'json'): Promise<WaybillRun> {
  const { args, prepare, meanwhile, options } = CASES[code];
  const to = join(world.bed.dir, `${code}-${form}`);
  await prepare?.(world, to);
  const given: RunOptions = options?.(world) ?? {};
  const env = { ...given.env, AWS_SECRET_ACCESS_KEY: SECRET, MLFLOW_TRACKING_PASSWORD: SECRET };
  const words = [...args(world, to), ...(form === 'json' ? ['--json'] : [])];
  const running = world.bed.start(words, { ...given, env });
  await meanwhile?.(world, running, to);
  return running.done;
}

const both = (code: ErrorCode): Promise<readonly [WaybillRun, WaybillRun]> =>
  Promise.all([run(code, 'plain'), run(code, 'json')]);

describe('an error', () => {
  it.each([...CODES, ...PATIENT])(
    '%s is told with its cause and with what to do next, without a stack or a secret',
    async (code) => {
      const { says, next } = CASES[code];
      const { exitCode, advice } = ERRORS[code];
      const [plain, json] = await (runs.get(code) ?? both(code));

      const told = plain.stdout + plain.stderr;
      expect({ exitCode: plain.exitCode, told }).toEqual({
        exitCode,
        told: expect.stringMatching(says),
      });
      expect(told).toMatch(next ?? new RegExp(escaped(advice), 'u'));
      expect(told).not.toMatch(STACK);

      const { result } = json;
      expect({ exitCode: json.exitCode, result }).toMatchObject({
        exitCode,
        result: { type: 'result', ok: false, exitCode, code },
      });
      expect(messagesOf(result)).toMatch(says);
      for (const text of [told, json.stdout, json.stderr]) expect(text).not.toContain(SECRET);
    },
    LONG_MS,
  );
});

const ZEROS = '0'.repeat(64);
/** Of `one or two`. */
const SUM = createHash('sha256').update('one or two').digest('hex');

/** Another version at each request, and never whole. */
const changing: CutScript = (request) =>
  cut(serveFile(Buffer.from('one or two'), { etag: `"${request.index}"` })(request), 4);

/** Files that fail, each with a class of its own, the most serious first (design 2). */
const FAILING = [
  [6, 'wrong.bin', [ZEROS, sendAll('wrong')]],
  [8, 'changed.bin', [SUM, changing]],
  [11, '../evil', [SUM, sendAll('one or two')]],
  [5, 'forbidden.bin', [SUM, { status: 403 }]],
  [4, 'gone.bin', [SUM, { status: 404 }]],
] as const satisfies readonly (readonly [number, string, readonly [string, CutScript]])[];

describe('a pull of which nothing was published', () => {
  it.each(FAILING.map(([exitCode], index) => [exitCode, FAILING.slice(index)] as const))(
    'design 2: ends with %i as the most serious of what went wrong, whatever came first',
    async (exitCode, failing) => {
      const files = Object.fromEntries(failing.map(([, name, file]) => [name, file] as const));
      const to = join(world.bed.dir, `worst-${exitCode}`);
      const { result } = await world.bed.run(['pull', world.serveList(files), to, '--json']);
      expect(result).toMatchObject({ exitCode, files: 0, filesFailed: failing.length });
      const { failures } = result as { failures: readonly { code: ErrorCode }[] };
      const codes = failures.map(({ code }) => ERRORS[code].exitCode);
      expect(codes.sort()).toEqual(failing.map(([code]) => code as number).sort());
    },
    LONG_MS,
  );

  it(
    'design 2: ends with 3 as soon as one file was, however serious the rest',
    async () => {
      const files = Object.fromEntries(FAILING.map(([, name, file]) => [name, file] as const));
      const all = { ...files, 'good.bin': [SUM, sendAll('one or two')] as const };
      const to = join(world.bed.dir, 'one-good');
      const { result } = await world.bed.run(['pull', world.serveList(all), to, '--json']);
      expect(result).toMatchObject({ exitCode: 3, files: 1, filesFailed: FAILING.length });
    },
    LONG_MS,
  );
});

function messagesOf(result: WaybillRun['result']): string {
  const failures = (result['failures'] ?? []) as readonly { message: string }[];
  return [result['message'], ...failures.map(({ message }) => message)].join('\n');
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/gu, '\\$&');
}
