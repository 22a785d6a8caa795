/** Tools that do what Waybill does: the system's own, or got once into the cache folder. Each fails with why it cannot be had. */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureVenv } from '../../src/demo/python-venv.js';
import { goInstall } from '../../src/service/go-install.js';
import { withInstallLock } from '../../src/service/install-lock.js';
import { cacheFolder } from './cache.js';
import { ensureDebianProgram, type DebianProgram } from './debian.js';

export const RCLONE_VERSION = 'v1.75.1';

const GSUTIL_VERSION = '5.38';
const AZ_VERSION = '2.80.0';

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

export async function ensureLftp(say: Say): Promise<DebianProgram> {
  const packages = ['lftp', 'libgnutls30', 'libreadline8', 'readline-common', 'libidn2-0'];
  return ensureDebianProgram({ name: 'lftp', binary: '/usr/bin/lftp', packages }, say);
}

/** The Azure CLI, in a Python environment of its own: `az` is `python -m azure.cli`. */
export async function ensureAz(say: Say): Promise<string> {
  const { python } = await ensureVenv({
    cacheDir: cacheFolder(),
    folder: `venv-az-${AZ_VERSION}`,
    name: 'Azure CLI',
    requirements: [`azure-cli==${AZ_VERSION}`],
    cost: 'about 100 MB to fetch, 2 minutes',
    onProgress: say,
  });
  return python;
}

/** OpenSSH's client. */
export async function ensureSftp(say: Say): Promise<DebianProgram> {
  const packages = ['openssh-client', 'libedit2', 'libbsd0', 'libmd0'];
  return ensureDebianProgram({ name: 'sftp', binary: '/usr/bin/sftp', packages }, say);
}

/** gsutil, in a Python environment of its own. */
export async function ensureGsutil(say: Say): Promise<string> {
  const { dir } = await ensureVenv({
    cacheDir: cacheFolder(),
    folder: `venv-gsutil-${GSUTIL_VERSION}`,
    name: 'gsutil',
    requirements: [`gsutil==${GSUTIL_VERSION}`],
    cost: 'about 20 MB to fetch, half a minute',
    onProgress: say,
  });
  return join(dir, 'bin/gsutil');
}
