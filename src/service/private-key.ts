/** Keys of a state folder: 32 random bytes in a file that only its owner can read. */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { WaybillError } from '../model/errors.js';
import { isErrno } from './errno.js';

const KEY_BYTES = 32;

/**
 * Reads a key, or makes it: mode 0600, in one step, the first of two makers wins.
 * @throws WaybillError WB_CONFIG_INVALID for a key that others can read or write, that belongs to somebody else, that is a
 *   link, or that is damaged
 */
export function readOrMakeKey(path: string): Buffer {
  const existing = readKey(path);
  if (existing !== undefined) return existing;
  const beside = `${path}.${process.pid}.new`;
  rmSync(beside, { force: true });
  const made = openSync(beside, 'wx', 0o600);
  try {
    writeFileSync(made, randomBytes(KEY_BYTES));
    fsyncSync(made);
    linkSync(beside, path);
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error;
  } finally {
    closeSync(made);
    rmSync(beside, { force: true });
  }
  const key = readKey(path);
  if (key !== undefined) return key;
  throw refusal(path, 'was removed at this moment');
}

/** Reads a key; undefined where there is none. Throws as `readOrMakeKey`. */
export function readKey(path: string): Buffer | undefined {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    if (isErrno(error, 'ELOOP')) throw refusal(path, 'is a symbolic link', error);
    throw refusal(path, `cannot be read (${String((error as { code?: unknown }).code)})`, error);
  }
  try {
    const found = fstatSync(file);
    const uid = process.getuid?.();
    if (!found.isFile()) throw refusal(path, 'is no file');
    if (uid !== undefined && found.uid !== uid) {
      throw refusal(path, `belongs to user ${found.uid}, not to you (${uid})`);
    }
    if ((found.mode & 0o077) !== 0) {
      const mode = (found.mode & 0o777).toString(8);
      throw refusal(path, `can be read or written by others (mode ${mode})`);
    }
    const key = readFileSync(file);
    if (key.length !== KEY_BYTES) throw refusal(path, 'is damaged');
    return key;
  } finally {
    closeSync(file);
  }
}

function refusal(path: string, why: string, cause?: unknown): WaybillError {
  return new WaybillError(
    'WB_CONFIG_INVALID',
    `The key ${path} ${why}, so it proves nothing. Run \`waybill down\`, delete it, and run the same command: running ` +
      'pulls are then started again from the records of their destinations.',
    { operation: 'read key', ...(cause === undefined ? {} : { cause }) },
  );
}
