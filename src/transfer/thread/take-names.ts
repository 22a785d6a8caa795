/** Giving partials their final names without destroying what somebody else has put there since the plan was made. */
import { linkSync, lstatSync, renameSync, unlinkSync, type BigIntStats } from 'node:fs';
import { localStampOf, sameLocalStamp } from '../../manifest/local-stamp.js';
import { toPlainError } from '../../model/errors.js';
import { errnoOf, toNameError } from '../destination-error.js';
import { fileOf, type MayReplace } from '../take-name.js';
import { inTurns } from './in-turns.js';
import type { NameToTake, TakeNameOutcome, TakeNamesOutcome, TakeNamesTask } from './tasks.js';

/** What a file system without hard links answers to `link`. */
const NO_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EXDEV', 'EACCES'];

/** Names taken before the bytes of other files get their turn. */
const NAMES_A_TURN = 32;

/** Between two paths of a message. */
const NUL = '\0';

/** The message that asks for names. */
export function namesTaskOf(names: readonly NameToTake[]): TakeNamesTask {
  const replacing = names.flatMap(({ mayReplace }, position) =>
    mayReplace.length === 0 ? [] : [[position, mayReplace] as const],
  );
  return {
    partialPaths: names.map(({ partialPath }) => partialPath).join(NUL),
    targets: names.map(({ target }) => target).join(NUL),
    shown: names.map(({ shown }) => shown).join(NUL),
    mayReplace: new Map(replacing),
  };
}

/** The outcome of each name, in order, from the answer to that message. */
export function namesTaken(count: number, answer: TakeNamesOutcome): TakeNameOutcome[] {
  const { stamps, others } = answer;
  return Array.from({ length: count }, (_, position) => {
    const at = position * STAMP_FIELDS;
    const [mtimeNs, ctimeNs, ino] = [stamps[at], stamps[at + 1], stamps[at + 2]];
    const other = others.get(position);
    if (other !== undefined) return other;
    if (mtimeNs === undefined || ctimeNs === undefined || ino === undefined)
      return { kind: 'taken' };
    return {
      kind: 'taken',
      stamp: localStampOf({ mtimeNs, ctimeNs, ino: BigInt.asUintN(64, ino) }),
    };
  });
}

const STAMP_FIELDS = 3;

/** Runs a TakeNamesTask. Never rejects. */
export async function takeNames(task: TakeNamesTask): Promise<TakeNamesOutcome> {
  const partialPaths = task.partialPaths.split(NUL);
  const targets = task.targets.split(NUL);
  const shown = task.shown.split(NUL);
  const stamps = new BigInt64Array(targets.length * STAMP_FIELDS);
  const others = new Map<number, TakeNameOutcome>();
  await inTurns(targets, NAMES_A_TURN, (target, position) => {
    const partialPath = partialPaths[position] ?? '';
    const mayReplace = task.mayReplace.get(position) ?? [];
    const name = { partialPath, target, mayReplace, shown: shown[position] ?? '' };
    const outcome = outcomeOf(name);
    if ('ino' in outcome) {
      stamps.set([outcome.mtimeNs, outcome.ctimeNs, outcome.ino], position * STAMP_FIELDS);
    } else others.set(position, outcome);
  });
  return { stamps, others };
}

function outcomeOf({
  partialPath,
  target,
  mayReplace,
  shown,
}: NameToTake): TakeNameOutcome | BigIntStats {
  try {
    if (!takeName(partialPath, target, mayReplace)) return { kind: 'occupied' };
    return lookAt(target) ?? { kind: 'taken' };
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
