/** Small programs of this repository's own in Go, built once for each version of their sources. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { access, mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withInstallLock } from '../../src/service/install-lock.js';
import { runTool } from '../../src/service/run-tool.js';
import { cacheFolder } from './cache.js';

/** A folder below `test` with a program in Go. */
export type GoProgram = 'faultfs' | 'realnfs';

/** Builds a program. Answers its path. */
export async function ensureGoProgram(
  name: GoProgram,
  onProgress: (line: string) => void,
): Promise<string> {
  const target = goProgramPath(name);
  if (await isThere(target)) return target;
  await mkdir(join(cacheFolder(), 'bin'), { recursive: true });
  const onWait = (pid: number): void => onProgress(`${name}: waiting for process ${pid}`);
  await withInstallLock({ path: `${target}.lock`, onWait }, async () => {
    if (await isThere(target)) return;
    onProgress(`${name}: building it, a few MB from Go's module proxy, once`);
    const beside = `${target}.${process.pid}`;
    const { exitCode, output } = await runTool({
      command: 'env',
      args: ['CGO_ENABLED=0', 'GOFLAGS=-trimpath -modcacherw', 'go', 'build', '-o', beside, '.'],
      cwd: sourcesOf(name),
    });
    if (exitCode !== 0) throw new Error(`${name} could not be built:\n${output}`);
    await rename(beside, target);
  });
  return target;
}

/** Where a program lies in the cache. */
export function goProgramPath(name: GoProgram): string {
  const sources = sourcesOf(name);
  const hash = createHash('sha256');
  for (const file of readdirSync(sources).sort()) hash.update(readFileSync(join(sources, file)));
  return join(cacheFolder(), 'bin', `${name}-${hash.digest('hex').slice(0, 12)}`);
}

function sourcesOf(name: GoProgram): string {
  return fileURLToPath(new URL(`../../../test/${name}`, import.meta.url));
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
