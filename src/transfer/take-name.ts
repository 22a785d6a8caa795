/** Giving a partial its final name without destroying what somebody else has put there since the plan was made. */
import { link, lstat, rename, unlink } from 'node:fs/promises';
import type { BigIntStats } from 'node:fs';
import { localStampOf, sameLocalStamp, type LocalStamp } from '../manifest/index.js';
import { errnoOf } from './destination-error.js';

/** A file as it lay under a final name: only this one may be replaced. */
export interface Replaceable {
  readonly sizeBytes: number;
  readonly stamp: LocalStamp;
}

/** What may be replaced: nothing (an empty list), these files as they were, or any file. */
export type MayReplace = 'any file' | readonly Replaceable[];

/** What a file system without hard links answers to `link`. */
const NO_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EXDEV', 'EACCES'];

/**
 * Renames `partial` to `target`, which is looked at right before. A name that is free is taken by `link`, which fails where
 * a file has come in between; only a file system without hard links leaves a gap of one system call there. `occupied`:
 * something else is there, and both are as they were.
 */
export async function takeName(
  partial: string,
  target: string,
  mayReplace: MayReplace,
): Promise<'taken' | 'occupied'> {
  let found = await lookAt(target);
  if (found === undefined) {
    if (await linked(partial, target)) return 'taken';
    found = await lookAt(target);
  }
  if (found !== undefined && !isReplaceable(found, mayReplace)) return 'occupied';
  await rename(partial, target);
  return 'taken';
}

/** Whether `partial` has got a name that was free; false where the name is not free, or links are not to be had. */
async function linked(partial: string, target: string): Promise<boolean> {
  try {
    await link(partial, target);
  } catch (error) {
    const code = errnoOf(error) ?? '';
    if (NO_LINKS.includes(code)) return false;
    // A network file system may have done what it says has failed.
    if (code !== 'EEXIST' || !(await isSameFile(partial, target))) {
      if (code === 'EEXIST') return false;
      throw error;
    }
  }
  await unlink(partial);
  return true;
}

async function isSameFile(a: string, b: string): Promise<boolean> {
  const [first, second] = await Promise.all([lookAt(a), lookAt(b)]);
  return first !== undefined && first.ino === second?.ino && first.dev === second.dev;
}

function isReplaceable(found: BigIntStats, mayReplace: MayReplace): boolean {
  const file = fileOf(found);
  if (file === undefined) return false;
  return (
    mayReplace === 'any file' ||
    mayReplace.some(
      ({ sizeBytes, stamp }) => sizeBytes === file.sizeBytes && sameLocalStamp(stamp, file.stamp),
    )
  );
}

/** A regular file, by what tells whether it was touched; undefined for anything else. */
export function fileOf(found: BigIntStats | undefined): Replaceable | undefined {
  if (found?.isFile() !== true) return undefined;
  return { sizeBytes: Number(found.size), stamp: localStampOf(found) };
}

/** What lies at a path, links not followed; undefined for nothing. */
export async function lookAt(path: string): Promise<BigIntStats | undefined> {
  try {
    return await lstat(path, { bigint: true });
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
