/**
 * The state of a SQLite database, as far as a reader without locks can see it: equal before and after, nobody has changed what
 * was read in between.
 */
import { open, stat } from 'node:fs/promises';
import { errnoOf } from '../../../model/errno.js';
import { mlflowError } from '../errors.js';

const MAGIC = 'SQLite format 3\0';
const HEADER_BYTES = 100;
/** In the header: 2 is a database with a write-ahead log. */
const READ_VERSION_AT = 18;

const LOG_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
/** Of the log's header and of a frame's: where their salt is. */
const LOG_SALT_AT = 16;
const FRAME_SALT_AT = 8;
const SALT_BYTES = 8;

/** Undefined: a change is under way. Something else than a database is WB_UNSUPPORTED; throws what the file system throws. */
export async function stateOf(path: string): Promise<string | undefined> {
  if (await isHot(`${path}-journal`)) return undefined;
  const { size, mtimeNs, ino } = await stat(path, { bigint: true });
  const header = await bytesAt(path, 0, HEADER_BYTES);
  if (header.toString('latin1', 0, MAGIC.length) !== MAGIC) throw noDatabase(path);
  const log = await logStateOf(path);
  // While there is a log, what goes into the database was in the log before.
  if (log !== undefined) return `${ino} ${log}`;
  return `${ino} ${size} ${mtimeNs} ${header.toString('hex')}`;
}

/** Whether what is newest is in a write-ahead log beside the database, or would be. */
export async function hasLog(path: string): Promise<boolean> {
  const header = await bytesAt(path, 0, HEADER_BYTES);
  return header[READ_VERSION_AT] === 2 || (await logHeaderOf(path)) !== undefined;
}

/** Which log it is: it starts anew when all of it has gone into the database. */
export async function logOf(path: string): Promise<string> {
  const header = await logHeaderOf(path);
  if (header !== undefined) return header.toString('hex');
  const { size, mtimeNs } = await stat(path, { bigint: true });
  return `${size} ${mtimeNs}`;
}

/**
 * Which log it is, and how far it is written. A log that starts anew is overwritten from its beginning, so that frames of its own come
 * first and older ones behind them: the border is found by halving.
 */
async function logStateOf(path: string): Promise<string | undefined> {
  const header = await logHeaderOf(path);
  if (header === undefined) return undefined;
  const log = `${path}-wal`;
  const salt = header.subarray(LOG_SALT_AT, LOG_SALT_AT + SALT_BYTES);
  const frameBytes = FRAME_HEADER_BYTES + header.readUInt32BE(8);
  const isOwn = async (frame: number): Promise<boolean> => {
    const at = LOG_HEADER_BYTES + frame * frameBytes + FRAME_SALT_AT;
    return (await bytesAt(log, at, SALT_BYTES)).equals(salt);
  };
  const { size } = await stat(log);
  let [own, other] = [0, Math.floor((size - LOG_HEADER_BYTES) / frameBytes) + 1];
  while (own < other) {
    const middle = Math.floor((own + other) / 2);
    if (await isOwn(middle)) own = middle + 1;
    else other = middle;
  }
  return `${header.toString('hex')} ${own}`;
}

async function logHeaderOf(path: string): Promise<Buffer | undefined> {
  const header = await bytesAt(`${path}-wal`, 0, LOG_HEADER_BYTES).catch(missing);
  return header.length < LOG_HEADER_BYTES ? undefined : header;
}

/** A journal holds something as long as its header has not been cleared. */
async function isHot(journal: string): Promise<boolean> {
  const head = await bytesAt(journal, 0, 8).catch(missing);
  return head.some((byte) => byte !== 0);
}

/** What may not be read may still be what is newest. */
function missing(error: unknown): Buffer {
  if (errnoOf(error) === 'ENOENT') return Buffer.alloc(0);
  throw error;
}

async function bytesAt(path: string, offset: number, length: number): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, offset);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

function noDatabase(path: string): Error {
  return mlflowError('WB_UNSUPPORTED', `${path} is no SQLite database`, {
    operation: 'resolve',
    scope: 'source',
  });
}
