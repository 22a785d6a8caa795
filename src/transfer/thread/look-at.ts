/** Looking at many names, in a thread: file calls here are synchronous on purpose (rule 27). */
import { lstatSync } from 'node:fs';
import { hostFileOf, hostFilesFor, setHostFile, type HostFile } from '../../model/host-files.js';
import { toPlainError, type PlainError } from '../../model/errors.js';
import { errnoOf, toDestinationError } from '../destination-error.js';
import { fileOf, type Replaceable } from '../take-name.js';
import { inTurns } from './in-turns.js';

/** Absolute paths to look at. */
export interface LookTask {
  readonly paths: readonly string[];
}

/** What lies at one of them: a file, something else, or nothing. */
export type LookOutcome =
  | { readonly kind: 'file'; readonly file: Replaceable }
  | { readonly kind: 'other' | 'nothing' }
  | { readonly kind: 'failed'; readonly error: PlainError };

/** Names looked at before the thread's other work gets its turn: on a share each may take milliseconds. */
const NAMES_A_TURN = 64;

/** Runs a LookTask: one outcome for each path, in order. Never rejects. */
export function lookAtAll({ paths }: LookTask): Promise<LookOutcome[]> {
  return inTurns(paths, NAMES_A_TURN, lookAtOne);
}

/** Looks at files of a source: what is neither file nor folder, or cannot be told, is left open. Never rejects. */
export async function lookAtHost({ paths }: LookTask): Promise<BigInt64Array> {
  const found = await inTurns(paths, NAMES_A_TURN, plainFileAt);
  const files = hostFilesFor(paths.length);
  for (const [index, file] of found.entries()) {
    if (file !== undefined) setHostFile(files, index, file);
  }
  return files;
}

function plainFileAt(path: string): HostFile | undefined {
  try {
    const found = lstatSync(path, { bigint: true, throwIfNoEntry: false });
    return found && hostFileOf(found);
  } catch {
    // Whoever asked looks again, and says what is wrong.
    return undefined;
  }
}

function lookAtOne(path: string): LookOutcome {
  try {
    const found = lstatSync(path, { bigint: true, throwIfNoEntry: false });
    if (found === undefined) return { kind: 'nothing' };
    const file = fileOf(found);
    return file === undefined ? { kind: 'other' } : { kind: 'file', file };
  } catch (error) {
    // A file is where a folder above it would be.
    if (errnoOf(error) === 'ENOTDIR') return { kind: 'nothing' };
    return { kind: 'failed', error: toPlainError(toDestinationError(error, 'look at', path)) };
  }
}
