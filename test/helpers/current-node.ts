/** A Node.js of the current LTS line, from the npm packages that carry its binaries, fetched once into the cache. */
import { access, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { withInstallLock } from '../../src/service/install-lock.js';
import { runTool } from '../../src/service/run-tool.js';
import { cacheFolder } from './cache.js';

/** The LTS line beside the oldest that `engines` takes. */
export const CURRENT_NODE = '24';

/** The path of the binary. */
export async function ensureCurrentNode(onProgress: (line: string) => void): Promise<string> {
  const folder = join(cacheFolder(), `node-${CURRENT_NODE}`);
  const name = `node-linux-${process.arch}`;
  const binary = join(folder, 'node_modules', name, 'bin', 'node');
  if (await exists(binary)) return binary;
  await mkdir(cacheFolder(), { recursive: true });
  const onWait = (pid: number): void => onProgress(`Node.js: waiting for process ${pid}`);
  await withInstallLock({ path: `${folder}.lock`, onWait }, async () => {
    if (await exists(binary)) return;
    onProgress(`Node.js ${CURRENT_NODE}: from npm into ${folder}, about 60 MB, half a minute`);
    const fresh = `${folder}.new`;
    await rm(fresh, { recursive: true, force: true });
    await mkdir(fresh, { recursive: true });
    const quiet = ['--no-audit', '--no-fund', '--loglevel=error', '--prefer-offline'];
    const args = ['install', '--prefix', fresh, ...quiet, `${name}@${CURRENT_NODE}`];
    const { exitCode, output } = await runTool({ command: 'npm', args, cwd: fresh });
    if (exitCode !== 0) throw new Error(`npm ${args.join(' ')} failed:\n${output}`);
    await rename(fresh, folder);
  });
  return binary;
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
