/**
 * Small file systems of one's own, for root. In a test:
 *
 *     const disk = mountTmpfs({ sizeBytes: 8 * MiB });
 *     const disk = mountExt4({ sizeBytes: 32 * MiB, inodes: 64 });
 *     ... disk.path ...
 *     disk.remount('ro');
 *     disk.unmount();                          // always; lazily, so that nothing can keep it
 */
import { execFileSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { scratchFolder } from './processes.js';

export interface Mounted {
  /** Where it is mounted. */
  readonly path: string;
  /** `ro`, `rw`, `size=4m`. */
  remount(options: string): void;
  /** Unmounts it and removes what it was made of. Twice is fine. */
  unmount(): void;
}

/** A share: it goes away and comes back with all that is on it, whoever has files open there. */
export interface Share extends Mounted {
  /** Takes it away; what lies below the mount point shows. */
  away(): void;
  back(): void;
}

/** A share of so many bytes. */
export function mountShare(options: { sizeBytes: number }): Share {
  const server = mountTmpfs(options);
  const base = scratchFolder('share');
  const path = join(base, 'mnt');
  mkdirSync(path);
  let isThere = false;
  const back = (): void => {
    if (isThere) return;
    run('mount', ['--bind', server.path, path]);
    isThere = true;
  };
  const away = (): void => {
    if (isThere) run('umount', ['-l', path]);
    isThere = false;
  };
  const unmount = (): void => {
    process.off('exit', unmount);
    away();
    server.unmount();
    rmSync(base, { recursive: true, force: true });
  };
  back();
  process.once('exit', unmount);
  return { path, away, back, unmount, remount: (settings) => server.remount(settings) };
}

/** Whether this process may mount at all. */
export function mayMount(): boolean {
  return process.getuid?.() === 0;
}

/** A tmpfs of so many bytes, and of so many inodes if that is said. */
export function mountTmpfs(options: { sizeBytes: number; inodes?: number }): Mounted {
  const base = scratchFolder('tmpfs');
  const inodes = options.inodes === undefined ? '' : `,nr_inodes=${options.inodes}`;
  const settings = `size=${options.sizeBytes},mode=0755${inodes}`;
  return mount(base, ['-t', 'tmpfs', '-o', settings, 'waybill-test']);
}

/** An ext4 on a loop device. */
export function mountExt4(options: {
  sizeBytes: number;
  inodes?: number;
  /** `quota` and the like, for mkfs. */
  features?: string;
  /** `errors=remount-ro` and the like. */
  mountOptions?: string;
  /** The folder of the image, sparse; one of its own by default. */
  at?: string;
}): Mounted {
  const base = scratchFolder('ext4');
  const image = join(options.at ?? base, 'image');
  const file = openSync(image, 'w');
  ftruncateSync(file, options.sizeBytes);
  closeSync(file);
  run('mkfs.ext4', [
    ...['-q', '-F', '-m', '0', '-J', 'size=4'],
    ...(options.inodes === undefined ? [] : ['-N', String(options.inodes)]),
    ...(options.features === undefined ? [] : ['-O', options.features]),
    image,
  ]);
  const extra = options.mountOptions === undefined ? '' : `,${options.mountOptions}`;
  return mount(base, ['-t', 'ext4', '-o', `loop${extra}`, image]);
}

function mount(base: string, args: readonly string[]): Mounted {
  const path = join(base, 'mnt');
  mkdirSync(path);
  run('mount', [...args, path]);
  let isMounted = true;
  const unmount = (): void => {
    if (!isMounted) return;
    isMounted = false;
    process.off('exit', unmount);
    run('umount', ['-l', path]);
    rmSync(base, { recursive: true, force: true });
  };
  process.once('exit', unmount);
  return {
    path,
    remount: (options) => run('mount', ['-o', `remount,${options}`, path]),
    unmount,
  };
}

function run(command: string, args: readonly string[]): void {
  execFileSync(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
}
