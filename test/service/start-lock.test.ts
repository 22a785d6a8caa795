import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { identifyProcess } from '../../src/service/process-identity.js';
import { lockHolder, tryStartLock } from '../../src/service/start-lock.js';
import { ownIdentity } from '../../src/service/take-over.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'waybill-lock-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A process that takes the lock as often as it can, holds it for a moment alone, and says when it was not alone. */
const CONTENDER = `
import { appendFileSync, openSync, closeSync, rmSync } from 'node:fs';
const [folder, lockModule, takeOverModule, times] = process.argv.slice(1);
const { tryStartLock } = await import(lockModule);
const { ownIdentity } = await import(takeOverModule);
const own = ownIdentity();
let taken = 0;
while (taken < Number(times)) {
  const { lock } = tryStartLock(folder, own);
  if (lock === undefined) { await new Promise((go) => setTimeout(go, 1)); continue; }
  try { closeSync(openSync(folder + '/alone', 'wx')); }
  catch { appendFileSync(folder + '/violations', 'two at once\\n'); }
  await new Promise((go) => setTimeout(go, 1));
  rmSync(folder + '/alone', { force: true });
  taken += 1;
  appendFileSync(folder + '/taken', 'x');
  lock.release();
}
`;

function contend(times: number): Promise<number | null> {
  const lockModule = new URL('../../src/service/start-lock.js', import.meta.url).href;
  const takeOverModule = new URL('../../src/service/take-over.js', import.meta.url).href;
  const child = spawn(
    process.execPath,
    [
      ...['--input-type=module', '-e', CONTENDER, '--'],
      ...[folder, lockModule, takeOverModule, String(times)],
    ],
    { stdio: 'inherit' },
  );
  return new Promise((resolve) => child.once('exit', resolve));
}

describe('the start lock', () => {
  it('rule 8: has one holder, which is told to whoever tries', () => {
    const own = ownIdentity();
    const first = tryStartLock(folder, own);
    expect(first.lock).toBeDefined();
    const second = tryStartLock(folder, own);
    expect(second).toEqual({ lock: undefined, holder: own });
    expect(lockHolder(folder)).toEqual(own);
    first.lock?.release();
    expect(lockHolder(folder)).toBeUndefined();
    expect(tryStartLock(folder, own).lock).toBeDefined();
  });

  it('rule 8: is free once its holder was killed', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    const identity = identifyProcess(child.pid ?? 0);
    expect(identity && tryStartLock(folder, identity).lock).toBeDefined();
    expect(tryStartLock(folder, ownIdentity()).lock).toBeUndefined();
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('exit', resolve));
    expect(tryStartLock(folder, ownIdentity()).lock).toBeDefined();
  });

  it('rule 8: of another boot it holds nothing, whatever runs under its number', () => {
    expect(tryStartLock(folder, { ...ownIdentity(), bootId: 'another boot' }).lock).toBeDefined();
    expect(tryStartLock(folder, ownIdentity()).lock).toBeDefined();
  });

  it('rule 8: four processes that take it again and again are never two at once', async () => {
    const codes = await Promise.all([contend(60), contend(60), contend(60), contend(60)]);
    expect(codes).toEqual([0, 0, 0, 0]);
    const names = readdirSync(folder);
    expect(names).not.toContain('violations');
    expect(readFileSync(join(folder, 'taken'), 'utf8')).toHaveLength(240);
    expect(names.filter((name) => name.startsWith('service.lock.')).length).toBeLessThanOrEqual(5);
  });
});
