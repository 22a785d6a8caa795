/** The one place that knows what the operating system's errors about a destination mean. */
import { existsSync, statfsSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname } from 'node:path';
import { namedErrnoOf } from '../model/errno.js';
import { WaybillError } from '../model/errors.js';
import type { ErrorCode } from '../model/errors.js';

const MEANING: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  ENOSPC: ['WB_NO_SPACE', 'the disk is full'],
  EDQUOT: ['WB_NO_SPACE', 'the quota is used up'],
  EFBIG: ['WB_NO_SPACE', 'the file system takes no file as large'],
  EROFS: ['WB_NO_SPACE', 'the file system is read-only'],
  EIO: ['WB_DESTINATION_FAILED', 'the device reported an input/output error'],
  ESTALE: ['WB_DESTINATION_FAILED', 'the network file system lost the file'],
  ENODEV: ['WB_DESTINATION_FAILED', 'the device is gone'],
  ENXIO: ['WB_DESTINATION_FAILED', 'the device is gone'],
  ENOTCONN: ['WB_DESTINATION_FAILED', 'what serves this mount has ended'],
  ETIMEDOUT: ['WB_DESTINATION_FAILED', 'the network file system does not answer'],
  EHOSTDOWN: ['WB_DESTINATION_FAILED', 'the network file system does not answer'],
  EUCLEAN: ['WB_DESTINATION_FAILED', 'the file system is damaged: it needs a repair'],
  EMFILE: ['WB_DESTINATION_FAILED', 'too many files are open'],
  ENFILE: ['WB_DESTINATION_FAILED', 'too many files are open'],
  EACCES: ['WB_PERMISSION_DENIED', 'permission denied'],
  EPERM: ['WB_PERMISSION_DENIED', 'operation not permitted'],
  ENAMETOOLONG: ['WB_UNSAFE_PATH', 'the name is too long for this file system'],
  EILSEQ: ['WB_UNSAFE_PATH', 'the file system does not take this name'],
  ELOOP: ['WB_UNSAFE_PATH', 'a symbolic link is in the way'],
  ENOENT: ['WB_DESTINATION_NOT_HERE', 'it is not there any more'],
  ENOTDIR: ['WB_CONFLICT', 'a file is where a folder should be'],
  EISDIR: ['WB_CONFLICT', 'a folder is where a file should be'],
  EEXIST: ['WB_CONFLICT', 'something is there already'],
  ENOTEMPTY: ['WB_CONFLICT', 'the folder is not empty'],
};

/** Errors of the destination as a whole, even where the code alone is about a file. */
const IS_DESTINATION = new Set<ErrorCode>(['WB_PERMISSION_DENIED']);

/**
 * Turns an error of the file system into a WaybillError that names the operation (`read`, `write`, ...) and the path.
 * A WaybillError passes through; anything unknown is WB_UNEXPECTED.
 */
export function toDestinationError(error: unknown, operation: string, path: string): WaybillError {
  if (error instanceof WaybillError) return error;
  const errno = errnoOf(error) ?? '';
  const [code, known] = MEANING[errno] ?? ['WB_UNEXPECTED', message(error)];
  const why = errno === 'ENOSPC' && lacksInodes(path) ? 'it has no inodes left, see df -i' : known;
  return new WaybillError(code, `cannot ${operation} ${path}: ${why}${errno && ` (${errno})`}`, {
    operation,
    path,
    cause: error,
    ...(IS_DESTINATION.has(code) ? { scope: 'destination' as const } : {}),
  });
}

/**
 * What happened when a file or folder was to get its name, of which only the name can be what is wrong with the argument: some
 * file systems answer EINVAL to a name that they do not take.
 */
export function toNameError(error: unknown, operation: string, path: string): WaybillError {
  if (errnoOf(error) !== 'EINVAL') return toDestinationError(error, operation, path);
  const message = `cannot ${operation} ${path}: the file system does not take this name (EINVAL)`;
  return new WaybillError('WB_UNSAFE_PATH', message, { operation, path, cause: error });
}

/** The operating system's name of an error (`ENOENT`, ...); undefined for anything else. */
export function errnoOf(error: unknown): string | undefined {
  return namedErrnoOf(error, constants.errno);
}

/** A file system that has bytes and no inodes is as full: `df` alone would not show it. */
function lacksInodes(path: string): boolean {
  try {
    const { files, ffree, bavail } = statfsSync(existsSync(path) ? path : dirname(path));
    return files > 0 && ffree === 0 && bavail > 0;
  } catch {
    return false;
  }
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
