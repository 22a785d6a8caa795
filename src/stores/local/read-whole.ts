/** A small file in one piece, by a few system calls that wait for nothing but the disk. */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readlinkSync,
  readSync,
  type BigIntStats,
} from 'node:fs';
import { join } from 'node:path';
import { isInside } from '../../model/is-inside.js';
import { samePin, sameStrongPin, type Pin } from '../../model/object-entry.js';
import type { WholeObject } from '../store.js';
import { modifiedAtOf, type LocalPins } from './entry.js';

/** What is read, and what it has to be. */
export interface WholeRead {
  readonly realRoot: string;
  readonly pins: LocalPins;
  readonly path: string;
  readonly pin: Pin | undefined;
  readonly maxBytes: number;
  readonly memoryFor?: ((bytes: number) => Buffer) | undefined;
}

/** Undefined for whatever is not plainly a small, unchanged file that no link leads to: `openRead` follows, or says why not. */
export function readWhole(read: WholeRead): WholeObject | undefined {
  const { realRoot, path } = read;
  const absolute = join(realRoot, path);
  if (path === '' || !path.isWellFormed() || !isInside(realRoot, absolute)) return undefined;
  try {
    // A FIFO would block, and a device may act, when it is merely opened.
    const before = lstatSync(absolute, { throwIfNoEntry: false });
    if (before?.isFile() !== true || before.size > read.maxBytes) return undefined;
    const fd = openSync(absolute, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      if (read.pin?.strength === 'strong') return readPinned(fd, before.size, read, read.pin);
      return readOpened(fd, absolute, read);
    } finally {
      closeSync(fd);
    }
  } catch {
    return undefined;
  }
}

/**
 * A strong pin names one file of the root's own file system, which lies inside if it was listed there: whatever way leads to it
 * now, and one look behind the read proves both.
 */
function readPinned(
  fd: number,
  size: number,
  { pins, memoryFor }: WholeRead,
  pinned: Pin,
): WholeObject | undefined {
  const bytes = readAll(fd, size, memoryFor);
  const stats = fstatSync(fd, { bigint: true });
  const pin = pins.pinOf(stats);
  if (bytes === undefined || !sameStrongPin(pin, pinned)) return undefined;
  return wholeOf(bytes, stats, pin);
}

function readOpened(
  fd: number,
  absolute: string,
  { pins, pin: pinned, maxBytes, memoryFor }: WholeRead,
): WholeObject | undefined {
  // What was opened, whatever a link above it says: one call instead of the walk of `realpath`.
  if (readlinkSync(`/proc/self/fd/${fd}`) !== absolute) return undefined;
  const stats = fstatSync(fd, { bigint: true });
  const pin = pins.pinOf(stats);
  if (!stats.isFile() || stats.size > BigInt(maxBytes)) return undefined;
  if (pinned !== undefined && !samePin(pinned, pin)) return undefined;
  const bytes = readAll(fd, Number(stats.size), memoryFor);
  const isUnchanged = samePin(pins.pinOf(fstatSync(fd, { bigint: true })), pin);
  if (bytes === undefined || !isUnchanged) return undefined;
  return wholeOf(bytes, stats, pin);
}

function wholeOf(bytes: Buffer, stats: BigIntStats, pin: Pin): WholeObject {
  return {
    bytes,
    sizeBytes: bytes.length,
    pin,
    modifiedAt: modifiedAtOf(stats),
    ending: 'length',
    answeredAt: new Date().toISOString(),
  };
}

function readAll(fd: number, size: number, memoryFor: WholeRead['memoryFor']): Buffer | undefined {
  const bytes = memoryFor?.(size) ?? Buffer.allocUnsafe(size);
  let filled = 0;
  while (filled < bytes.length) {
    const count = readSync(fd, bytes, filled, bytes.length - filled, filled);
    if (count === 0) return undefined;
    filled += count;
  }
  return bytes;
}
