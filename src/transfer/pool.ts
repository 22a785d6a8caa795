/** The threads that move and hash bytes, as the main thread uses them. */
import { availableParallelism } from 'node:os';
import { Piscina } from 'piscina';
import { schemeOf } from '../model/artifact-uri.js';
import type { StoreAddress } from '../stores/store.js';
import { spread } from './spread.js';
import { THREAD_FLAGS } from './thread-flags.js';
import type { LookOutcome, LookTask } from './thread/look-at.js';
import type { ReadBackOutcome, ReadBackTask } from './thread/read-back.js';
import { namesTaken, namesTaskOf } from './thread/take-names.js';
import type {
  FetchPackOutcome,
  FetchPackTask,
  FetchRangeOutcome,
  FetchRangeTask,
  FollowOutcome,
  FollowTask,
  HashExtentsOutcome,
  HashExtentsTask,
  NameToTake,
  TakeNameOutcome,
  TakeNamesOutcome,
} from './thread/tasks.js';

/**
 * Tasks that a thread interleaves at most: far more than all pulls of a worker have connections, or large files to hash. One
 * that had to wait until others end, which may take as long as a slow source pleases, would be taken for a standstill.
 */
const TASKS_PER_THREAD = 4_096;

/** So much keeps a fetching thread busy: most of its tasks wait for the network. */
const FETCHES_FILL_A_THREAD = 32;

/** Each of these keeps a core busy by itself. */
const HASHES: readonly string[] = ['follow', 'hashExtents', 'readBack'];

/**
 * The young generation of a thread's heap. Bodies come as buffers outside the heap that only a collection frees:
 * a small young generation is collected often, and a thread stays some 50 MB smaller for it. The flags of the
 * local worker (`src/service/worker-flags.ts`) win over it.
 */
const YOUNG_GENERATION_MB = 6;

/**
 * Idle threads end after so long. A new one has all of its code to compile and to warm: a third of what thousands of small files
 * cost. The local service is gone by then; a worker that stands for months becomes small again.
 */
const IDLE_MS = 5 * 60_000;

/**
 * Two pools: fetching threads have connections and write; hashing threads read behind them. They are apart so that
 * hashing never waits for a slow source, and a source never for the hash.
 */
export class ThreadPool {
  private readonly fetchers: Piscina;
  private readonly hashers: Piscina;

  /** @param fetchEntry module of a fetching thread; it opens the stores */
  constructor(
    fetchEntry: URL,
    readonly threads: number = Math.max(1, availableParallelism()),
  ) {
    const shared = {
      concurrentTasksPerWorker: TASKS_PER_THREAD,
      atomics: 'disabled' as const,
      minThreads: 0,
      idleTimeout: IDLE_MS,
      execArgv: [...THREAD_FLAGS],
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    };
    this.fetchers = new Piscina({
      ...shared,
      maxThreads: threads,
      loadBalancer: spread({
        threads,
        mostTasks: TASKS_PER_THREAD,
        startsAt: () => FETCHES_FILL_A_THREAD,
      }),
      filename: fetchEntry.href,
    });
    // A hash keeps up with a source on one core; the fetching threads need the others.
    const hashers = Math.max(1, threads - 1);
    this.hashers = new Piscina({
      ...shared,
      maxThreads: hashers,
      loadBalancer: spread({
        threads: hashers,
        mostTasks: TASKS_PER_THREAD,
        startsAt: (name) => (HASHES.includes(name) ? 1 : FETCHES_FILL_A_THREAD),
      }),
      filename: new URL('./thread/hash-file.js', import.meta.url).href,
    });
  }

  /** Starts the fetching threads and loads the store there, beside what comes before the first byte. */
  warm(address: StoreAddress): void {
    // What comes over a network keeps the main thread as busy as one that fetches, and each that is more compiles the same
    // code once again; a folder is read as fast as threads can. Others start when these are full.
    const isHere = schemeOf(address.uri) === 'file';
    const count = isHere ? this.threads : Math.max(1, this.threads - 1);
    // All at once: a thread that waits for work takes whatever comes, and no second one would ever be started.
    for (let thread = 0; thread < count; thread += 1) {
      // A thread that cannot be started fails the first task that needs it.
      this.fetchers.run(address, { name: 'warm' }).catch(() => undefined);
    }
  }

  async fetchPack(task: FetchPackTask): Promise<FetchPackOutcome> {
    return (await this.fetchers.run(task, { name: 'fetchPack' })) as FetchPackOutcome;
  }

  async fetchRange(task: FetchRangeTask): Promise<FetchRangeOutcome> {
    return (await this.fetchers.run(task, { name: 'fetchRange' })) as FetchRangeOutcome;
  }

  /** Gives flushed partials their names, off the main thread: three system calls a file. One outcome each, in order. */
  async takeNames(names: readonly NameToTake[]): Promise<TakeNameOutcome[]> {
    if (names.length === 0) return [];
    const task = namesTaskOf(names);
    const answer = (await this.fetchers.run(task, { name: 'takeNames' })) as TakeNamesOutcome;
    return namesTaken(names.length, answer);
  }

  async follow(task: FollowTask): Promise<FollowOutcome> {
    return (await this.hashers.run(task, { name: 'follow' })) as FollowOutcome;
  }

  async hashExtents(task: HashExtentsTask): Promise<HashExtentsOutcome> {
    return (await this.hashers.run(task, { name: 'hashExtents' })) as HashExtentsOutcome;
  }

  async readBack(task: ReadBackTask): Promise<ReadBackOutcome[]> {
    const filename = new URL('./thread/read-back.js', import.meta.url).href;
    return (await this.hashers.run(task, { name: 'readBack', filename })) as ReadBackOutcome[];
  }

  async lookAtAll(paths: readonly string[]): Promise<LookOutcome[]> {
    const filename = new URL('./thread/look-at.js', import.meta.url).href;
    const task: LookTask = { paths };
    return (await this.hashers.run(task, { name: 'lookAtAll', filename })) as LookOutcome[];
  }

  /** As `LookAtHost`. */
  async lookAtHost(paths: readonly string[]): Promise<BigInt64Array> {
    const filename = new URL('./thread/look-at.js', import.meta.url).href;
    const task: LookTask = { paths };
    return (await this.hashers.run(task, { name: 'lookAtHost', filename })) as BigInt64Array;
  }

  async close(): Promise<void> {
    await Promise.all([this.fetchers.destroy(), this.hashers.destroy()]);
  }
}
