/** Hadoop's mini cluster and HttpFS from Maven Central and the program that starts it (`test/hadoop`), once into the cache. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { copyFile, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withInstallLock } from '../../src/service/install-lock.js';
import { runTool } from '../../src/service/run-tool.js';
import { cacheFolder } from './cache.js';

const SOURCES = fileURLToPath(new URL('../../../test/hadoop', import.meta.url));
const POM = join(SOURCES, 'pom.xml');
const PROGRAM = ['Cluster.java', 'HttpFs.java'].map((name) => join(SOURCES, name));
const COPY = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies';

/** Its folder in the cache, another one for each version of the sources. */
export function hadoopFolder(): string {
  const hash = createHash('sha256');
  for (const file of [POM, ...PROGRAM]) hash.update(readFileSync(file));
  return join(cacheFolder(), `hadoop-${hash.digest('hex').slice(0, 12)}`);
}

/** The Java class path of the program `Cluster`: about 110 MB to fetch, once. */
export async function ensureHadoop(onProgress: (line: string) => void): Promise<string> {
  const folder = hadoopFolder();
  const classPath = `${folder}/classes:${folder}/jars/*`;
  if (existsSync(folder)) return classPath;
  await mkdir(cacheFolder(), { recursive: true });
  const onWait = (pid: number): void => onProgress(`Hadoop: waiting for process ${pid}`);
  await withInstallLock({ path: `${folder}.lock`, onWait }, async () => {
    if (existsSync(folder)) return;
    onProgress(`Hadoop: from Maven into ${folder}, 110 MB to fetch, seconds`);
    const fresh = `${folder}.new`;
    await rm(fresh, { recursive: true, force: true });
    await mkdir(fresh, { recursive: true });
    await copyFile(POM, join(fresh, 'pom.xml'));
    // A repository of its own, which goes again: the jars are kept once.
    const repository = `-Dmaven.repo.local=${join(fresh, 'repository')}`;
    const into = `-DoutputDirectory=${join(fresh, 'jars')}`;
    await run('mvn', ['-B', '-ntp', repository, COPY, into], fresh);
    await rm(join(fresh, 'repository'), { recursive: true, force: true });
    await run(
      'javac',
      ['-nowarn', '-cp', join(fresh, 'jars/*'), '-d', join(fresh, 'classes'), ...PROGRAM],
      fresh,
    );
    await rename(fresh, folder);
  });
  return classPath;
}

async function run(command: string, args: readonly string[], cwd: string): Promise<void> {
  const { exitCode, output } = await runTool({ command, args, cwd });
  if (exitCode !== 0) throw new Error(`${command} ${args.join(' ')} failed:\n${output}`);
}
