import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
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

  it('installs and builds nothing when nothing is new', async () => {
    const bin = scratchFolder('path');
    const mark = join(bin, 'npm-was-run');
    await writeFile(join(bin, 'npm'), `#!/bin/sh\ntouch "${mark}"\n`, { mode: 0o755 });
    const { stdout, stderr } = await run(join(root, 'waybill'), ['--version'], {
      env: { ...process.env, PATH: `${bin}:${process.env['PATH'] ?? ''}` },
    });
    expect({ stdout, stderr }).toEqual({ stdout: expect.stringMatching(/^\d+\./u), stderr: '' });
    expect(existsSync(mark)).toBe(false);
  });

  it('names a missing Node.js', async () => {
    const path = scratchFolder('path');
    await mkdir(join(path, 'bin'));
    for (const tool of ['readlink', 'dirname', 'sh']) {
      await symlink(`/usr/bin/${tool}`, join(path, 'bin', tool));
    }
    const failed = run(join(root, 'waybill'), ['--version'], {
      env: { PATH: join(path, 'bin') },
    });
    await expect(failed).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining('Node.js is not on the PATH'),
    });
  });
});
