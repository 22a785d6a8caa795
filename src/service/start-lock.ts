/**
 * The mutex that makes the service single (rule 8): held by the service process for as long as it lives, and
 * free the moment that process is proven dead, with no clock in it.
 *
 * Holders are numbered: `service.lock.N` is a symbolic link whose target names its holder, created in
 * one step and exclusively. The highest number holds. Whoever finds the highest holder dead creates the next
 * number; of two who try, one fails. A newcomer that was slow, and created a number below the highest, sees
 * that after creating it and withdraws.
 */
import { readdirSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { isErrno } from './errno.js';
import { isRunning, processIdentitySchema, type ProcessIdentity } from './process-identity.js';

const NAME = /^service\.lock\.(\d{1,15})$/u;
const RELEASED = 'released';

/** A lock that is held. */
export interface StartLock {
  /** Gives it up, once. The number stays taken, so that a slow newcomer cannot take it again. */
  release(): void;
}

/** What an attempt found: the lock, or the living process that has it. */
export type LockAttempt =
  { readonly lock: StartLock } | { readonly lock: undefined; readonly holder: ProcessIdentity };

/** Tries to take the lock of a state folder for the given process. */
export function tryStartLock(folder: string, own: ProcessIdentity): LockAttempt {
  for (;;) {
    const highest = highestNumber(folder);
    const holder = highest === 0 ? undefined : readHolder(folder, highest);
    if (holder !== undefined && isRunning(holder)) return { lock: undefined, holder };
    const number = highest + 1;
    if (!create(folder, number, own)) continue;
    if (highestNumber(folder) !== number) {
      remove(folder, number);
      continue;
    }
    removeBelow(folder, number);
    return { lock: { release: () => release(folder, number) } };
  }
}

/** The living process that holds the lock of a state folder; undefined when nobody does. */
export function lockHolder(folder: string): ProcessIdentity | undefined {
  const highest = highestNumber(folder);
  const holder = highest === 0 ? undefined : readHolder(folder, highest);
  return holder !== undefined && isRunning(holder) ? holder : undefined;
}

function numbers(folder: string): number[] {
  try {
    return readdirSync(folder).flatMap((name) => {
      const found = NAME.exec(name)?.[1];
      return found === undefined ? [] : [Number(found)];
    });
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

function highestNumber(folder: string): number {
  return Math.max(0, ...numbers(folder));
}

function lockPath(folder: string, number: number): string {
  return join(folder, `service.lock.${number}`);
}

function create(folder: string, number: number, own: ProcessIdentity): boolean {
  try {
    symlinkSync(JSON.stringify(own), lockPath(folder, number));
    return true;
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false;
    throw error;
  }
}

/** A released number is one step above with no holder, so that the numbers never go back. */
function release(folder: string, number: number): void {
  try {
    symlinkSync(RELEASED, lockPath(folder, number + 1));
    remove(folder, number);
  } catch {
    // The folder is gone, or a newcomer proved us dead: in both cases there is nothing to give up.
  }
}

function readHolder(folder: string, number: number): ProcessIdentity | undefined {
  try {
    const target: unknown = JSON.parse(readlinkSync(lockPath(folder, number)));
    return processIdentitySchema.safeParse(target).data;
  } catch {
    return undefined;
  }
}

function removeBelow(folder: string, number: number): void {
  for (const older of numbers(folder)) if (older < number) remove(folder, older);
}

function remove(folder: string, number: number): void {
  rmSync(lockPath(folder, number), { force: true });
}
