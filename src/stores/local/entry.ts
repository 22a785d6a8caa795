/** What a file system says about a file, as an entry of the model. */
import type { BigIntStats } from 'node:fs';
import { stat, statfs } from 'node:fs/promises';
import { hostFileOf, type HostFile } from '../../model/host-files.js';
import type { ObjectEntry, Pin } from '../../model/object-entry.js';
import type { SpecialKind } from '../../model/special.js';

/**
 * File systems of this host's kernel: it alone sets the ctime, at every change of bytes, name or mode, and nobody can set it
 * back. Not on a network share (attributes are cached) nor with FUSE (a ctime may be made up).
 */
const KERNEL_FILE_SYSTEMS = new Set([
  0xef53, // ext2, ext3, ext4
  0x58465342, // XFS
  0x9123683e, // Btrfs
  0x2fc12fc1, // ZFS
  0xf2f52010, // F2FS
  0x01021994, // tmpfs
  0x794c7630, // overlayfs
]);

/** Younger than this, a second change could fall into the same tick of the kernel's clock as the first. */
const SETTLED_MS = 2_000;

/** How the files of one source are pinned. */
export class LocalPins {
  private constructor(private readonly device: bigint | undefined) {}

  /** @param realRoot a file or folder; what is mounted below it is another file system */
  static async at(realRoot: string): Promise<LocalPins> {
    if (process.platform !== 'linux') return new LocalPins(undefined);
    const { type } = await statfs(realRoot);
    if (!KERNEL_FILE_SYSTEMS.has(type)) return new LocalPins(undefined);
    return new LocalPins((await stat(realRoot, { bigint: true })).dev);
  }

  /** A look at a file waits for no network. */
  get isOfKernel(): boolean {
    return this.device !== undefined;
  }

  /** Strong for a settled file of a file system of the kernel, else weak; the value is the same. */
  pinOf(stats: Omit<HostFile, 'isFolder' | 'mode'>): Pin {
    const { ctimeNs, mtimeNs, size, ino } = stats;
    // One clock: the kernel's stamped the file. A clock that was set back makes pins weak, and no weak one strong.
    const isSettled = Date.now() - Number(ctimeNs / 1_000_000n) >= SETTLED_MS;
    const strength = stats.dev === this.device && isSettled ? 'strong' : 'weak';
    return { strength, value: `ctime:${ctimeNs}+${mtimeNs}+${size}+${ino}` };
  }
}

/** The modification time, to the millisecond. */
export function modifiedAtOf(stats: Pick<HostFile, 'mtimeNs'>): string {
  return new Date(Number(stats.mtimeNs / 1_000_000n)).toISOString();
}

/** The entry of a regular file, a folder, or what is neither. */
export function entryOf(path: string, stats: BigIntStats, pins: LocalPins): ObjectEntry {
  const file = hostFileOf(stats);
  if (file !== undefined) return entryOfFile(path, file, pins);
  return { path, kind: 'special', special: specialOf(stats), modifiedAt: modifiedAtOf(stats) };
}

/** The entry of a regular file or a folder. */
export function entryOfFile(path: string, file: HostFile, pins: LocalPins): ObjectEntry {
  const modifiedAt = modifiedAtOf(file);
  if (file.isFolder) return { path, kind: 'directory', modifiedAt };
  return {
    path,
    kind: 'file',
    sizeBytes: Number(file.size),
    modifiedAt,
    isExecutable: (file.mode & 0o111n) !== 0n,
    pin: pins.pinOf(file),
  };
}

function specialOf(stats: BigIntStats): SpecialKind {
  if (stats.isFIFO()) return 'fifo';
  if (stats.isSocket()) return 'socket';
  return stats.isBlockDevice() || stats.isCharacterDevice() ? 'device' : 'other';
}
