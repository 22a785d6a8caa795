/** What WebHDFS answers, as values of the model. */
import * as z from 'zod';
import type { ObjectEntry, Pin } from '../../model/object-entry.js';

/** What a name node says of one path. */
export const FileStatus = z.object({
  pathSuffix: z.string(),
  type: z.enum(['FILE', 'DIRECTORY', 'SYMLINK']),
  length: z.int().nonnegative(),
  /** Milliseconds. */
  modificationTime: z.int(),
  /** Octal, as in `644`. */
  permission: z.string().optional(),
  blockSize: z.int().optional(),
  /** Older releases of HttpFS do not say it. */
  fileId: z.int().optional(),
  /** It lies encrypted: checksums are of what lies there, and not of what is read. */
  encBit: z.boolean().optional(),
  ecBit: z.boolean().optional(),
  symlink: z.string().optional(),
});
export type FileStatus = z.infer<typeof FileStatus>;

/** GETFILESTATUS. */
export const StatusAnswer = z.object({ FileStatus });

const Statuses = z.object({ FileStatus: z.array(FileStatus) });

/** LISTSTATUS. */
export const ListAnswer = z.object({ FileStatuses: Statuses });

/** LISTSTATUS_BATCH. */
export const BatchAnswer = z.object({
  DirectoryListing: z.object({
    partialListing: z.object({ FileStatuses: Statuses }),
    remainingEntries: z.int().nonnegative(),
  }),
});

/** GETFILECHECKSUM. */
export const ChecksumAnswer = z.object({
  FileChecksum: z.object({ algorithm: z.string(), bytes: z.string(), length: z.int() }),
});

/** What a failure is called. */
export const FailureAnswer = z.object({
  RemoteException: z.object({ exception: z.string(), message: z.string().optional() }),
});

/**
 * The pin of a file. Strong with its number, which no other file of the file system ever gets: its bytes only change by appending
 * and by cutting off, and both set the time. Weak where the number is not told.
 */
export function pinOf({ fileId, modificationTime, length }: FileStatus): Pin {
  const weak = `mtime:${modificationTime}+${length}`;
  if (fileId === undefined || fileId === 0) return { strength: 'weak', value: weak };
  return { strength: 'strong', value: `version:${fileId}/${weak}` };
}

/** ISO 8601. */
export function modifiedAtOf({ modificationTime }: FileStatus): string {
  return new Date(modificationTime).toISOString();
}

/** The entry of a path. */
export function entryOf(path: string, status: FileStatus): ObjectEntry {
  const modifiedAt = modifiedAtOf(status);
  if (status.type === 'DIRECTORY') return { path, kind: 'directory', modifiedAt };
  if (status.type === 'SYMLINK') return { path, kind: 'special', special: 'other', modifiedAt };
  const isExecutable = (Number.parseInt(status.permission ?? '0', 8) & 0o111) !== 0;
  const pin = pinOf(status);
  return { path, kind: 'file', sizeBytes: status.length, modifiedAt, isExecutable, pin };
}
