/** Hashes whole files in a thread of its own: file calls here are synchronous on purpose. */
import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { toPlainError } from '../../model/errors.js';
import type { PlainError } from '../../model/errors.js';
import { toDestinationError } from '../destination-error.js';
import { Cell } from './cell.js';

const READ_BYTES = 1_048_576;

/** Files to hash, by absolute path. Links are not followed unless `followLinks`. */
export interface HashWholeTask {
  readonly cell: SharedArrayBuffer;
  readonly paths: readonly string[];
  readonly followLinks: boolean;
}

/** One file, hashed. `changed`: it was written to while it was read. */
export type HashWholeOutcome =
  | {
      readonly kind: 'hashed';
      readonly sha256: string;
      readonly sizeBytes: number;
      readonly mtimeMs: number;
      readonly isExecutable: boolean;
    }
  | { readonly kind: 'changed' | 'no file' }
  | { readonly kind: 'stopped' }
  | { readonly kind: 'failed'; readonly error: PlainError };

/** Runs a HashWholeTask: one outcome for each path, in order; bytes are counted into the cell. */
export function hashWhole(task: HashWholeTask): HashWholeOutcome[] {
  const cell = new Cell(task.cell);
  const buffer = Buffer.allocUnsafe(READ_BYTES);
  return task.paths.map((path) => {
    try {
      return hashOne(path, task.followLinks, cell, buffer);
    } catch (error) {
      return { kind: 'failed', error: toPlainError(toDestinationError(error, 'read', path)) };
    }
  });
}

function hashOne(path: string, followLinks: boolean, cell: Cell, buffer: Buffer): HashWholeOutcome {
  if (cell.isStopped) return { kind: 'stopped' };
  // O_NONBLOCK: opening a FIFO must not wait for its writer.
  const flags = constants.O_RDONLY | constants.O_NONBLOCK;
  const fd = openSync(path, followLinks ? flags : flags | constants.O_NOFOLLOW);
  try {
    const before = fstatSync(fd, { bigint: true });
    if (!before.isFile()) return { kind: 'no file' };
    const hash = createHash('sha256');
    let sizeBytes = 0;
    for (;;) {
      if (cell.isStopped) return { kind: 'stopped' };
      const read = readSync(fd, buffer, 0, READ_BYTES, sizeBytes);
      if (read === 0) break;
      hash.update(buffer.subarray(0, read));
      sizeBytes += read;
      cell.addBytes(read);
    }
    const after = fstatSync(fd, { bigint: true });
    const isSame = before.mtimeNs === after.mtimeNs && before.size === after.size;
    if (!isSame || after.size !== BigInt(sizeBytes)) return { kind: 'changed' };
    return {
      kind: 'hashed',
      sha256: hash.digest('hex'),
      sizeBytes,
      mtimeMs: Number(after.mtimeNs / 1_000_000n),
      isExecutable: (after.mode & 0o100n) !== 0n,
    };
  } finally {
    closeSync(fd);
  }
}
