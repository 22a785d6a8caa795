/**
 * Other Waybills than the one that is tested, each a checkout of its own:
 *
 *     const older = await ensureRelease(FIRST_RELEASE);       // from the history of this repository
 *     const patched = await patchedBuild(dir, { 'workflows/pull-run.js': (code) => ... });
 *     await bed.run(['pull', ...], { main: older });
 */
import { execFile } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cacheFolder } from './cache.js';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const MAIN = 'dist/src/cli/main.js';

/** The last commit whose control protocol and histories are the first ones: release N of the tests of rule 9. */
export const FIRST_RELEASE = '76c6600';

/** Builds a commit of this repository, once, into the cache folder. Answers the path of its command's script. */
export async function ensureRelease(commit: string): Promise<string> {
  const folder = join(cacheFolder(), `release-${commit}`);
  if (!existsSync(folder)) {
    const building = `${folder}.${process.pid}`;
    rmSync(building, { recursive: true, force: true });
    mkdirSync(building, { recursive: true });
    const archive = join(building, 'commit.tar');
    const what = ['src', 'scripts', 'package.json', 'tsconfig.json', 'tsconfig.build.json'];
    await run('git', ['-C', ROOT, 'archive', '-o', archive, commit, ...what]);
    await run('tar', ['-xf', archive, '-C', building]);
    linkPackages(building);
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    await run(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--noCheck'], { cwd: building });
    await bundle(building);
    try {
      renameSync(building, folder);
    } catch (error) {
      // Another suite was quicker.
      if (!existsSync(folder)) throw error;
      rmSync(building, { recursive: true });
    }
  }
  // The packages may have moved since: another clone, the same cache. Another suite may be running it meanwhile.
  const [link, packages] = [join(folder, 'node_modules'), join(ROOT, 'node_modules')];
  if (readlinkSync(link) !== packages) {
    symlinkSync(packages, `${link}.${process.pid}`);
    renameSync(`${link}.${process.pid}`, link);
  }
  return join(folder, MAIN);
}

/** Changes to compiled files, by their path below `dist/src`. */
export type Patches = Readonly<Record<string, (code: string) => string>>;

/** A copy of what is tested in `folder`, with changes. A changed workflow is in its bundle too. */
export async function patchedBuild(folder: string, patches: Patches): Promise<string> {
  for (const path of ['dist/src', 'dist/workflow-bundle.js', 'scripts', 'package.json']) {
    cpSync(join(ROOT, path), join(folder, path), { recursive: true });
  }
  linkPackages(folder);
  for (const [path, patch] of Object.entries(patches)) {
    const file = join(folder, 'dist/src', path);
    const before = readFileSync(file, 'utf8');
    const after = patch(before);
    if (after === before) throw new Error(`the patch of ${path} changes nothing`);
    writeFileSync(file, after);
  }
  if (Object.keys(patches).some((path) => path.startsWith('workflows/'))) await bundle(folder);
  return join(folder, MAIN);
}

function linkPackages(folder: string): void {
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
}

async function bundle(folder: string): Promise<void> {
  await run(process.execPath, ['scripts/bundle-workflows.mjs'], { cwd: folder });
}
