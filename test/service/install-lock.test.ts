import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { withInstallLock } from '../../src/service/install-lock.js';
import { scratchFolder } from '../helpers/processes.js';

const MODULE = fileURLToPath(new URL('../../src/service/install-lock.js', import.meta.url));

/** A process that takes the lock, says so, and holds it for a while. */
function holder(path: string, holdMs: number): ReturnType<typeof spawn> {
  const code = `
    const { withInstallLock } = await import(${JSON.stringify(MODULE)});
    await withInstallLock({ path: ${JSON.stringify(path)}, onWait() {} }, async () => {
      console.log('held');
      await new Promise((resolve) => setTimeout(resolve, ${holdMs}));
    });`;
  return spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: 'pipe' });
}

describe('the lock of an installation', () => {
  it('lets the second process wait, tell whom it waits for, and then go on', async () => {
    const path = join(scratchFolder('lock'), 'tool.lock');
    const first = holder(path, 700);
    await once(first.stdout ?? first, 'data');
    const waited: number[] = [];
    const started = performance.now();
    await withInstallLock({ path, onWait: (pid) => waited.push(pid) }, async () => undefined);
    expect(waited).toEqual([first.pid]);
    expect(performance.now() - started).toBeGreaterThan(300);
    await expect(access(path)).rejects.toThrow('ENOENT');
  });

  it('is taken over from a process that died with it', async () => {
    const path = join(scratchFolder('lock'), 'tool.lock');
    const first = holder(path, 60_000);
    await once(first.stdout ?? first, 'data');
    first.kill('SIGKILL');
    await once(first, 'close');
    const waited: number[] = [];
    const held = await withInstallLock({ path, onWait: (pid) => waited.push(pid) }, async () =>
      readFile(path, 'utf8'),
    );
    expect(held.trim()).toBe(String(process.pid));
    expect(waited).toEqual([]);
  });

  it('stops waiting when it is told to', async () => {
    const path = join(scratchFolder('lock'), 'tool.lock');
    await writeFile(path, `${process.ppid}\n`);
    const controller = new AbortController();
    const onWait = (): void => controller.abort();
    const waiting = withInstallLock({ path, onWait, signal: controller.signal }, async () => 1);
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
  });
});
