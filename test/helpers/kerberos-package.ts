/** The npm package `kerberos`, built against Debian's library: its own build would fetch from places that not every machine reaches. */
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { withInstallLock } from '../../src/service/install-lock.js';
import { runTool } from '../../src/service/run-tool.js';
import { cacheFolder } from './cache.js';
import { ensureKerberos } from './kerberos.js';

const VERSION = '7.0.0';
const HEADERS_VERSION = '1.9.0';

/** Its folder in the cache: `node_modules` with the package in it. */
export const KERBEROS_PACKAGE_FOLDER = `kerberos-${VERSION}`;

/** Where the package lies. */
export async function ensureKerberosPackage(onProgress: (line: string) => void): Promise<string> {
  const { root } = await ensureKerberos(onProgress);
  const folder = join(cacheFolder(), KERBEROS_PACKAGE_FOLDER);
  const installed = join(folder, 'node_modules/kerberos');
  if (existsSync(folder)) return installed;
  const onWait = (pid: number): void => onProgress(`kerberos: waiting for process ${pid}`);
  await withInstallLock({ path: `${folder}.lock`, onWait }, async () => {
    if (existsSync(folder)) return;
    onProgress(`kerberos ${VERSION}: from npm into ${folder}, and built with g++, seconds`);
    const fresh = `${folder}.new`;
    await rm(fresh, { recursive: true, force: true });
    await mkdir(fresh, { recursive: true });
    const quiet = ['--no-audit', '--no-fund', '--loglevel=error', '--prefer-offline'];
    const packages = [`kerberos@${VERSION}`, `node-api-headers@${HEADERS_VERSION}`];
    const into = ['install', '--prefix', fresh, '--ignore-scripts'];
    await run('npm', [...into, ...quiet, ...packages], fresh);
    await build(join(fresh, 'node_modules'), join(root, 'usr/include'));
    await rename(fresh, folder);
  });
  return installed;
}

/** What its binding.gyp says for Linux. */
async function build(modules: string, include: string): Promise<void> {
  const own = join(modules, 'kerberos');
  await mkdir(join(own, 'build/Release'), { recursive: true });
  const unix = (await readdir(join(own, 'src/unix'))).filter((name) => name.endsWith('.cc'));
  const includes = [
    ...[join(modules, 'node-addon-api'), join(modules, 'node-api-headers/include')],
    ...[join(include, 'mit-krb5'), include],
  ].flatMap((folder) => ['-I', folder]);
  const names = ['KERBEROS_USE_RTLD=1', 'NAPI_VERSION=9', 'BUILDING_NODE_EXTENSION'];
  const defines = [...names, 'NODE_GYP_MODULE_NAME=kerberos'].map((name) => `-D${name}`);
  const how = ['-std=c++17', '-O1', '-shared', '-fPIC', '-fexceptions'];
  const sources = ['src/kerberos.cc', ...unix.map((name) => `src/unix/${name}`)];
  const out = ['-ldl', '-o', 'build/Release/kerberos.node'];
  await run('g++', [...how, ...defines, ...includes, ...sources, ...out], own);
}

async function run(command: string, args: readonly string[], cwd: string): Promise<void> {
  const { exitCode, output } = await runTool({ command, args, cwd });
  if (exitCode !== 0) throw new Error(`${command} ${args.join(' ')} failed:\n${output}`);
}
