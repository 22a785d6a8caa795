/**
 * Hashing of what is on disk, in a thread of its own: file calls here are synchronous on purpose. Several files take
 * turns in one thread, so that a slow source never keeps another file's hash waiting; nor does a flush, which is made beside.
 */
import { createHash } from 'node:crypto';
import { dirname } from 'node:path';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { constants, fstatSync, openSync, readSync } from 'node:fs';
import { toPlainError } from '../../model/errors.js';
import { Cell } from './cell.js';
import { toDestinationError } from '../destination-error.js';
import { closeQuietly, whileOpen } from './close-once.js';
import { flushCounted, flusherOf } from './flush.js';
import { DigestSet } from './hashes.js';
import { setModifiedAtBeside } from './modified-at.js';
import { keyOf, PartMac } from './part-mac.js';
import type {
  Extent,
  FollowOutcome,
  FollowTask,
  HashExtentsOutcome,
  HashExtentsTask,
} from './tasks.js';

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;

const READ_BYTES = 1_048_576;

/** What every task of this thread reads into: none of them waits between a read and its hash. */
const buffer = Buffer.allocUnsafeSlow(READ_BYTES);

/** How long a follower that has caught up sleeps before it looks again. */
const WAIT_MS = 20;

/** After so many bytes the next task has its turn. */
const TURN_BYTES = 16 * READ_BYTES;

/** Runs a FollowTask: hashes up to the shared frontier until the file is whole, then flushes it. */
export async function follow(task: FollowTask): Promise<FollowOutcome> {
  let fd: number;
  try {
    fd = openSync(task.partialPath, 'r+');
  } catch (error) {
    return {
      kind: 'failed',
      error: toPlainError(toDestinationError(error, 'open', task.partialPath)),
    };
  }
  try {
    return await whileOpen(fd, task.partialPath, () => followTo(task, fd));
  } catch (error) {
    return {
      kind: 'failed',
      error: toPlainError(toDestinationError(error, 'read back', task.partialPath)),
    };
  }
}

async function followTo(task: FollowTask, fd: number): Promise<FollowOutcome> {
  const cell = new Cell(task.cell);
  const digests = await DigestSet.start(task.digests);
  let position = 0;
  while (position < task.sizeBytes) {
    if (cell.isStopped) return { kind: 'stopped' };
    const until = Math.min(cell.frontier, task.sizeBytes);
    if (position >= until) {
      await sleep(WAIT_MS);
      continue;
    }
    const read = readSync(fd, buffer, 0, Math.min(READ_BYTES, until - position), position);
    if (read === 0) throw new Error('the partial is shorter than what was written to it');
    digests.update(buffer.subarray(0, read));
    position += read;
    cell.addChecked(read);
    if (position % TURN_BYTES < read) await nextTurn();
  }
  const flush = flusherOf(dirname(task.partialPath));
  await flushCounted(cell, task.sizeBytes, async () => {
    await setModifiedAtBeside(fd, task.modifiedAt);
    await flush(fd);
  });
  const { ino, mtimeNs } = fstatSync(fd, { bigint: true });
  const stamp = { inode: String(ino), mtimeNs: String(mtimeNs) };
  return { kind: 'hashed', digests: digests.finish(), stamp };
}

/** Runs a HashExtentsTask; counts the bytes that it checked into the cell. */
export async function hashExtents(task: HashExtentsTask): Promise<HashExtentsOutcome> {
  const cell = new Cell(task.cell);
  let fd: number;
  try {
    // Neither through a link nor waiting for the writer of a FIFO: what is there may be somebody else's.
    fd = openSync(task.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    return { kind: 'failed', error: toPlainError(toDestinationError(error, 'open', task.path)) };
  }
  try {
    const found: (string | undefined)[] = [];
    for (const extent of task.extents) {
      const hash = hashFor(extent);
      let left = extent.lengthBytes;
      let position = extent.offsetBytes;
      while (left > 0) {
        if (cell.isStopped) return { kind: 'stopped' };
        const read = readSync(fd, buffer, 0, Math.min(READ_BYTES, left), position);
        if (read === 0) break;
        hash.update(buffer.subarray(0, read));
        position += read;
        left -= read;
        cell.addChecked(read);
        if (position % TURN_BYTES < read) await nextTurn();
      }
      found.push(left === 0 ? hash.digest() : undefined);
    }
    return { kind: 'hashed', digests: found };
  } catch (error) {
    return {
      kind: 'failed',
      error: toPlainError(toDestinationError(error, 'read back', task.path)),
    };
  } finally {
    closeQuietly(fd);
  }
}

function hashFor({ mac }: Extent): Pick<PartMac, 'update' | 'digest'> {
  if (mac !== undefined) return new PartMac(keyOf(mac));
  const hash = createHash('sha256');
  return { update: (chunk) => void hash.update(chunk), digest: () => hash.digest('hex') };
}
