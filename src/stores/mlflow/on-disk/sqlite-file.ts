/**
 * A SQLite database that others may be writing, read without a lock and without a change to it or its folder. SQLite itself
 * reads it (compiled to WebAssembly, whose locks other processes do not see): that what was read is of one moment is shown by
 * the database's own counter of changes, and by there being no journal before and after.
 */
import { constants } from 'node:fs';
import { copyFile, mkdtemp, open, rm, stat, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Database } from 'node-sqlite3-wasm';
import { errnoOf } from '../../../model/errno.js';
import { mlflowError } from '../errors.js';

const MAGIC = 'SQLite format 3\0';

/** For how long a writer is waited for: `PATIENCE_TIMES` times `PAUSE_MS`. */
const PATIENCE_TIMES = 20;
const PAUSE_MS = 100;

/** What a query takes and gives. */
export type Row = Readonly<Record<string, unknown>>;
export type Query = (sql: string, values?: readonly (string | number)[]) => Row[];

/** An open database. */
export interface SqliteFile {
  /** Runs queries that see one state of the database. WB_UNAVAILABLE where it is written without a pause. */
  read<T>(use: (query: Query) => T): Promise<T>;
  close(): void;
}

/** Opens it. Missing is WB_NOT_FOUND, something else under its name WB_UNSUPPORTED. */
export async function openSqlite(path: string): Promise<SqliteFile> {
  const { Database } = (await import('node-sqlite3-wasm')).default;
  const scratch = await mkdtemp(join(tmpdir(), 'waybill-sqlite-'));
  const dispose = (): Promise<void> => rm(scratch, { recursive: true, force: true });
  try {
    const name = join(scratch, 'records.db');
    const isCopy = await copyIfWal(path, name);
    // Its locks and journals would otherwise be made beside the original.
    if (!isCopy) await symlink(path, name);
    const database = new Database(name, { fileMustExist: true, readOnly: !isCopy });
    if (!isCopy) return new Guarded(path, database, dispose);
    // Brings the log into the copy, which is not needed by its name any more.
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE;');
    database.get('SELECT count(*) FROM sqlite_master');
    await dispose();
    return new Guarded(undefined, database, dispose);
  } catch (error) {
    await dispose();
    throw asOurs(path, error);
  }
}

class Guarded implements SqliteFile {
  constructor(
    /** Undefined: a copy, which nobody else changes. */
    private readonly path: string | undefined,
    private readonly database: Database,
    private readonly dispose: () => Promise<void>,
  ) {}

  async read<T>(use: (query: Query) => T): Promise<T> {
    const query: Query = (sql, values = []) => this.database.all(sql, [...values]) as Row[];
    if (this.path === undefined) return use(query);
    const { path } = this;
    for (let time = 0; time < PATIENCE_TIMES; time += 1) {
      if (time > 0) await delay(PAUSE_MS);
      const before = await stateOf(path);
      if (before === undefined) continue;
      const outcome = attempt(() => use(query));
      if ((await stateOf(path)) !== before) continue;
      if ('error' in outcome) throw asOurs(path, outcome.error);
      return outcome.value;
    }
    throw busy(path);
  }

  close(): void {
    this.database.close();
    void this.dispose();
  }
}

/** A reading of pages that are half written fails in any way: it counts only once the state is known to have been one. */
function attempt<T>(use: () => T): { readonly value: T } | { readonly error: unknown } {
  try {
    return { value: use() };
  } catch (error) {
    return { error };
  }
}

/** Equal before and after: nobody changed it in between. Undefined: a change is under way. */
async function stateOf(path: string): Promise<string | undefined> {
  if (await isHot(`${path}-journal`)) return undefined;
  const { size, mtimeNs, ino } = await stat(path, { bigint: true });
  const header = await headOf(path, 100);
  return `${ino} ${size} ${mtimeNs} ${header.toString('hex')}`;
}

/** A journal holds something as long as its header has not been cleared. */
async function isHot(journal: string): Promise<boolean> {
  const head = await headOf(journal, 8).catch(() => Buffer.alloc(0));
  return head.some((byte) => byte !== 0);
}

async function headOf(path: string, length: number): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/**
 * A database with a write-ahead log is copied together with it: what is in the log alone would not be seen, and reading it in
 * place takes memory that is shared with its writers. The log's own checksums end it at the last commit.
 */
async function copyIfWal(path: string, target: string): Promise<boolean> {
  const header = await headOf(path, 100);
  if (header.toString('latin1', 0, MAGIC.length) !== MAGIC) {
    throw mlflowError('WB_UNSUPPORTED', `${path} is no SQLite database`, {
      operation: 'resolve',
      scope: 'source',
    });
  }
  const log = `${path}-wal`;
  if (header[18] !== 2 && (await headOf(log, 32).catch(() => Buffer.alloc(0))).length === 0) {
    return false;
  }
  for (let time = 0; time < PATIENCE_TIMES; time += 1) {
    if (time > 0) await delay(PAUSE_MS);
    const before = await logState(path, log);
    await copyFile(path, target, constants.COPYFILE_FICLONE);
    await copyFile(log, `${target}-wal`, constants.COPYFILE_FICLONE).catch((error: unknown) => {
      if (errnoOf(error) !== 'ENOENT') throw error;
    });
    if ((await logState(path, log)) === before) return true;
    await rm(`${target}-wal`, { force: true });
  }
  throw busy(path);
}

/** While the log is the same one (by its salt), all that goes into the database is in it too. */
async function logState(path: string, log: string): Promise<string> {
  const head = await headOf(log, 32).catch(() => Buffer.alloc(0));
  if (head.length > 0) return head.toString('hex');
  const { size, mtimeNs } = await stat(path, { bigint: true });
  return `${size} ${mtimeNs}`;
}

function busy(path: string): Error {
  return mlflowError(
    'WB_UNAVAILABLE',
    `${path} is being written all the time, or was left in the middle of a change: open it with MLflow once, or start ` +
      '`mlflow server` on it',
    { operation: 'resolve', scope: 'source' },
  );
}

function asOurs(path: string, error: unknown): unknown {
  const errno = errnoOf(error);
  const context = { operation: 'resolve', scope: 'source', cause: error } as const;
  if (errno === 'ENOENT' || errno === 'ENOTDIR') {
    const message =
      `MLFLOW_TRACKING_URI names the database ${path}, and there is none: set it to sqlite:////absolute/path/mlflow.db, or ` +
      'to the http(s) address of the server';
    return mlflowError('WB_NOT_FOUND', message, context);
  }
  if (errno === 'EACCES' || errno === 'EPERM') {
    return mlflowError('WB_PERMISSION_DENIED', `${path} may not be read`, context);
  }
  if (error instanceof Error && error.name === 'SQLite3Error') {
    return mlflowError('WB_UNSUPPORTED', `${path} cannot be read: ${error.message}`, context);
  }
  return error;
}
