/** Azurite, Microsoft's emulator of Azure Storage, from npm, fetched once into the cache. */
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { withInstallLock } from '../../src/service/install-lock.js';
import { runTool } from '../../src/service/run-tool.js';
import { cacheFolder } from './cache.js';

const VERSION = '3.37.0';

/** Its folder in the cache. */
export const AZURITE_FOLDER = `azurite-${VERSION}`;

/** The script of its blob service. */
export async function ensureAzurite(onProgress: (line: string) => void): Promise<string> {
  const folder = join(cacheFolder(), AZURITE_FOLDER);
  const script = join(folder, 'node_modules/azurite/dist/src/blob/main.js');
  if (existsSync(script)) return script;
  await mkdir(cacheFolder(), { recursive: true });
  const onWait = (pid: number): void => onProgress(`Azurite: waiting for process ${pid}`);
  await withInstallLock({ path: `${folder}.lock`, onWait }, async () => {
    if (existsSync(script)) return;
    onProgress(`Azurite ${VERSION}: from npm into ${folder}, about 40 MB, half a minute`);
    const fresh = `${folder}.new`;
    await rm(fresh, { recursive: true, force: true });
    await mkdir(fresh, { recursive: true });
    const quiet = ['--no-audit', '--no-fund', '--loglevel=error', '--prefer-offline'];
    const args = ['install', '--prefix', fresh, '--ignore-scripts', ...quiet, `azurite@${VERSION}`];
    const { exitCode, output } = await runTool({ command: 'npm', args, cwd: fresh });
    if (exitCode !== 0) throw new Error(`npm ${args.join(' ')} failed:\n${output}`);
    await rename(fresh, folder);
  });
  return script;
}
