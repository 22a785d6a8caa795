import { execFile } from 'node:child_process';
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { scratchFolder } from '../helpers/processes.js';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../..', import.meta.url));

describe('./waybill', () => {
  it('runs the command through links and from any folder, with nothing to say of its own', async () => {
    const dir = scratchFolder('launcher');
    await symlink(join(root, 'waybill'), join(dir, 'first'));
    await symlink('first', join(dir, 'second'));
    const { stdout, stderr } = await run(join(dir, 'second'), ['--version'], { cwd: '/' });
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/u);
    expect(stderr).toBe('');
  });

  it('adds little to the start of the command', async () => {
    const time = async (file: string, args: readonly string[]): Promise<number> => {
      const spans: number[] = [];
      for (let round = 0; round < 5; round += 1) {
        const started = performance.now();
        await run(file, [...args, '--version']);
        spans.push(performance.now() - started);
      }
      return Math.min(...spans);
    };
    const bare = await time(process.execPath, [join(root, 'dist/src/cli/main.js')]);
    expect((await time(join(root, 'waybill'), [])) - bare).toBeLessThan(150);
  });

  it('names a missing Node.js at once', async () => {
    const path = scratchFolder('path');
    await mkdir(join(path, 'bin'));
    for (const tool of ['readlink', 'dirname', 'sh']) {
      await symlink(`/usr/bin/${tool}`, join(path, 'bin', tool));
    }
    const started = performance.now();
    const failed = run(join(root, 'waybill'), ['--version'], {
      env: { PATH: join(path, 'bin') },
    });
    await expect(failed).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining('Node.js is not on the PATH'),
    });
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});
