/**
 * A SQLite database that others may be writing, read without a lock and without a change to it or its folder. SQLite itself
 * reads it (compiled to WebAssembly, whose locks other processes do not see). A connection belongs to one state of the file
 * (sqlite-state.ts): what was read counts if the state is the same afterwards, and another state gets another connection, for
 * SQLite keeps pages that it has read half-written.
 */
import { constants } from 'node:fs';
import { copyFile, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Database } from 'node-sqlite3-wasm';
import { errnoOf } from '../../../model/errno.js';
import { WaybillError } from '../../../model/errors.js';
import { mlflowError } from '../errors.js';
import { hasLog, logOf, stateOf } from './sqlite-state.js';

/** For how long a writer is waited for: `PATIENCE_TIMES` times `PAUSE_MS`, so short that a pause between two changes is met. */
const PATIENCE_TIMES = 100;
const PAUSE_MS = 20;

/** After so many times a database with a log, which is appended to without a pause, is copied as a whole. */
const COPY_AFTER = 10;

/** What a query takes and gives. */
export type Row = Readonly<Record<string, unknown>>;
export type Query = (sql: string, values?: readonly (string | number)[]) => Row[];

/** An open database. */
export interface SqliteFile {
  /**
   * Runs queries that see one state of the database; they may be run again. WB_UNAVAILABLE where it is written without a pause.
   */
  read<T>(use: (query: Query) => T): Promise<T>;
  close(): void;
}

/** Opens it. Missing is WB_NOT_FOUND, something else under its name WB_UNSUPPORTED. */
export async function openSqlite(path: string): Promise<SqliteFile> {
  const file = new Guarded(path);
  try {
    await file.read((query) => query('SELECT count(*) FROM sqlite_master'));
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}

/** A connection, and what it was made for. */
interface Connection {
  readonly database: Database;
  /** Of the file and its log; undefined: it has a copy of both. */
  readonly state: string | undefined;
}

class Guarded implements SqliteFile {
  private connection: Connection | undefined;

  constructor(private readonly path: string) {}

  async read<T>(use: (query: Query) => T): Promise<T> {
    try {
      for (let time = 0; time < PATIENCE_TIMES; time += 1) {
        if (time > 0) await delay(PAUSE_MS);
        const outcome = await this.tryToRead(use, time);
        if (outcome === undefined) continue;
        if ('error' in outcome) throw outcome.error;
        return outcome.value;
      }
    } catch (error) {
      throw asOurs(this.path, error);
    }
    throw busy(this.path);
  }

  close(): void {
    this.connection?.database.close();
    this.connection = undefined;
  }

  /** Undefined: somebody was writing. */
  private async tryToRead<T>(
    use: (query: Query) => T,
    time: number,
  ): Promise<Outcome<T> | undefined> {
    const copy = this.connection?.state === undefined ? this.connection : undefined;
    if (copy !== undefined) return attempt(copy.database, use);
    const before = await stateOf(this.path);
    if (before === undefined) return undefined;
    if (time >= COPY_AFTER && (await hasLog(this.path))) return this.readCopy(use);
    if (this.connection?.state !== before) {
      this.close();
      const opened = await openAt(this.path, before);
      if ('error' in opened) return (await stateOf(this.path)) === before ? opened : undefined;
      this.connection = opened.value;
    }
    const outcome = attempt(this.connection.database, use);
    if ((await stateOf(this.path)) === before) return outcome;
    this.close();
    return undefined;
  }

  private async readCopy<T>(use: (query: Query) => T): Promise<Outcome<T> | undefined> {
    this.close();
    this.connection = await openCopy(this.path);
    return this.connection && attempt(this.connection.database, use);
  }
}

type Outcome<T> = { readonly value: T } | { readonly error: unknown };

/** A reading of pages that are half written fails in any way: it counts only once the state is known to have been one. */
function attempt<T>(database: Database, use: (query: Query) => T): Outcome<T> {
  try {
    return { value: use((sql, values = []) => database.all(sql, [...values]) as Row[]) };
  } catch (error) {
    return { error };
  }
}

/**
 * The database where it lies, by a link in a folder of its own: its locks and journals would otherwise be made beside the
 * original. Its log is copied: SQLite makes one where there is none, and ends what it reads of it at the last commit.
 */
async function openAt(path: string, state: string): Promise<Outcome<Connection>> {
  return inScratch(async (name) => {
    await symlink(path, name);
    if (await hasLog(path)) await copyLog(path, name);
    return { database: await connect(name, true), state };
  });
}

/** A copy of the database and its log, in its own order: while the log is the same one, all that goes into the database is in it too. */
async function openCopy(path: string): Promise<Connection | undefined> {
  const generation = await logOf(path);
  const opened = await inScratch(async (name) => {
    await copyFile(path, name, constants.COPYFILE_FICLONE);
    await copyLog(path, name);
    const database = await connect(name, false);
    // Brings the log into the copy, which is not needed by its name any more.
    database.exec('PRAGMA journal_mode = DELETE');
    return { database, state: undefined };
  });
  if ('error' in opened) throw opened.error;
  if ((await logOf(path)) === generation) return opened.value;
  opened.value.database.close();
  return undefined;
}

async function copyLog(path: string, name: string): Promise<void> {
  await copyFile(`${path}-wal`, `${name}-wal`, constants.COPYFILE_FICLONE).catch(
    (error: unknown) => {
      if (errnoOf(error) !== 'ENOENT') throw error;
    },
  );
}

/** What is opened by a name in a folder that is gone again when this resolves: what is open stays readable. */
async function inScratch(
  open: (name: string) => Promise<Connection>,
): Promise<Outcome<Connection>> {
  const scratch = await mkdtemp(join(tmpdir(), 'waybill-sqlite-'));
  try {
    return { value: await open(join(scratch, 'records.db')) };
  } catch (error) {
    return { error };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function connect(name: string, readOnly: boolean): Promise<Database> {
  const { Database } = (await import('node-sqlite3-wasm')).default;
  const database = new Database(name, { fileMustExist: true, readOnly });
  try {
    // Alone with its log it needs no memory that is shared with others. The first reading opens the log.
    database.exec('PRAGMA locking_mode = EXCLUSIVE');
    database.get('SELECT count(*) FROM sqlite_master');
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
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
  if (error instanceof WaybillError) return error;
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
  if (errno !== undefined) {
    const message = `${path} cannot be read, or not be copied to ${tmpdir()} where it has to be: ${errno}`;
    return mlflowError('WB_UNAVAILABLE', message, context);
  }
  return error;
}
