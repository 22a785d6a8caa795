/** What every refusal at the command line has to keep: the exit code, the code, the words, the silence, the files. */
import { expect } from '@jest/globals';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunOptions, WaybillBed, WaybillRun } from '../helpers/waybill.js';

/** Set in the environment of every pull that must not tell it. */
export const SECRET = 'hunter2-do-not-tell';

export interface Refusal {
  readonly source: string;
  readonly exitCode: number;
  /** Of the result; one of its failures where the pull was partial. */
  readonly code: string;
  /** What the message has to speak of. */
  readonly says: RegExp;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly options?: RunOptions;
}

let count = 0;

/** Everything in a folder but Waybill's own record. */
export function namesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => !/(^|\/)\.([^/]*\.)?waybill(\/|$)/u.test(name))
    .sort();
}

/** Neither the command nor what the service keeps may hold the secret. */
export function expectSilence(bed: WaybillBed, run: WaybillRun, secret: string = SECRET): void {
  expect(run.stdout + run.stderr).not.toContain(secret);
  expect(bed.stateText()).not.toContain(secret);
}

/** Pulls into a folder that holds a file of the user's, and holds the answer against what is due. */
export async function expectRefusal(bed: WaybillBed, refusal: Refusal): Promise<WaybillRun> {
  count += 1;
  const folder = join(bed.dir, `refusal-${count}`);
  mkdirSync(folder);
  writeFileSync(join(folder, 'mine.txt'), 'not yours');
  const args = ['pull', refusal.source, `${folder}/`, '--json', ...(refusal.args ?? [])];
  const run = await bed.run(args, { ...refusal.options, env: { ...refusal.env } });
  const { message, failures, code } = run.result;
  const codes = [code, ...(failures as { code: string }[]).map((failure) => failure.code)];
  const told = [message, ...(failures as { message: string }[]).map((failure) => failure.message)];
  expect({ exitCode: run.exitCode, codes, result: run.result }).toMatchObject({
    exitCode: refusal.exitCode,
    codes: expect.arrayContaining([refusal.code]),
    result: { type: 'result', ok: false, exitCode: refusal.exitCode },
  });
  expect(told.join('\n')).toMatch(refusal.says);
  expect(run.stdout + run.stderr).not.toMatch(/\n\s+at .*\.js:/u);
  expectSilence(bed, run);
  expect(namesIn(folder)).toEqual(['mine.txt']);
  expect(readFileSync(join(folder, 'mine.txt'), 'utf8')).toBe('not yours');
  return run;
}
