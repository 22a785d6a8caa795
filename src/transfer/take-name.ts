/** What lies under a name, and whether it may be replaced. */
import { lstat } from 'node:fs/promises';
import type { BigIntStats } from 'node:fs';
import { localStampOf } from '../manifest/local-stamp.js';
import type { LocalStamp } from '../manifest/index.js';
import { errnoOf } from './destination-error.js';

/** A file as it lay under a final name: only this one may be replaced. */
export interface Replaceable {
  readonly sizeBytes: number;
  readonly stamp: LocalStamp;
}

/** What may be replaced: nothing (an empty list), these files as they were, or any file. */
export type MayReplace = 'any file' | readonly Replaceable[];

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
