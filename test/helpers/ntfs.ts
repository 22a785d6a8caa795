/**
 * A real NTFS, mounted through FUSE as Windows sees it, for root: `a` and `A` are one name, and `aux` is a device. In a test:
 *
 *     const disk = await mountNtfs();
 *     ... disk.path ...
 *     disk.unmount();                          // always
 */
import { execFileSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ensureDebianProgram, type DebianProgram } from './debian.js';
import { scratchFolder, scrubbedEnv } from './processes.js';

const MiB = 1024 * 1024;

/** ntfs-3g, the system's own or from Debian's packages in the cache. */
export function ensureNtfs(onProgress: (line: string) => void): Promise<DebianProgram> {
  const packages = ['ntfs-3g', 'libntfs-3g89'];
  return ensureDebianProgram({ name: 'ntfs-3g', binary: '/bin/lowntfs-3g', packages }, onProgress);
}

/** @param options of lowntfs-3g: `ignore_case` (case is folded), `windows_names` (names that Windows refuses are refused) */
export async function mountNtfs(
  options = 'ignore_case,windows_names',
): Promise<{ readonly path: string; unmount(): void }> {
  const program = await ensureNtfs((line) => process.stderr.write(`${line}\n`));
  const env = scrubbedEnv(program.env);
  const base = scratchFolder('ntfs');
  const image = join(base, 'image');
  const path = join(base, 'mnt');
  mkdirSync(path);
  const file = openSync(image, 'w');
  ftruncateSync(file, 64 * MiB);
  closeSync(file);
  execFileSync(join(program.root, 'sbin/mkntfs'), ['-q', '-F', '-Q', image], {
    env,
    stdio: 'pipe',
  });
  // It goes to the background once it is mounted, and ends with its mount.
  execFileSync(program.path, ['-o', options, image, path], { env, stdio: 'ignore' });
  let isMounted = true;
  const unmount = (): void => {
    if (!isMounted) return;
    isMounted = false;
    process.off('exit', unmount);
    execFileSync('umount', ['-l', path], { stdio: 'pipe' });
    rmSync(base, { recursive: true, force: true });
  };
  process.once('exit', unmount);
  return { path, unmount };
}
