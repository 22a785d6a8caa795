/** What `lstat` says of many files of this host, in one array: it crosses from thread to thread at the price of one object. */

/** A regular file or a folder, as far as a listing and a pin need it. */
export interface HostFile {
  readonly isFolder: boolean;
  readonly mode: bigint;
  readonly size: bigint;
  readonly ctimeNs: bigint;
  readonly mtimeNs: bigint;
  readonly ino: bigint;
  readonly dev: bigint;
}

/** What Node's `lstat` answers, in whole numbers. */
interface Looked extends Omit<HostFile, 'isFolder'> {
  isDirectory(): boolean;
  isFile(): boolean;
}

/** Looks at many paths in another thread, links not followed. `hostFileAt` reads the answer. */
export type LookAtHost = (paths: readonly string[]) => Promise<BigInt64Array>;

const FIELDS = 7;
const NEITHER = 0n;
const FILE = 1n;
const FOLDER = 2n;

/** The facts of a regular file or folder; undefined for anything else. */
export function hostFileOf(stats: Looked): HostFile | undefined {
  const isFolder = stats.isDirectory();
  if (!isFolder && !stats.isFile()) return undefined;
  const { mode, size, ctimeNs, mtimeNs, ino, dev } = stats;
  return { isFolder, mode, size, ctimeNs, mtimeNs, ino, dev };
}

/** An array for so many paths; of none of them anything is known yet. */
export function hostFilesFor(count: number): BigInt64Array {
  return new BigInt64Array(count * FIELDS);
}

/** Notes what one path is. */
export function setHostFile(files: BigInt64Array, index: number, file: HostFile): void {
  const { isFolder, mode, size, ctimeNs, mtimeNs, ino, dev } = file;
  files.set([isFolder ? FOLDER : FILE, mode, size, ctimeNs, mtimeNs, ino, dev], index * FIELDS);
}

/** What one path is; undefined where there is no plain file or folder, or it could not be told. */
export function hostFileAt(files: BigInt64Array, index: number): HostFile | undefined {
  const at = index * FIELDS;
  const [kind = NEITHER, mode = 0n, size = 0n, ctimeNs = 0n, mtimeNs = 0n, ino = 0n, dev = 0n] =
    files.subarray(at, at + FIELDS);
  if (kind === NEITHER) return undefined;
  return { isFolder: kind === FOLDER, mode, size, ctimeNs, mtimeNs, ino, dev };
}

/** The size, mtime and inode of a regular file at an index are these: it is the one that somebody has written down. */
export function isFileAt(
  files: BigInt64Array,
  index: number,
  { sizeBytes, mtimeNs, inode }: { sizeBytes: number; mtimeNs: string; inode: string },
): boolean {
  const at = index * FIELDS;
  return (
    files[at] === FILE &&
    Number(files[at + 2]) === sizeBytes &&
    String(files[at + 4]) === mtimeNs &&
    String(files[at + 5]) === inode
  );
}
