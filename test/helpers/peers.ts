/** Tools that do what Waybill does: the system's own, or got once into the cache folder. Each fails with why it cannot be had. */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { goInstall } from '../../src/service/go-install.js';
import { withInstallLock } from '../../src/service/install-lock.js';
import { cacheFolder } from './cache.js';
import { ensureDebianProgram, type DebianProgram } from './debian.js';

export const RCLONE_VERSION = 'v1.75.1';

type Say = (line: string) => void;

/** rclone, built with Go: three minutes, once. */
export async function ensureRclone(say: Say): Promise<string> {
  const target = join(cacheFolder(), 'bin', `rclone-${RCLONE_VERSION}`);
  if (existsSync(target)) return target;
  await mkdir(join(cacheFolder(), 'bin'), { recursive: true });
  const onWait = (pid: number): void => say(`rclone: waiting for process ${pid}`);
  await withInstallLock({ path: `${target}.lock`, onWait }, async () => {
    if (existsSync(target)) return;
    const source = `github.com/rclone/rclone@${RCLONE_VERSION}`;
    await goInstall({
      package: source,
      target,
      name: 'rclone',
      packageCount: 900,
      onProgress: say,
    });
  });
  return target;
}

export async function ensureAria2(say: Say): Promise<DebianProgram> {
  const packages = ['aria2', 'libaria2-0', 'libc-ares2', 'libssh2-1'];
  return ensureDebianProgram({ name: 'aria2', binary: '/usr/bin/aria2c', packages }, say);
}

export async function ensureCurl(say: Say): Promise<DebianProgram> {
  const packages = ['curl', 'libcurl4', 'libnghttp2-14', 'libssh2-1', 'librtmp1', 'libpsl5'];
  return ensureDebianProgram({ name: 'curl', binary: '/usr/bin/curl', packages }, say);
}
