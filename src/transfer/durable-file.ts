/** Small files of the record, written so that a crash leaves the old one or the new one, whole (rules 10 and 20). */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type * as z from 'zod';
import { WaybillError } from '../model/errors.js';
import { errnoOf, toDestinationError } from './destination-error.js';

/** What a file is written from: all of it, or its pieces in order. */
export type FileContent =
  string | Uint8Array | AsyncIterable<string | Uint8Array> | Iterable<string | Uint8Array>;

/** Pieces are gathered to about this size before they are written. */
const WRITE_BYTES = 256 * 1024;

/**
 * Writes a file beside itself, flushes it, renames it over `path` and flushes the folder. When this resolves, the
 * file survives a power cut. On failure the temporary is removed and `path` is as it was. A flush that failed is
 * not repeated (rule 14). Throws WB_NO_SPACE, WB_PERMISSION_DENIED, WB_DESTINATION_FAILED; what the content throws
 * passes through.
 */
export async function writeFileDurably(path: string, content: FileContent): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);
  let isRenamed = false;
  try {
    const file = await openNew(temporary);
    try {
      await writeAll(file, content, temporary);
      await guardWrite(path, () => file.sync());
    } catch (error) {
      await file.close().catch(() => undefined);
      throw error;
    }
    // On a network file system a close may tell of a flush that failed.
    await guardWrite(path, () => file.close());
    await guardWrite(path, () => rename(temporary, path));
    isRenamed = true;
  } finally {
    if (!isRenamed) await rm(temporary, { force: true }).catch(() => undefined);
  }
  await fsyncDir(folder);
}

/** Flushes a folder, so that the names in it survive a power cut. */
export async function fsyncDir(folder: string): Promise<void> {
  await guardWrite(folder, async () => {
    const handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  });
}

/** Makes a folder and every ancestor that is missing, and flushes the parent of each new one. */
export async function makeFolderDurably(folder: string): Promise<void> {
  const first = await guardWrite(folder, () => makeFolders(folder));
  if (first === undefined) return;
  for (let made = folder; ; made = dirname(made)) {
    await fsyncDir(dirname(made));
    if (made === first || made === dirname(made)) return;
  }
}

/** Not by a recursive mkdir: Node's never ends below /proc, and says ENOENT of a read-only file system. */
async function makeFolders(folder: string): Promise<string | undefined> {
  try {
    return await makeOne(folder);
  } catch (error) {
    const parent = dirname(folder);
    if (errnoOf(error) !== 'ENOENT' || parent === folder) throw error;
    const first = await makeFolders(parent);
    try {
      const made = await makeOne(folder);
      return first ?? made;
    } catch (again) {
      if (errnoOf(again) !== 'ENOENT') throw again;
      const message = `cannot make ${folder}: the file system of ${parent} takes no folders`;
      throw new WaybillError('WB_PERMISSION_DENIED', message, {
        scope: 'destination',
        cause: again,
      });
    }
  }
}

/** Undefined where it is there already. */
async function makeOne(folder: string): Promise<string | undefined> {
  try {
    await mkdir(folder);
    return folder;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST' && (await stat(folder)).isDirectory()) return undefined;
    throw error;
  }
}

/**
 * Makes one folder in a folder that is there, and flushes its name; one that is there already is fine. The record folder of a
 * pull is made once, by its claim: where it is gone with an unmounted share, nothing is made in its place (rule 7).
 */
export async function makeFolderInside(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return;
    throw toDestinationError(error, 'make', folder);
  }
  await fsyncDir(dirname(folder));
}

/** Removes a file, or a folder with all that it holds, without a flush. One that is not there is fine. */
export async function remove(path: string): Promise<void> {
  await guard('remove', path, () => rm(path, { recursive: true, force: true }));
}

/** Removes a file and flushes its folder. A file that is not there is fine. */
export async function removeDurably(path: string): Promise<void> {
  await remove(path);
  await fsyncDir(dirname(path));
}

/**
 * Reads a JSON file and checks it. Undefined if there is none. Throws WB_LOCAL_DAMAGE when it is longer than
 * `maxBytes` (default 16 MiB), is no JSON or does not fit the schema.
 */
export async function readJson<T>(
  path: string,
  schema: z.ZodType<T>,
  options: { readonly maxBytes?: number } = {},
): Promise<T | undefined> {
  const text = await readTextIfThere(path, options);
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw damage(path, 'is not JSON: it was cut or edited', cause);
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw damage(path, `is damaged: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`);
}

/** The text of a small file; undefined if there is none. Longer than `maxBytes` (16 MiB) is WB_LOCAL_DAMAGE. */
export async function readTextIfThere(
  path: string,
  options: { readonly maxBytes?: number } = {},
): Promise<string | undefined> {
  const maxBytes = options.maxBytes ?? 16 * 1024 * 1024;
  try {
    const { size } = await stat(path);
    if (size > maxBytes) throw damage(path, `is longer than ${maxBytes} bytes`);
    return await readFile(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return undefined;
    throw error instanceof WaybillError ? error : toDestinationError(error, 'read', path);
  }
}

async function openNew(path: string): Promise<FileHandle> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  return guardWrite(path, () => open(path, flags, 0o666));
}

async function writeAll(file: FileHandle, content: FileContent, path: string): Promise<void> {
  const write = async (data: Uint8Array): Promise<void> => {
    let done = 0;
    while (done < data.length) {
      const { bytesWritten } = await guardWrite(path, () => file.write(data, done));
      done += bytesWritten;
    }
  };
  if (typeof content === 'string') return write(Buffer.from(content));
  if (content instanceof Uint8Array) return write(content);
  let pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of content) {
    const data = typeof piece === 'string' ? Buffer.from(piece) : piece;
    pieces.push(data);
    bytes += data.length;
    if (bytes < WRITE_BYTES) continue;
    await write(Buffer.concat(pieces));
    pieces = [];
    bytes = 0;
  }
  await write(Buffer.concat(pieces));
}

function guardWrite<T>(path: string, act: () => Promise<T>): Promise<T> {
  return guard('write', path, act);
}

async function guard<T>(operation: string, path: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw toDestinationError(error, operation, path);
  }
}

function damage(path: string, what: string, cause?: unknown): WaybillError {
  return new WaybillError('WB_LOCAL_DAMAGE', `${path} ${what}`, { operation: 'read', cause });
}

/** Whether an error says that a file of a record is damaged. */
export function isDamage(error: unknown): error is WaybillError {
  return error instanceof WaybillError && error.code === 'WB_LOCAL_DAMAGE';
}
