/** Whole files hashed by several threads, their results in the order in which the files came. */
import { availableParallelism } from 'node:os';
import { Piscina } from 'piscina';
import { WaybillError, fromPlainError } from '../model/errors.js';
import { THREAD_FLAGS } from './thread-flags.js';
import type { UnitProgress } from './api.js';
import { Cell } from './thread/cell.js';
import type { HashWholeOutcome, HashWholeTask } from './thread/hash-whole.js';

/** A batch is sent to a thread when it holds so many files or bytes. */
const BATCH_FILES = 64;
const BATCH_BYTES = 32 * 1024 * 1024;

/** How often the caller's progress is brought up to date. */
const PROGRESS_MS = 100;

/** A file to hash; `expectedBytes` only decides how files are batched. */
export interface FileToHash {
  /** Absolute. */
  readonly path: string;
  readonly expectedBytes: number;
}

/** How hashing is watched and stopped. When the signal aborts, the stream ends with the signal's reason. */
export interface HashOptions {
  readonly signal?: AbortSignal;
  /** `filesDone` and `bytesDone` are kept up to date, bytes while they are read. */
  readonly progress?: UnitProgress;
  readonly followLinks?: boolean;
  /** Default: one for each core. */
  readonly threads?: number;
}

/** What could be said about a file. `changed`: it was written to while it was read. */
export type Hashed =
  | Extract<HashWholeOutcome, { kind: 'hashed' }>
  | { readonly kind: 'changed' | 'no file' }
  | { readonly kind: 'failed'; readonly error: WaybillError };

/**
 * Hashes files as they come. Items without a file pass through with `undefined`; the order is kept. Threads start
 * with the first file and end with the stream.
 */
export async function* hashFiles<T>(
  items: AsyncIterable<T> | Iterable<T>,
  fileOf: (item: T) => FileToHash | undefined,
  options: HashOptions = {},
): AsyncGenerator<{ readonly item: T; readonly hashed: Hashed | undefined }> {
  const threads = options.threads ?? Math.max(1, availableParallelism());
  const pool = new Piscina<HashWholeTask, HashWholeOutcome[]>({
    filename: new URL('./thread/hash-whole.js', import.meta.url).href,
    execArgv: [...THREAD_FLAGS],
    minThreads: 0,
    maxThreads: threads,
  });
  const cell = new Cell();
  const onAbort = (): void => {
    cell.stop();
  };
  options.signal?.addEventListener('abort', onAbort, { once: true });
  const timer = setInterval(() => {
    if (options.progress) options.progress.bytesDone = cell.bytes;
  }, PROGRESS_MS);
  const running: Promise<{ items: readonly T[]; outcomes: HashWholeOutcome[] }>[] = [];
  const start = (batch: readonly T[]): void => {
    const paths = batch.flatMap((item) => fileOf(item)?.path ?? []);
    const followLinks = options.followLinks ?? false;
    const task = { cell: cell.memory, paths, followLinks };
    const outcomes = paths.length === 0 ? [] : pool.run(task, { name: 'hashWhole' });
    const result = Promise.resolve(outcomes).then((found) => ({ items: batch, outcomes: found }));
    // Its failure is thrown where it is awaited; without this, one that comes earlier would end the process.
    result.catch(() => undefined);
    running.push(result);
  };
  const finish = async function* (): AsyncGenerator<{ item: T; hashed: Hashed | undefined }> {
    const { items: batch, outcomes } = (await running.shift()) ?? { items: [], outcomes: [] };
    let next = 0;
    for (const item of batch) {
      const hashed = fileOf(item) === undefined ? undefined : outcomes[next++];
      options.signal?.throwIfAborted();
      if (hashed !== undefined && options.progress) options.progress.filesDone += 1;
      yield { item, hashed: hashed === undefined ? undefined : readable(hashed) };
    }
  };
  try {
    let batch: T[] = [];
    let bytes = 0;
    for await (const item of items) {
      options.signal?.throwIfAborted();
      batch.push(item);
      bytes += fileOf(item)?.expectedBytes ?? 0;
      if (batch.length < BATCH_FILES && bytes < BATCH_BYTES) continue;
      start(batch);
      batch = [];
      bytes = 0;
      while (running.length >= threads * 2) yield* finish();
    }
    start(batch);
    while (running.length > 0) yield* finish();
  } finally {
    cell.stop();
    clearInterval(timer);
    options.signal?.removeEventListener('abort', onAbort);
    if (options.progress) options.progress.bytesDone = cell.bytes;
    await pool.destroy();
  }
}

function readable(outcome: HashWholeOutcome): Hashed {
  if (outcome.kind === 'failed') return { kind: 'failed', error: fromPlainError(outcome.error) };
  if (outcome.kind === 'stopped') {
    const error = new WaybillError('WB_UNEXPECTED', 'a thread stopped hashing without being asked');
    return { kind: 'failed', error };
  }
  return outcome;
}
