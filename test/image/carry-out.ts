/** Carries a Dockerfile out without Docker: every stage in a root folder of its own, every RUN by its shell in there (as root). */
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { run, type Ended } from '../e2e/places/installation.js';
import { addNode, makeDebian, offerPackages } from './base-image.js';
import { copyOf, pairsOf, type Stage, type Step } from './dockerfile.js';

/** What a stage has come to. */
export interface Image {
  readonly root: string;
  readonly env: Record<string, string>;
  workdir: string;
  user: string;
  entrypoint: string[];
  command: string[];
}

export interface CarryOutOptions {
  /** Where the roots are made. */
  readonly dir: string;
  /** The folder that COPY takes from. */
  readonly context: string;
  /** The folder of .deb files that apt finds. */
  readonly packages: string;
  /** The Temporal CLI that was built from Go's module proxy for the tests, by the very command of the Dockerfile. */
  readonly temporal: string;
}

/** The steps, and at the end the last stage. A step that fails is an error with its line and what it said. */
export async function carryOut(stages: readonly Stage[], options: CarryOutOptions): Promise<Image> {
  const done = new Map<string, Image>();
  let image: Image | undefined;
  for (const [index, stage] of stages.entries()) {
    const root = join(options.dir, `stage-${index}`, 'root');
    makeDebian(root);
    const env = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' };
    if (/^node:/.test(stage.image)) addNode(root);
    else if (/^golang:/.test(stage.image)) {
      addGo(root, options.temporal);
      env.PATH = `/usr/local/go/bin:${env.PATH}`;
    } else throw new Error(`nothing here stands for ${stage.image}`);
    offerPackages(root, options.packages);
    image = { root, env, workdir: '/', user: 'root', entrypoint: [], command: [] };
    for (const step of stage.steps) await take(step, image, done, options);
    done.set(stage.name, image);
  }
  if (!image) throw new Error('the Dockerfile has no FROM');
  return image;
}

async function take(
  { keyword, text, line }: Step,
  image: Image,
  stages: ReadonlyMap<string, Image>,
  options: CarryOutOptions,
): Promise<void> {
  const at = (path: string): string => resolve(image.workdir, path);
  switch (keyword) {
    case 'WORKDIR':
      image.workdir = at(text);
      mkdirSync(join(image.root, image.workdir), { recursive: true });
      return;
    case 'ENV':
      Object.assign(image.env, Object.fromEntries(pairsOf(text)));
      return;
    case 'USER':
      image.user = text;
      return;
    case 'ENTRYPOINT':
      image.entrypoint = JSON.parse(text) as string[];
      return;
    case 'CMD':
      image.command = JSON.parse(text) as string[];
      return;
    case 'COPY': {
      const { from, sources, target } = copyOf(text);
      const source = from === '' ? options.context : stages.get(from)?.root;
      if (source === undefined) throw new Error(`Dockerfile:${line}: no stage ${from}`);
      for (const one of sources) copy(join(source, one), image.root, at(target), text, line);
      return;
    }
    case 'RUN': {
      const ended = await build(image, text);
      if (ended.exitCode !== 0) {
        const said = `${ended.stdout}\n${ended.stderr}`.slice(-4_000);
        throw new Error(`Dockerfile:${line}: RUN ${text}\nended with ${ended.exitCode}:\n${said}`);
      }
    }
  }
}

/** A folder's contents, or one file: links instead of bytes where both are on one file system. */
function copy(source: string, root: string, target: string, text: string, line: number): void {
  if (!existsSync(source))
    throw new Error(`Dockerfile:${line}: COPY ${text}: ${source} is not there`);
  const into = join(root, target);
  if (statSync(source).isDirectory()) {
    mkdirSync(into, { recursive: true });
    execFileSync('cp', ['-a', '--link', `${source}/.`, into]);
    return;
  }
  const file = text.endsWith('/') || existsSync(into) ? join(into, basename(source)) : into;
  mkdirSync(dirname(file), { recursive: true });
  execFileSync('cp', ['-a', source, file]);
}

/** npm takes what it has from this machine's cache, and asks where this machine would ask. */
function npmEnvironment(): { env: Record<string, string>; mounts: [string, string][] } {
  const ask = (name: string): string =>
    execFileSync('npm', ['config', 'get', name], { encoding: 'utf8' }).trim();
  const isSet = (value: string): boolean => value !== '' && value !== 'null';
  const files = ['cafile', 'userconfig'].map((name) => [name, ask(name)] as const);
  const mounted = files.filter(([, path]) => isSet(path) && existsSync(path));
  return {
    env: {
      npm_config_registry: ask('registry'),
      npm_config_prefer_offline: 'true',
      npm_config_cache: '/machine/npm-cache',
      ...Object.fromEntries(mounted.map(([name]) => [`npm_config_${name}`, `/machine/${name}`])),
    },
    mounts: [
      [ask('cache'), '/machine/npm-cache'],
      ...mounted.map(([name, path]): [string, string] => [path, `/machine/${name}`]),
    ],
  };
}

function build(image: Image, text: string): Promise<Ended> {
  const npm = npmEnvironment();
  return inside(image, ['/bin/sh', '-c', text], {
    env: { HOME: '/root', ...npm.env },
    user: image.user,
    mounts: npm.mounts,
    layer: 'kept',
  });
}

export interface InsideOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** A name, or `UID:GID`. */
  readonly user?: string;
  /** Folders and files of this machine, and where they are seen. */
  readonly mounts?: readonly (readonly [string, string])[];
  /** `kept`: what is written is written into the image; `thrown`: it goes with the run; `none`: nothing can be written. */
  readonly layer: 'kept' | 'thrown' | 'none';
  /** There is no /dev/shm; else one of 64 MB, as Docker has it. */
  readonly hasNoShm?: boolean;
  /** Empty folders that can be written, as `--tmpfs` has them. */
  readonly tmpfs?: readonly string[];
  /** What the run itself is started by: the namespace of another network. */
  readonly runner?: readonly string[];
  readonly onStart?: (pid: number) => void;
}

/** The mounts of a container, then the command as its process 1. Words: the root, its layer, the user, the folder, shm, NAME=VALUE... */
const CONTAINER = `
R=$1 LAYER=$2 U=$3 W=$4 SHM=$5; shift 5
mount --make-rprivate /
if [ "$LAYER" = thrown ]; then
  S=$(mktemp -d); mount -t tmpfs tmpfs "$S"; mkdir "$S/up" "$S/work" "$S/all"
  mount -t overlay overlay -o "lowerdir=$R,upperdir=$S/up,workdir=$S/work" "$S/all"; R=$S/all
else mount --bind "$R" "$R"; fi
mkdir -p "$R/dev" "$R/proc"
while [ "$1" = mount ]; do
  if [ -d "$2" ]; then mkdir -p "$R$3"; else mkdir -p "$R\${3%/*}"; : >> "$R$3"; fi
  mount --bind "$2" "$R$3"; shift 3
done
while [ "$1" = tmpfs ]; do mkdir -p "$R$2"; mount -t tmpfs -o mode=1777 tmpfs "$R$2"; shift 2; done
mount -t proc proc "$R/proc"
mount -t tmpfs -o mode=755 tmpfs "$R/dev"
for d in null zero full random urandom tty; do : > "$R/dev/$d"; mount --bind "/dev/$d" "$R/dev/$d"; done
ln -s /proc/self/fd "$R/dev/fd"
if [ "$SHM" = yes ]; then mkdir "$R/dev/shm"; mount -t tmpfs -o mode=1777,size=64m tmpfs "$R/dev/shm"; fi
if [ "$LAYER" = none ]; then mount -o remount,bind,ro "$R"; fi
exec chroot --userspec="$U" "$R" env -i --chdir="$W" "$@"`;

/** Runs a command in an image. */
export function inside(
  image: Image,
  command: readonly string[],
  options: InsideOptions,
): Promise<Ended> {
  const { mounts = [], tmpfs = [], runner = [], user = image.user, layer } = options;
  const env = { ...image.env, ...options.env };
  const [program = '', ...words] = [
    ...runner,
    ...['unshare', '--mount', '--pid', '--fork', '--kill-child', 'sh', '-euc', CONTAINER, 'sh'],
    ...[image.root, layer, userspec(user), image.workdir, options.hasNoShm === true ? 'no' : 'yes'],
    ...mounts.flatMap(([from, to]) => ['mount', from, to]),
    ...tmpfs.flatMap((path) => ['tmpfs', path]),
    ...Object.entries(env).map(([name, value]) => `${name}=${value}`),
    ...command,
  ];
  const path = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };
  return run(program, words, path, '/', options.onStart);
}

function userspec(user: string): string {
  return user.includes(':') ? user : `${user}:`;
}

/**
 * A `go` that knows one thing: the command by which Waybill builds its Temporal CLI has been run on this machine already, for
 * minutes, and this is what came out.
 */
function addGo(root: string, temporal: string): void {
  const bin = join(root, 'usr/local/go/bin');
  mkdirSync(bin, { recursive: true });
  copyFileSync(temporal, join(bin, 'built'));
  writeFileSync(
    join(bin, 'go'),
    `#!/bin/sh
set -eu
[ "$1" = install ] && [ "$CGO_ENABLED" = 0 ] || { echo "go $*: not known here" >&2; exit 1; }
for last; do :; done
version=$("\${0%/*}/built" --version | sed -n 's/^temporal version \\([^ ]*\\) .*/\\1/p')
[ "$last" = "github.com/temporalio/cli/cmd/temporal@v$version" ] || { echo "$last: built was $version" >&2; exit 1; }
case "$*" in *"-X github.com/temporalio/cli/temporalcli.Version=$version"*) ;; *) echo 'it would not say its version' >&2; exit 1 ;; esac
mkdir -p "$GOBIN" && cp "\${0%/*}/built" "$GOBIN/temporal"
`,
  );
  chmodSync(join(bin, 'go'), 0o755);
}
