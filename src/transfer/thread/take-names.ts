/** Giving partials their final names without destroying what somebody else has put there since the plan was made. */
import { linkSync, lstatSync, renameSync, unlinkSync, type BigIntStats } from 'node:fs';
import { localStampOf, sameLocalStamp } from '../../manifest/local-stamp.js';
import { toPlainError } from '../../model/errors.js';
import { errnoOf, toNameError } from '../destination-error.js';
import { fileOf, type MayReplace } from '../take-name.js';
import { inTurns } from './in-turns.js';
import type { NameToTake, TakeNameOutcome, TakeNamesTask } from './tasks.js';

/** What a file system without hard links answers to `link`. */
const NO_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EXDEV', 'EACCES'];

/** Names taken before the bytes of other files get their turn. */
const NAMES_A_TURN = 32;

/** Runs a TakeNamesTask: one outcome for each name, in order. Never rejects. */
export function takeNames({ names }: TakeNamesTask): Promise<TakeNameOutcome[]> {
  return inTurns(names, NAMES_A_TURN, outcomeOf);
}

function outcomeOf({ partialPath, target, mayReplace, shown }: NameToTake): TakeNameOutcome {
  try {
    if (!takeName(partialPath, target, mayReplace)) return { kind: 'occupied' };
    const found = lookAt(target);
    return { kind: 'taken', ...(found === undefined ? {} : { stamp: localStampOf(found) }) };
  } catch (error) {
    return { kind: 'failed', error: toPlainError(toNameError(error, 'publish', shown)) };
  }
}

/**
 * Gives `partial` the name `target`. One that is free is taken by `link`, which fails where a file has come in between; one that
 * is not is looked at right before the rename. Only a file system without hard links leaves a gap of one system call. False:
 * something else is there, and both are as they were.
 */
function takeName(partial: string, target: string, mayReplace: MayReplace): boolean {
  // Where nothing may be replaced, `link` itself tells whether the name is free.
  let found = mayReplace.length === 0 ? undefined : lookAt(target);
  if (found === undefined) {
    if (linked(partial, target)) return true;
    found = lookAt(target);
  }
  if (found !== undefined && !isReplaceable(found, mayReplace)) return false;
  renameSync(partial, target);
  return true;
}

/** Whether `partial` has got a name that was free; false where the name is not free, or links are not to be had. */
function linked(partial: string, target: string): boolean {
  try {
    linkSync(partial, target);
  } catch (error) {
    const code = errnoOf(error) ?? '';
    if (NO_LINKS.includes(code)) return false;
    // A network file system may have done what it says has failed.
    if (code !== 'EEXIST' || !isSameFile(partial, target)) {
      if (code === 'EEXIST') return false;
      throw error;
    }
  }
  unlinkSync(partial);
  return true;
}

function isSameFile(a: string, b: string): boolean {
  const [first, second] = [lookAt(a), lookAt(b)];
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

/** What lies at a path, links not followed; undefined for nothing. */
function lookAt(path: string): BigIntStats | undefined {
  return lstatSync(path, { bigint: true, throwIfNoEntry: false });
}
