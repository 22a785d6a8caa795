/**
 * The nearest that a Debian machine has to the images that the Dockerfile begins with: a root folder with the packages that every
 * Debian has, copied from this system's own, a Node.js and its npm, a user `node`, and apt with a package list of one folder.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { ensureDebianPackages } from '../helpers/debian.js';

/** What `apt-get install ca-certificates` needs in an image that has neither it nor openssl. */
export const IMAGE_PACKAGES = ['ca-certificates', 'openssl', 'libssl3'];

/** Gets them. */
export function ensureImagePackages(onProgress: (line: string) => void): Promise<string> {
  return ensureDebianPackages('image', IMAGE_PACKAGES, onProgress);
}

/** Fills an empty folder with a small Debian. */
export function makeDebian(root: string): void {
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) {
    mkdirSync(join(root, 'usr', name), { recursive: true });
    symlinkSync(`usr/${name}`, join(root, name));
  }
  const chosen = requiredPackages();
  const listed = execFileSync('dpkg-query', ['--listfiles', ...chosen], { encoding: 'utf8' });
  const files = listed
    .split('\n')
    .filter((path) => path.startsWith('/') && path !== '/.' && existsSync(path))
    .filter((path) => !/^\/usr\/share\/(doc|man|info|locale|lintian)\//.test(path))
    .map((path) => path.slice(1));
  const list = join(dirname(root), 'files');
  writeFileSync(list, [...new Set(files)].join('\n'));
  execFileSync('sh', [
    '-euc',
    'tar -c -C / --no-recursion --ignore-failed-read -T "$1" | tar -x --keep-directory-symlink -C "$2"',
    'sh',
    list,
    root,
  ]);
  for (const name of ['proc', 'dev', 'sys', 'tmp', 'root', 'etc', 'run', 'var/tmp']) {
    mkdirSync(join(root, name), { recursive: true });
  }
  chmodSync(join(root, 'tmp'), 0o1777);
  keepPackageState(root, chosen);
  const masters = join(root, 'usr/share/base-passwd');
  copyFileSync(join(masters, 'passwd.master'), join(root, 'etc/passwd'));
  copyFileSync(join(masters, 'group.master'), join(root, 'etc/group'));
  appendFileSync(join(root, 'etc/passwd'), '_apt:*:42:65534::/nonexistent:/usr/sbin/nologin\n');
  copyFileSync('/etc/hosts', join(root, 'etc/hosts'));
  if (existsSync('/etc/resolv.conf')) {
    copyFileSync('/etc/resolv.conf', join(root, 'etc/resolv.conf'));
  }
  execFileSync('chroot', [root, 'ldconfig']);
}

/** Puts Node.js, npm and the user `node` where the official image has them. */
export function addNode(root: string): void {
  const local = join(root, 'usr/local');
  mkdirSync(join(local, 'bin'), { recursive: true });
  copyFileSync(realpathSync(process.execPath), join(local, 'bin/node'));
  const modules = execFileSync('npm', ['root', '--global'], { encoding: 'utf8' }).trim();
  cpSync(realpathSync(join(modules, 'npm')), join(local, 'lib/node_modules/npm'), {
    recursive: true,
    verbatimSymlinks: true,
  });
  for (const name of ['npm', 'npx']) {
    symlinkSync(`../lib/node_modules/npm/bin/${name}-cli.js`, join(local, 'bin', name));
  }
  appendFileSync(join(root, 'etc/passwd'), 'node:x:1000:1000::/home/node:/bin/bash\n');
  appendFileSync(join(root, 'etc/group'), 'node:x:1000:\n');
  mkdirSync(join(root, 'home/node'), { recursive: true });
  chownSync(join(root, 'home/node'), 1000, 1000);
}

/** Lets apt find the packages of a folder, and none else. */
export function offerPackages(root: string, packages: string): void {
  const repository = join(root, 'repository');
  cpSync(packages, repository, { recursive: true });
  const entries = readdirSync(repository).map((name) => {
    const path = join(repository, name);
    const control = execFileSync('dpkg-deb', ['--field', path], { encoding: 'utf8' }).trimEnd();
    const bytes = readFileSync(path);
    const sum = createHash('sha256').update(bytes).digest('hex');
    return `${control}\nFilename: ./${name}\nSize: ${bytes.length}\nSHA256: ${sum}\n`;
  });
  writeFileSync(join(repository, 'Packages'), entries.join('\n'));
  for (const name of ['sources.list.d', 'apt.conf.d', 'preferences.d', 'trusted.gpg.d']) {
    mkdirSync(join(root, 'etc/apt', name), { recursive: true });
  }
  writeFileSync(join(root, 'etc/apt/sources.list'), 'deb [trusted=yes] file:/repository ./\n');
}

/** The packages that are in every Debian, and all that they depend on. */
function requiredPackages(): string[] {
  const format = '${Package}\t${Essential}\t${Priority}\t${Provides}\t${Pre-Depends}, ${Depends}\n';
  const rows = execFileSync('dpkg-query', ['--show', '--showformat', format], { encoding: 'utf8' })
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t'));
  const named = new Map(rows.map((row) => [row[0] ?? '', row]));
  for (const row of rows) {
    for (const name of namesOf(row[3] ?? '')) if (!named.has(name)) named.set(name, row);
  }
  const chosen = new Set<string>();
  const take = (row: readonly string[] | undefined): void => {
    const [name = '', , , , needs = ''] = row ?? [];
    if (name === '' || chosen.has(name)) return;
    chosen.add(name);
    for (const alternatives of needs.split(',')) {
      take(
        namesOf(alternatives.replaceAll('|', ','))
          .map((one) => named.get(one))
          .find(Boolean),
      );
    }
  };
  for (const row of rows) {
    if (row[1] === 'yes' || row[2] === 'required' || /^(apt|libstdc\+\+6)$/.test(row[0] ?? '')) {
      take(row);
    }
  }
  return [...chosen];
}

const namesOf = (text: string): string[] =>
  text
    .split(',')
    .map((part) => /^\s*([\w.+-]+)/.exec(part)?.[1] ?? '')
    .filter((name) => name !== '');

/** What dpkg knows of the packages, so that it can put others beside them. */
function keepPackageState(root: string, chosen: readonly string[]): void {
  const state = join(root, 'var/lib/dpkg');
  for (const name of ['info', 'updates', 'triggers', 'parts', 'alternatives']) {
    mkdirSync(join(state, name), { recursive: true });
  }
  const status = execFileSync('dpkg-query', ['--status', ...chosen], { encoding: 'utf8' });
  writeFileSync(join(state, 'status'), status);
  for (const name of ['available', 'diversions', 'statoverride']) {
    writeFileSync(join(state, name), '');
  }
  const own = new Set(chosen);
  for (const file of readdirSync('/var/lib/dpkg/info')) {
    if (own.has(file.replace(/(:\w+)?\.[\w-]+$/, ''))) {
      copyFileSync(join('/var/lib/dpkg/info', file), join(state, 'info', file));
    }
  }
  for (const name of [
    'var/lib/apt/lists/partial',
    'var/cache/apt/archives/partial',
    'var/log/apt',
  ]) {
    mkdirSync(join(root, name), { recursive: true });
  }
}
