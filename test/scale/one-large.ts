/**
 * One file that is larger than the disk. Its source is sparse: zeros, with a block of its own bytes at each MiB, so that no part
 * can be taken for another. Its destination is a Btrfs that compresses, in memory: what is zero takes no room there.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, ftruncateSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { ensureDebianProgram } from '../helpers/debian.js';
import { scrubbedEnv } from '../helpers/processes.js';

const MiB = 1024 * 1024;
const BLOCK_BYTES = 4_096;

/** The bytes of a file at a MiB. */
function blockAt(index: number): Buffer {
  const digest = createHash('sha256').update(String(index)).digest('hex');
  return Buffer.from(digest.repeat(BLOCK_BYTES / digest.length));
}

/** Writes the file; it takes 4 KiB for each MiB. */
export function writeSparse(path: string, sizeMiB: number): void {
  const file = openSync(path, 'w');
  ftruncateSync(file, sizeMiB * MiB);
  for (let index = 0; index < sizeMiB; index += 1)
    writeSync(file, blockAt(index), 0, BLOCK_BYTES, index * MiB);
  closeSync(file);
}

/** The SHA-256 of that file, from how it is made and not from the disk. */
export function digestOfSparse(sizeMiB: number): string {
  const hash = createHash('sha256');
  const piece = Buffer.alloc(MiB);
  for (let index = 0; index < sizeMiB; index += 1) {
    blockAt(index).copy(piece);
    hash.update(piece);
  }
  return hash.digest('hex');
}

/** Mounts a Btrfs that compresses; for root. Its image lies in `dir`, sparse. */
export async function mountCompressed(
  dir: string,
  sizeMiB: number,
): Promise<{ readonly path: string; unmount(): void }> {
  const { path: mkfs, env } = await ensureDebianProgram(
    {
      name: 'btrfs',
      binary: '/sbin/mkfs.btrfs',
      packages: ['btrfs-progs', 'libzstd1', 'liblzo2-2'],
    },
    (line) => process.stderr.write(`${line}\n`),
  );
  const image = join(dir, 'btrfs.image');
  const path = join(dir, 'mnt');
  mkdirSync(path, { recursive: true });
  const file = openSync(image, 'w');
  ftruncateSync(file, sizeMiB * MiB);
  closeSync(file);
  // Without checksums of its own and without copies: this is about the pull.
  execFileSync(mkfs, ['-q', '-m', 'single', '-d', 'single', image], { env: scrubbedEnv(env) });
  execFileSync('mount', ['-t', 'btrfs', '-o', 'loop,compress-force=zstd:1,noatime', image, path]);
  return { path, unmount: () => void execFileSync('umount', ['-l', path]) };
}
