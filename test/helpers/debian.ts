import { access, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withInstallLock } from '../../src/service/install-lock.js';
import { runTool } from '../../src/service/run-tool.js';
import { cacheFolder } from './cache.js';

/** A program from Debian's packages: the system's own, or one unpacked into the cache. */
export interface DebianProgram {
  /** Absolute path of the binary. */
  readonly path: string;
  /** The folder that its packages were unpacked into; `/` for the system's own. */
  readonly root: string;
  /** What the program needs in its environment to find its libraries. */
  readonly env: Readonly<Record<string, string>>;
}

export interface DebianPackages {
  /** What the lines of progress call it. */
  readonly name: string;
  /** Where the binary lies when it is installed: `/usr/sbin/nginx`. */
  readonly binary: string;
  /** The packages that hold the program and those of its libraries that a small system lacks. */
  readonly packages: readonly string[];
  /** The system's own is not wanted: these packages belong together. */
  readonly isOwn?: boolean;
}

/**
 * Finds a program, or unpacks its packages into the cache with a package list of our own: nothing of the
 * system changes, and nobody has to be root.
 * @throws Error with what apt said and the command that installs it on the system
 */
export async function ensureDebianProgram(
  wanted: DebianPackages,
  onProgress: (line: string) => void,
): Promise<DebianProgram> {
  if (wanted.isOwn !== true && (await exists(wanted.binary)))
    return { path: wanted.binary, root: '/', env: {} };
  const root = join(cacheFolder(), `debian-${wanted.name}`);
  const program = { path: join(root, wanted.binary), root, env: librariesOf(root) };
  if (await exists(join(root, 'complete'))) return program;
  await mkdir(cacheFolder(), { recursive: true });
  const onWait = (pid: number): void => onProgress(`${wanted.name}: waiting for process ${pid}`);
  // One apt at a time: the package list is shared.
  await withInstallLock({ path: join(cacheFolder(), 'debian.lock'), onWait }, async () => {
    if (await exists(join(root, 'complete'))) return;
    onProgress(`${wanted.name}: unpacking Debian packages into ${root}, about 10 MB, seconds`);
    await rm(root, { recursive: true, force: true });
    await unpack(wanted, root);
  });
  return program;
}

/**
 * Gets packages as `.deb` files into a folder of the cache.
 * @returns the folder
 * @throws Error with what apt said
 */
export async function ensureDebianPackages(
  name: string,
  packages: readonly string[],
  onProgress: (line: string) => void,
): Promise<string> {
  const root = join(cacheFolder(), `debian-${name}`);
  const folder = join(root, 'packages');
  if (await exists(join(root, 'complete'))) return folder;
  await mkdir(cacheFolder(), { recursive: true });
  const onWait = (pid: number): void => onProgress(`${name}: waiting for process ${pid}`);
  await withInstallLock({ path: join(cacheFolder(), 'debian.lock'), onWait }, async () => {
    if (await exists(join(root, 'complete'))) return;
    await rm(root, { recursive: true, force: true });
    await download({ name, binary: '', packages }, folder);
    await writeFile(join(root, 'complete'), `${packages.join('\n')}\n`);
  });
  return folder;
}

async function unpack(wanted: DebianPackages, root: string): Promise<void> {
  const downloads = join(root, 'downloads');
  await download(wanted, downloads);
  for (const file of (await readdir(downloads)).filter((name) => name.endsWith('.deb'))) {
    const unpacked = await runTool({ command: 'dpkg', args: ['-x', join(downloads, file), root] });
    if (unpacked.exitCode !== 0) throw failed(wanted, unpacked.output);
  }
  await rm(downloads, { recursive: true, force: true });
  await writeFile(join(root, 'complete'), `${wanted.packages.join('\n')}\n`);
}

async function download(wanted: DebianPackages, downloads: string): Promise<void> {
  await mkdir(downloads, { recursive: true });
  // Root would hand the download to the user _apt, who may not write here.
  const apt = ['-o', 'APT::Sandbox::User=root'];
  const fetchPackages = (options: readonly string[]): ReturnType<typeof runTool> =>
    runTool({
      command: 'apt-get',
      args: [...options, 'download', ...wanted.packages],
      cwd: downloads,
    });
  let fetched = await fetchPackages(apt);
  if (fetched.exitCode !== 0) {
    const state = join(cacheFolder(), 'debian-lists');
    await mkdir(join(state, 'lists', 'partial'), { recursive: true });
    const own = [
      ...apt,
      ...['-o', `Dir::State::lists=${join(state, 'lists')}`],
      ...['-o', `Dir::Cache=${state}`, '-o', 'Debug::NoLocking=true'],
    ];
    const updated = await runTool({ command: 'apt-get', args: [...own, 'update'] });
    fetched = updated.exitCode === 0 ? await fetchPackages(own) : updated;
  }
  if (fetched.exitCode !== 0) throw failed(wanted, fetched.output);
}

function librariesOf(root: string): Readonly<Record<string, string>> {
  const triplet = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';
  const folders = [join(root, 'usr/lib', triplet), join(root, 'lib', triplet)];
  return { LD_LIBRARY_PATH: folders.join(':') };
}

function failed(wanted: DebianPackages, output: string): Error {
  const last = output.trimEnd().split('\n').slice(-4).join('\n');
  return new Error(
    `${wanted.name} is not here and could not be fetched; install it with ` +
      `\`apt-get install ${wanted.packages[0] ?? wanted.name}\`:\n${last}`,
  );
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
